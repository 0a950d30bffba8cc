"""Requests whose clients fetch the answer later: accepted, waited for, fetched, over restarts and kill -9."""

import contextlib
import json
import shutil
import stat
import unittest

from harness import Stage, run_tophand, wait_until, zone_before_the_night

ASK = {"model": "auto", "max_tokens": 8, "messages": [{"role": "user", "content": "Hi"}]}
CLAUDE = {**ASK, "model": "claude-haiku-5-5", "messages": [{"role": "user", "content": "[[say at night]]"}]}
LATER = {"prefer": "respond-async", "x-tophand-deadline": "10m"}
LIST = "/tophand/v1/deferred"
# Low priority that Claude answers: a class of the small tier.
REVIEWS = '[classes.review]\ntier = "small"\n'


def cli(gateway, *arguments):
    done = run_tophand(*arguments, "--data", str(gateway.data), "--config", str(gateway.config), env=gateway.env)
    return done.stdout + done.stderr


def send(gateway, body=None, path="/v1/messages", **headers):
    answer = gateway.post(path, body or ASK, priority="low", headers={**LATER, **headers})
    assert answer.status == 202, (answer.status, answer.body)
    return answer.headers["location"]


def fetch(gateway, url, seconds=60):
    def answered():
        answer = gateway.call("GET", url)
        return answer if answer.status != 202 else None
    return wait_until(answered, f"the answer at {url}", seconds)


class FetchedLater(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.stage = Stage()
        cls.addClassCleanup(cls.stage.close)
        cls.claude = cls.stage.simulator()
        cls.gateway = cls.stage.gateway(cls.claude.url, config=REVIEWS)

    def test_it_is_told_where_and_gets_its_answer_there(self):
        taken = self.gateway.post("/v1/messages", ASK, priority="low", headers=LATER)
        self.assertEqual(taken.status, 202)
        self.assertEqual(taken.headers["preference-applied"], "respond-async")
        told = taken.json()
        self.assertEqual(taken.headers["location"], told["url"])
        self.assertEqual(told["id"], taken.headers["x-request-id"])
        answer = fetch(self.gateway, told["url"])
        self.assertEqual(answer.status, 200, answer.body)
        self.assertEqual(answer.json()["type"], "message")
        self.assertEqual(answer.headers["x-tophand-backend"], "local")
        self.assertEqual(answer.headers["x-request-id"], told["id"])
        self.assertEqual([row["attempt"] for row in self.gateway.rows(told["id"])], [1])
        self.assertIn("by local", cli(self.gateway, "explain", told["id"]))

    def test_a_key_in_the_address_is_not_kept(self):
        taken = self.gateway.call("POST", f"/{self.gateway.key}/v1/messages", ASK, key=False, headers={
            **LATER, "x-tophand-priority": "low", "anthropic-version": "2023-06-01"})
        self.assertEqual(taken.status, 202, taken.body)
        self.assertEqual(fetch(self.gateway, taken.json()["url"]).json()["type"], "message")
        files = [file for file in (self.gateway.data / "deferred").rglob("*") if file.is_file()]
        self.assertNotEqual(files, [])
        for file in files:
            self.assertNotIn(self.gateway.key.encode(), file.read_bytes(), file)

    def test_in_every_dialect_and_always_whole(self):
        chat = {"model": "auto", "messages": ASK["messages"], "stream": True}
        answer = fetch(self.gateway, send(self.gateway, chat, "/v1/chat/completions"))
        self.assertEqual(answer.json()["object"], "chat.completion")
        answer = fetch(self.gateway, send(self.gateway, {**chat, "stream": True}, "/api/chat"))
        self.assertTrue(answer.json()["done"])
        del chat["stream"]  # which Ollama takes for true
        answer = fetch(self.gateway, send(self.gateway, chat, "/api/chat"))
        self.assertTrue(answer.json()["done"])
        answer = fetch(self.gateway, send(self.gateway, {**CLAUDE, "stream": True}, **{"x-task-class": "review"}))
        self.assertEqual(answer.headers["x-tophand-backend"], "claude")
        self.assertEqual(answer.json()["content"][0]["text"], "at night")

    def test_without_a_deadline_it_is_answered_at_once(self):
        answer = self.gateway.post("/v1/messages", ASK, priority="low", headers={"prefer": "respond-async"})
        self.assertEqual(answer.status, 200)
        self.assertNotIn("preference-applied", answer.headers)

    def test_only_its_own_key_may_fetch_or_cancel_it(self):
        keys = [json.loads(run_tophand("keys", "create", name, "--json", "--data", str(self.gateway.data),
                                       env=self.gateway.env).stdout)["key"] for name in ("one", "two")]
        own, other = ({"authorization": f"Bearer {key}"} for key in keys)
        url = send(self.gateway, **own)
        name = url.rsplit("/", 1)[1]
        fetch(self.gateway, url)  # with the commands' key, which may see all
        self.assertEqual(self.gateway.call("GET", url, headers=own).status, 200)
        self.assertEqual(self.gateway.call("GET", url, headers=other).status, 404)
        self.assertEqual(self.gateway.call("GET", LIST, headers=other).json()["requests"], [])
        self.assertEqual([one["id"] for one in self.gateway.call("GET", LIST, headers=own).json()["requests"]], [name])
        cancel = f"{LIST}/cancel"
        self.assertEqual(self.gateway.call("POST", cancel, {"id": name}, headers=other).status, 404)
        self.assertEqual(self.gateway.call("POST", cancel, {"id": name}, headers=own).status, 200)
        self.assertEqual(self.gateway.call("GET", url, headers=own).status, 404)
        self.assertEqual(self.gateway.call("GET", url, key=False).status, 401)

    def test_the_same_idempotency_key_is_the_same_request(self):
        urls = {send(self.gateway, **{"idempotency-key": "once"}) for _ in range(3)}
        self.assertEqual(len(urls), 1)
        fetch(self.gateway, urls.pop())

    def test_the_command_lists_and_shows(self):
        url = send(self.gateway)
        fetch(self.gateway, url)
        name = url.rsplit("/", 1)[1]
        self.assertRegex(cli(self.gateway, "deferred"), rf"{name} .*answered \(200\)")
        self.assertIn('"type":"message"', cli(self.gateway, "deferred", name))
        self.assertIn("is cancelled", cli(self.gateway, "deferred", "--cancel", name))
        self.assertNotIn(name, cli(self.gateway, "deferred"))
        self.assertIn("waits, nor is its answer kept", cli(self.gateway, "deferred", name))

    def test_an_error_is_an_answer_too(self):
        body = {**CLAUDE, "messages": [{"role": "user", "content": "[[fail 400]]"}]}
        answer = fetch(self.gateway, send(self.gateway, body, **{"x-task-class": "review"}))
        self.assertEqual(answer.status, 400)
        self.assertEqual(answer.json()["error"]["type"], "invalid_request_error")

    def test_its_files_are_the_owners_alone_and_hold_no_key(self):
        url = send(self.gateway)
        folder = self.gateway.data / "deferred"
        files = list(folder.iterdir())
        self.assertEqual(stat.S_IMODE(folder.stat().st_mode), 0o700)
        self.assertTrue(files)
        for file in files:
            with contextlib.suppress(FileNotFoundError):  # it has been answered meanwhile
                self.assertEqual(stat.S_IMODE(file.stat().st_mode), 0o600, file)
                self.assertNotIn(self.gateway.key.encode(), file.read_bytes())
        fetch(self.gateway, url)


class OverRestarts(unittest.TestCase):
    """Requests for Claude that wait for a night which begins while, or after, the gateway is gone."""

    def start(self, night_in_s, *simulator):
        self.stage = Stage()
        self.addCleanup(self.stage.close)
        self.claude = self.stage.simulator(*simulator)
        self.gateway = self.stage.gateway(
            self.claude.url, config=REVIEWS + '[defer]\nnight = "22:00-06:00"\n',
            env={"TZ": zone_before_the_night(night_in_s)})

    def send(self, words):
        body = {**CLAUDE, "messages": [{"role": "user", "content": f"[[say {words}]]"}]}
        return send(self.gateway, body, **{"x-task-class": "review", "x-tophand-deadline": "2h"})

    def kill(self):
        self.gateway.process.kill()
        self.gateway.process.wait()
        self.gateway.process.stdout.close()

    def asked(self):
        return [json.loads(request["body"])["messages"][0]["content"] for request in self.claude.requests()]

    def test_none_is_lost_and_none_is_done_twice(self):
        self.start(3600)
        urls = {words: self.send(words) for words in ("one", "two", "three")}
        wait_until(lambda: "waits for the night" in cli(self.gateway, "deferred"), "what they wait for", 20)
        self.assertEqual(self.claude.requests(), [])
        self.kill()
        self.gateway.env["TZ"] = zone_before_the_night(5)
        self.gateway.start()
        for words, url in urls.items():
            answer = fetch(self.gateway, url)
            self.assertEqual(answer.json()["content"][0]["text"], words)
            [row] = self.gateway.rows(url.rsplit("/", 1)[1])
            self.assertGreater(row["deferred_ms"], 0)
        self.assertEqual(sorted(self.asked()), [f"[[say {words}]]" for words in sorted(urls)])
        self.kill()  # answers outlive it, too
        self.gateway.start()
        for words, url in urls.items():
            self.assertEqual(fetch(self.gateway, url).json()["content"][0]["text"], words)
        self.assertEqual(len(self.asked()), 3)
        self.assertIn("balances", cli(self.gateway, "ledger", "verify"))

    def test_without_its_files_they_would_be_lost(self):
        """The control: it is the files that carry them over."""
        self.start(3600)
        url = self.send("one")
        self.kill()
        shutil.rmtree(self.gateway.data / "deferred")
        self.gateway.start()
        self.assertEqual(self.gateway.call("GET", url).status, 404)

    def test_what_ran_when_it_was_killed_is_run_again_and_both_are_accounted_for(self):
        self.start(0, "--latency-ms", "3000")
        url = self.send("one")
        wait_until(self.claude.requests, "the first asking", 20)
        self.kill()
        self.gateway.start()
        self.assertEqual(fetch(self.gateway, url).json()["content"][0]["text"], "one")
        rows = self.gateway.rows(url.rsplit("/", 1)[1])
        self.assertEqual([(row["attempt"], row["state"]) for row in rows], [(1, "recovered"), (2, "settled")])
        self.assertEqual(rows[0]["cost_nano_usd"], rows[0]["reserved_nano_usd"])
        self.assertEqual(len(self.asked()), 2)

    def test_an_answer_that_the_disk_does_not_take_is_not_bought_again(self):
        self.start(0, "--latency-ms", "2000")
        url = self.send("one")
        wait_until(self.claude.requests, "the asking", 20)
        [waiting] = (self.gateway.data / "deferred").rglob("*.request")
        in_the_way = waiting.with_suffix(".answer")
        in_the_way.mkdir()  # no file can take its place
        wait_until(lambda: "deferred.not_kept" in self.gateway.log_path.read_text(), "its loss", 30)
        self.assertEqual(self.gateway.call("GET", url).status, 202)
        in_the_way.rmdir()
        self.assertEqual(fetch(self.gateway, url, 60).json()["content"][0]["text"], "one")
        self.assertEqual(len(self.asked()), 1)
        self.assertEqual(len(self.gateway.rows(url.rsplit("/", 1)[1])), 1)


if __name__ == "__main__":
    unittest.main()

"""Requests that wait without a connection, through the Batch API of the Claude simulator: at half the price, in the
ledger exactly once, also when the gateway is killed at any stage."""

import json
import math
import time
import unittest
from fractions import Fraction

from deferred_test import REVIEWS, cli, fetch
from harness import ROOT, Stage, wait_until

PATH = "/v1/messages/batches"
CONFIG = REVIEWS + "[defer]\nbatch = true\nbatch_min_s = 1\n"
HEADERS = {"prefer": "respond-async", "x-task-class": "review"}


def half_price(counts):
    """In nano-dollars, from the price file, by nothing of the program's."""
    book = json.loads((ROOT / "prices/anthropic.json").read_text())
    [price] = [model for model in book["models"] if model["id"] == "claude-haiku-5-5"]
    full = sum(counts[f"{kind}_tokens"] * Fraction(price[kind]) * 1000 for kind in ("input", "output"))
    return math.ceil(full / 2)


class Batches(unittest.TestCase):
    def start(self, *simulator, config=CONFIG):
        self.stage = Stage()
        self.addCleanup(self.stage.close)
        self.claude = self.stage.simulator(*simulator)
        self.gateway = self.stage.gateway(self.claude.url, config=config)

    def send(self, words, deadline="2h", path="/v1/messages", **more):
        body = {"model": "claude-haiku-5-5", "max_tokens": 50, **more,
                "messages": [{"role": "user", "content": words if "[[" in words else f"[[say {words}]]"}]}
        answer = self.gateway.post(path, body, priority="low", headers={**HEADERS, "x-tophand-deadline": deadline})
        self.assertEqual(answer.status, 202, answer.body)
        return answer.headers["location"]

    def row(self, url):
        [row] = self.gateway.rows(url.rsplit("/", 1)[1])
        return row

    def kill(self):
        self.gateway.process.kill()
        self.gateway.process.wait()
        self.gateway.process.stdout.close()

    def made(self):
        return [request for request in self.claude.requests(PATH) if request["method"] == "POST"]

    def verified(self):
        self.assertIn("balances", cli(self.gateway, "ledger", "verify"))

    def test_several_go_in_one_at_half_the_price(self):
        self.start()
        urls = {words: self.send(words) for words in ("one", "two", "three")}
        openai = self.send("four", path="/v1/chat/completions")
        for words, url in urls.items():
            answer = fetch(self.gateway, url)
            self.assertEqual(answer.json()["content"][0]["text"], words)
            self.assertEqual(answer.headers["x-tophand-reason"], "answered in a batch")
            row = self.row(url)
            self.assertEqual((row["state"], row["batch"], row["tier"]), ("settled", True, "small"))
            self.assertEqual(row["cost_nano_usd"], half_price(row))
            self.assertGreaterEqual(row["reserved_nano_usd"], row["cost_nano_usd"])
            self.assertGreater(row["deferred_ms"], 0)
            self.assertIn("as a batch", cli(self.gateway, "explain", url.rsplit("/", 1)[1]))
        self.assertEqual(fetch(self.gateway, openai).json()["choices"][0]["message"]["content"], "four")
        self.assertEqual(len(self.made()), 1)
        self.assertEqual(self.claude.requests(), [])  # none went alone
        self.assertNotIn("stream", json.loads(self.made()[0]["body"])["requests"][0]["params"])
        self.verified()

    def test_where_it_is_not_allowed_none_is_made(self):
        self.start(config=REVIEWS)
        self.assertEqual(fetch(self.gateway, self.send("one")).json()["content"][0]["text"], "one")
        self.assertEqual(self.made(), [])
        self.assertEqual(len(self.claude.requests()), 1)

    def test_what_expires_goes_another_way_and_what_is_wrong_is_told(self):
        self.start()
        expires, wrong = self.send("[[batch-expire]] [[say late]]"), self.send("[[fail 400]]")
        fails = self.send("[[fail 500]]", deadline="8")
        self.assertEqual(fetch(self.gateway, expires).json()["content"][0]["text"], "late")
        rows = self.gateway.rows(expires.rsplit("/", 1)[1])
        self.assertEqual([(row["state"], row["batch"]) for row in rows], [("released", True), ("settled", False)])
        self.assertEqual(fetch(self.gateway, wrong).status, 400)
        self.assertEqual(self.row(wrong)["cost_nano_usd"], 0)
        self.assertEqual(fetch(self.gateway, fails).headers["x-tophand-backend"], "local")  # Claude fails on any way
        self.verified()

    def test_results_that_were_cut_off_are_read_again(self):
        self.start("--batch-short", "1")
        urls = [self.send(words) for words in ("one", "two", "three")]
        self.assertEqual([fetch(self.gateway, url).json()["content"][0]["text"] for url in urls],
                         ["one", "two", "three"])
        self.assertEqual([self.row(url)["batch"] for url in urls], [True] * 3)
        self.assertEqual((len(self.made()), len(self.claude.requests())), (1, 0))
        self.verified()

    def test_what_was_answered_and_never_told_is_paid_for(self):
        self.start("--batch-short", "1000")
        urls = [self.send(words) for words in ("one", "two")]
        self.assertEqual(sorted(fetch(self.gateway, url).json()["content"][0]["text"] for url in urls), ["one", "two"])
        rows = [row for url in urls for row in self.gateway.rows(url.rsplit("/", 1)[1])]
        self.assertEqual(len(rows), 3)
        [untold] = [row for row in rows if row["error_code"]]
        self.assertEqual((untold["batch"], untold["cost_nano_usd"]), (True, untold["reserved_nano_usd"]))
        self.verified()

    def test_one_that_takes_too_long_is_ended_in_time(self):
        self.start("--batch-ms", "600000")
        url = self.send("one", deadline="8")
        begun = time.time()
        wait_until(self.made, "the batch", 20)
        self.assertIn("waits for a batch", cli(self.gateway, "deferred"))
        self.assertEqual(fetch(self.gateway, url).json()["content"][0]["text"], "one")
        self.assertLess(time.time() - begun, 30)
        rows = self.gateway.rows(url.rsplit("/", 1)[1])
        self.assertEqual([row["state"] for row in rows], ["released", "settled"])
        self.assertEqual(len(self.claude.requests()), 1)

    def test_nobody_waits_for_ever_for_one_that_is_not_heard_of(self):
        """It may have been done: it is not done another way, and its reservation stays. A batch may also never have
        been made, while another of its size is under way: which of the two that is cannot be told."""
        begun = {}
        for fault in (("--batch-fail", "401"), ("--batch-fail", "500"), ("--batch-cut", "1")):
            self.start("--batch-ms", "600000", *fault)
            begun[fault] = self.gateway, self.claude, self.send("one", deadline="8")
        for fault, (self.gateway, self.claude, url) in begun.items():
            with self.subTest(fault):
                answer = fetch(self.gateway, url, 60)
                self.assertEqual(answer.status, 504, answer.body)
                self.assertIn("may be billed", answer.json()["error"]["message"])
                self.assertEqual(self.claude.requests(), [])
                if "--batch-cut" in fault:
                    continue
                self.assertTrue(self.claude.requests(f"{PATH}/msgbatch_sim0001/cancel"))  # it was tried
                [row] = self.gateway.call("GET", "/tophand/v1/requests?limit=10").json()["requests"]
                self.assertEqual((row["state"], row["cost_nano_usd"]), ("reserved", row["reserved_nano_usd"]))
                self.assertEqual(self.stages(), ["sent"])

    def test_results_that_are_gone_are_charged_in_full(self):
        self.start("--batch-results-fail", "404")
        url = self.send("one")
        self.assertEqual(fetch(self.gateway, url).json()["content"][0]["text"], "one")
        lost, again = self.gateway.rows(url.rsplit("/", 1)[1])
        self.assertEqual((lost["state"], lost["cost_nano_usd"]), ("settled", lost["reserved_nano_usd"]))
        self.assertEqual((again["state"], again["batch"]), ("settled", False))
        self.verified()

    def test_a_killed_gateway_finds_its_batch_again(self):
        self.start("--batch-ms", "4000")
        url = self.send("one")
        wait_until(self.made, "the batch", 20)
        wait_until(lambda: "sent" in self.stages(), "its id on the disk", 10)
        self.kill()
        self.gateway.start()
        self.assertEqual(fetch(self.gateway, url).json()["content"][0]["text"], "one")
        self.assert_charged_once(url)

    def test_one_that_was_made_unheard_is_found_among_the_others(self):
        self.start("--batch-ms", "3000", "--batch-cut", "1")
        url = self.send("one")
        wait_until(self.made, "the batch", 20)
        self.kill()
        self.gateway.start()
        self.assertEqual(fetch(self.gateway, url).json()["content"][0]["text"], "one")
        self.assert_charged_once(url)

    def test_one_that_was_never_made_costs_nothing(self):
        """Killed when it had noted what it would send, and had reserved the money."""
        self.start("--batch-ms", "600000", "--latency-ms", "20000")
        url = self.send("one")
        wait_until(self.made, "the batch", 20)
        self.kill()
        [file] = (self.gateway.data / "deferred").glob("*.batch")
        file.write_text(file.read_text().replace('"sending"', '"reserving"'))  # as if it were a moment before
        self.claude.stop()
        self.stage.running.remove(self.claude)
        self.claude = self.stage.simulator()
        self.gateway.env["TOPHAND_CLAUDE_URL"] = self.claude.url
        self.gateway.start()
        self.assertEqual(fetch(self.gateway, url).json()["content"][0]["text"], "one")
        rows = self.gateway.rows(url.rsplit("/", 1)[1])
        self.assertEqual([row["state"] for row in rows], ["recovered", "settled"])
        self.assertEqual(rows[0]["cost_nano_usd"], 0)
        self.assertEqual(rows[0]["adjusted_nano_usd"], -rows[0]["reserved_nano_usd"])
        self.verified()

    def test_without_its_file_it_would_be_paid_for_twice(self):
        """The control: the batch's file is what keeps a killed gateway from sending it again."""
        self.start("--batch-ms", "4000")
        url = self.send("one")
        wait_until(self.made, "the batch", 20)
        wait_until(lambda: "sent" in self.stages(), "its id on the disk", 10)
        self.kill()
        for file in (self.gateway.data / "deferred").glob("*.batch"):
            file.unlink()
        self.gateway.start()
        fetch(self.gateway, url)
        self.assertEqual(len(self.claude.requests()), 1)  # beside the batch

    def stages(self):
        return [json.loads(file.read_text())["stage"] for file in (self.gateway.data / "deferred").glob("*.batch")]

    def assert_charged_once(self, url):
        """One batch, one row; its charge is the provider's, by an adjustment of what the restart had to assume."""
        self.assertEqual(len(self.made()), 1)
        self.assertEqual(self.claude.requests(), [])
        row = wait_until(lambda: self.row(url) if self.row(url)["adjusted_nano_usd"] else None, "the adjustment", 20)
        self.assertEqual(row["state"], "recovered")
        [counted] = self.claude_usage()
        self.assertEqual(row["cost_nano_usd"], half_price(counted))
        self.verified()
        self.kill()  # and once more: nothing is booked twice
        self.gateway.start()
        self.assertEqual(self.row(url)["cost_nano_usd"], row["cost_nano_usd"])
        self.assertEqual(self.stages(), [])

    def claude_usage(self):
        """What the answers say they used."""
        answers = [self.gateway.call("GET", one["url"]).json()
                   for one in self.gateway.call("GET", "/tophand/v1/deferred").json()["requests"]]
        return [{"input_tokens": answer["usage"]["input_tokens"],
                 "output_tokens": answer["usage"]["output_tokens"]} for answer in answers]


if __name__ == "__main__":
    unittest.main()

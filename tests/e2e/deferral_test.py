"""Work that may wait: for a local place, on an open connection; what the ledger and the commands say of it."""

import json
import os
import signal
import threading
import time
import unittest

from harness import Stage, run_tophand, wait_until, zone_before_the_night

ASK = {"model": "auto", "max_tokens": 8, "messages": [{"role": "user", "content": "Hi"}]}
# Low priority goes to Claude as soon as the local model has no place: what waiting is to spare.
CONFIG = '[routing]\nescalate = "failed"\n'


def cli(gateway, *arguments):
    done = run_tophand(*arguments, "--data", str(gateway.data), "--config", str(gateway.config), env=gateway.env)
    return done.stdout + done.stderr


class Busy:
    """Keeps the one local place until it is closed: a request to a worker that stands still. It stands before it is
    asked, because a tiny model may have said everything sooner than a signal arrives."""

    def __init__(self, case, gateway):
        def newest():
            [row] = gateway.call("GET", "/tophand/v1/requests?limit=1").json()["requests"]
            return row

        before = newest()["request_id"]
        self.worker = gateway.worker_pid()
        os.kill(self.worker, signal.SIGSTOP)
        self.connection = gateway.send("POST", "/v1/messages", {**ASK, "stream": True},
                                       {"x-tophand-priority": "low", "anthropic-version": "2023-06-01"})
        case.addCleanup(self.close)  # a worker that stands still would hold up the next test too
        wait_until(lambda: newest()["request_id"] != before and newest()["state"] == "reserved",
                   "a request that has the local place")

    def close(self):
        os.kill(self.worker, signal.SIGCONT)
        self.connection.close()


class WaitsForAPlace(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.stage = Stage()
        cls.addClassCleanup(cls.stage.close)
        cls.claude = cls.stage.simulator()
        cls.gateway = cls.stage.gateway(cls.claude.url, config=CONFIG)
        cls.gateway.post("/v1/messages", ASK, priority="low")  # its worker runs from now on

    def in_background(self, body, headers):
        answers = []
        thread = threading.Thread(target=lambda: answers.append(
            self.gateway.post("/v1/messages", body, priority="low", headers=headers)))
        thread.start()
        return thread, answers

    def running(self):
        """Answers that are under way, by the gateway's own account."""
        rows = self.gateway.call("GET", "/tophand/v1/requests?limit=1000").json()["requests"]
        return [row for row in rows if row["state"] == "reserved"]

    def test_rather_than_go_to_claude(self):
        busy = Busy(self, self.gateway)
        thread, answers = self.in_background(ASK, {"x-tophand-deadline": "60"})
        time.sleep(0.5)  # so that there is something to count
        self.assertEqual(answers, [])
        busy.close()
        thread.join()
        [answer] = answers
        self.assertEqual(answer.status, 200, answer.body)
        self.assertEqual(answer.headers["x-tophand-backend"], "local")
        self.assertIn("may wait 1 min (header x-tophand-deadline)", answer.headers["x-tophand-reason"])
        self.assertRegex(answer.headers["x-tophand-reason"], r"waited \d+ s for a local place")
        request_id = answer.headers["x-request-id"]
        [row] = self.gateway.rows(request_id)
        self.assertGreaterEqual(row["deferred_ms"], 400)
        self.assertRegex(cli(self.gateway, "explain", request_id), r"waited +\S+ m?s before it, on purpose")
        self.assertIn("Kept waiting for a better time", cli(self.gateway, "budget"))

    def test_as_it_would_otherwise(self):
        """The control: the same request without a deadline."""
        busy = Busy(self, self.gateway)
        answer = self.gateway.post("/v1/messages", ASK, priority="low")
        self.assertEqual(answer.headers["x-tophand-backend"], "claude", answer.body)
        busy.close()

    def test_no_longer_than_until_its_deadline(self):
        busy = Busy(self, self.gateway)
        answer = self.gateway.post("/v1/messages", ASK, priority="low", headers={"x-tophand-deadline": "1"})
        self.assertEqual(answer.headers["x-tophand-backend"], "claude", answer.body)
        [row] = self.gateway.rows(answer.headers["x-request-id"])
        self.assertGreaterEqual(row["deferred_ms"], 750)  # a quarter of the time is left for the answer
        busy.close()

    def test_a_stream_hears_that_it_waits(self):
        busy = Busy(self, self.gateway)
        connection, response = self.gateway.open(
            "POST", "/v1/messages", {**ASK, "stream": True},
            {"x-tophand-priority": "low", "x-tophand-deadline": "60", "anthropic-version": "2023-06-01"})
        begun = response.read(1)  # after a second, with nobody asked yet
        busy.close()
        text = (begun + response.read()).decode()
        connection.close()
        self.assertEqual(text.count("event: message_start"), 1)
        self.assertIn("event: ping", text)
        self.assertIn("event: message_stop", text)
        self.assertEqual(response.getheader("x-tophand-backend"), "local")

    def test_a_client_that_leaves_frees_everything(self):
        busy = Busy(self, self.gateway)
        connection, _ = self.gateway.open(
            "POST", "/v1/messages", {**ASK, "stream": True},
            {"x-tophand-priority": "low", "x-tophand-deadline": "60", "anthropic-version": "2023-06-01"})
        connection.close()
        busy.close()
        wait_until(lambda: self.gateway.post("/v1/messages", ASK, priority="low")
                   .headers["x-tophand-backend"] == "local", "a local place that is free again", 20)
        wait_until(lambda: not self.running(), "the end of all that was under way", 20)

    def test_high_priority_does_not_wait(self):
        answer = self.gateway.post("/v1/messages", ASK, priority="high", headers={"x-tophand-deadline": "60"})
        self.assertNotIn("may wait", answer.headers["x-tophand-reason"])

    def test_a_deadline_that_is_none_is_refused(self):
        answer = self.gateway.post("/v1/messages", ASK, priority="low", headers={"x-tophand-deadline": "soon"})
        self.assertEqual(answer.status, 400)
        self.assertIn("X-Tophand-Deadline: expected a time", answer.json()["error"]["message"])

    def test_what_the_body_says_is_not_sent_on(self):
        body = {**ASK, "metadata": {"deadline": "60", "user_id": "u"}}
        self.gateway.post("/v1/messages", body, priority="high")
        self.assertEqual(json.loads(self.claude.requests()[-1]["body"])["metadata"], {"user_id": "u"})


class WaitsForTheNight(unittest.TestCase):
    """With a time zone in which the night begins some seconds after the gateway."""

    def test_and_is_decided_again_then(self):
        stage = Stage()
        self.addCleanup(stage.close)
        claude = stage.simulator()
        gateway = stage.gateway(claude.url, config="""
[defer]
night = "22:00-06:00"
[[rules]]
name = "night shift"
when.hours = "22:00-06:00"
tier = "local"
[classes.review]
tier = "small"
""")
        gateway.stop()
        gateway.env["TZ"] = zone_before_the_night(12)
        gateway.start()
        headers = {"x-task-class": "review", "x-tophand-deadline": "10m"}
        answer = gateway.post("/v1/messages", ASK, priority="low", headers=headers)
        self.assertEqual(answer.status, 200, answer.body)
        self.assertEqual(answer.headers["x-tophand-backend"], "local")
        self.assertRegex(answer.headers["x-tophand-reason"], r"rule night shift.*waited \d+ s for the night")
        self.assertEqual(claude.requests(), [])
        [row] = gateway.rows(answer.headers["x-request-id"])
        self.assertGreater(row["deferred_ms"], 0)


if __name__ == "__main__":
    unittest.main()

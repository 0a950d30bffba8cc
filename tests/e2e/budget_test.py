"""The budget as a user sees it: `tophand budget`, the header on answers, what a subscription reports, and a
restart."""

import contextlib
import json
import sqlite3
import sys
import time
import unittest

from harness import ROOT, Stage, run_tophand
from raw_upstream import HEAD, RawUpstream, whole

sys.path.insert(0, str(ROOT / "tests/reference"))
import recompute_ledger  # noqa: E402

BOOKS = recompute_ledger.load_books([ROOT / "prices"])
MODEL = "claude-opus-5-5"


def ask():
    return {"model": MODEL, "max_tokens": 16, "messages": [{"role": "user", "content": "Hi"}]}


def subscription(used, reset_s, status="allowed"):
    lines = (f"anthropic-ratelimit-unified-5h-utilization: {used}\r\n"
             f"anthropic-ratelimit-unified-5h-reset: {reset_s}\r\n"
             f"anthropic-ratelimit-unified-5h-status: {status}\r\n\r\n")
    return HEAD[:-2] + lines.encode() + whole()


def gateway_row(gateway):
    """The last row of its file, while no gateway runs."""
    with contextlib.closing(sqlite3.connect(gateway.data / "ledger.db")) as file:
        file.row_factory = sqlite3.Row
        return file.execute("SELECT * FROM attempts ORDER BY id DESC LIMIT 1").fetchone()


class Budget(unittest.TestCase):
    def setUp(self):
        self.stage = Stage()
        self.addCleanup(self.stage.close)
        self.upstream = RawUpstream()
        self.stage.running.append(self.upstream)

    def gateway(self, config=""):
        return self.stage.gateway(self.upstream.url, config=config)

    def budget(self, gateway, *flags):
        done = run_tophand("budget", *flags, "--data", str(gateway.data), "--config", str(gateway.config),
                           env=gateway.env)
        self.assertEqual(done.returncode, 0, done.stderr)
        return done.stdout

    def answer(self, gateway):
        reply = gateway.post("/v1/messages", ask(), priority="high")
        self.assertEqual(reply.status, 200, reply.body)
        return reply

    def test_without_a_cap_it_says_so_and_changes_nothing(self):
        gateway = self.gateway()
        reply = self.answer(gateway)
        self.assertIsNone(reply.headers.get("x-tophand-budget"))
        self.assertNotIn("budget", reply.headers["x-tophand-reason"])
        self.assertIn("No budget is set", self.budget(gateway))

    def test_a_week_is_counted_and_noted_when_nearly_gone(self):
        # 9 tokens in and 4 out at $4 and $20 a million: $0.000116 an answer. A reservation has to fit too.
        gateway = self.gateway("[budget]\nweek_usd = 0.01\n")
        self.answer(gateway)
        [week] = json.loads(self.budget(gateway, "--json"))["windows"]
        self.assertAlmostEqual(week["spent"], 0.000116, places=9)
        self.assertEqual(week["cap"], 0.01)
        self.assertIn("used       $0.000116 of $0.01, 1 %", self.budget(gateway))

    def test_without_a_gateway_the_file_is_read_and_left_as_it_is(self):
        gateway = self.gateway("[budget]\nweek_usd = 0.01\n")
        self.answer(gateway)
        before = json.loads(self.budget(gateway, "--json"))
        gateway.stop()
        kept = self.saved_state(gateway)
        after = json.loads(self.budget(gateway, "--json"))
        self.assertEqual((before["live"], after["live"]), (True, False))
        self.assertEqual(after["last_row_ms"], gateway_row(gateway)["started_ms"])
        for key in ("spent_nano_usd", "caps", "week_start_ms"):
            self.assertEqual(after[key], before[key], key)
        self.assertEqual(after["windows"][0]["spent"], before["windows"][0]["spent"])
        shown = self.budget(gateway)
        self.assertIn("No gateway is running: this is from the ledger's file", shown)
        self.assertIn("The week, until", shown)
        self.assertEqual(self.saved_state(gateway), kept)

    def saved_state(self, gateway):
        with contextlib.closing(sqlite3.connect(gateway.data / "ledger.db")) as file:
            return file.execute("SELECT name, value FROM saved_state ORDER BY name").fetchall()

    def test_what_does_not_fit_steps_down_before_it_is_refused(self):
        # 300 tokens of output at $20 and $10 a million, and a prompt of about 1,300 bytes as tokens.
        gateway = self.gateway("[budget]\nweek_usd = 0.009\n")
        reply = gateway.post("/v1/messages", {**ask(), "max_tokens": 300}, priority="high")
        self.assertEqual(reply.status, 200, reply.body)
        self.assertEqual(reply.headers["x-tophand-model"], "claude-sonnet-5-5")
        self.assertIn("budget: no room for claude-opus-5-5, so claude-sonnet-5-5", reply.headers["x-tophand-reason"])
        nothing = gateway.post("/v1/messages", {**ask(), "max_tokens": 30_000}, priority="high")
        self.assertEqual(nothing.status, 402, nothing.body)
        self.refused_is_explained(gateway, nothing)

    def refused_is_explained(self, gateway, refused):
        told = run_tophand("explain", refused.headers["x-request-id"], "--data", str(gateway.data), "--config",
                           str(gateway.config), env=gateway.env)
        self.assertEqual(told.returncode, 0, told.stderr)
        for text in ("refused  budget_exceeded: ", "this week's budget is $0.009", "priority high",
                     "meant  claude, claude-haiku-5-5 (tier small)", "no room for claude-opus-5-5, so claude-sonnet-5-5",
                     "no room for claude-sonnet-5-5, so claude-haiku-5-5", "money  nothing: it was not sent"):
            self.assertIn(text, told.stdout)
        budget = json.loads(self.budget(gateway, "--json"))
        self.assertEqual(budget["refused"], 1)
        self.assertEqual(len(gateway.rows()), 1, "only what was answered has a row")
        faults, summary = recompute_ledger.recompute(gateway.data / "ledger.db", BOOKS)
        self.assertEqual((faults, summary["rows"]), ([], 1))

    def test_a_subscription_is_believed_and_remembered(self):
        reset_s = int(time.time()) + 7200
        self.upstream.script = lambda connection: connection.sendall(subscription(0.83, reset_s))
        gateway = self.gateway()
        self.answer(gateway)
        self.assertEqual(self.answer(gateway).headers["x-tophand-budget"], "5h 83%")
        gateway.stop()
        gateway.start()
        [window] = json.loads(self.budget(gateway, "--json"))["windows"]
        self.assertEqual((window["unit"], window["spent"], window["end_ms"]), ("share", 0.83, reset_s * 1000))
        self.assertIn("Claude subscription, 5h", self.budget(gateway))

    def test_high_priority_goes_to_claude_on_an_empty_window(self):
        self.upstream.script = lambda connection: connection.sendall(
            subscription(1.0, int(time.time()) + 7200, "rejected"))
        gateway = self.gateway()
        self.answer(gateway)
        self.assertEqual(self.answer(gateway).headers["x-tophand-backend"], "claude")


if __name__ == "__main__":
    unittest.main()

"""The budget as a user sees it: `tophand budget`, the header on answers, what a subscription reports, and a
restart."""

import contextlib
import datetime
import json
import sqlite3
import sys
import time
import unittest

from harness import ROOT, Stage, run_tophand, wait_until
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

    def test_the_week_begins_where_and_when_the_configuration_says(self):
        # Kiritimati is 14 hours ahead of UTC and has no summer time.
        config = "[budget]\nweek_usd = 0.01\ntime_zone = \"Pacific/Kiritimati\"\nweek_starts = \"{} {:02}:00\"\n"
        there = datetime.datetime.now(datetime.timezone.utc) + datetime.timedelta(hours=14)
        gateway = self.gateway(config.format(there.strftime("%a").lower(), there.hour))
        self.answer(gateway)
        told = json.loads(self.budget(gateway, "--json"))
        begins = there.replace(minute=0, second=0, microsecond=0)
        self.assertEqual(told["week_start"], begins.strftime("%Y-%m-%d %H:%M Pacific/Kiritimati"))
        self.assertEqual(told["windows"][0]["start_ms"], told["week_start_ms"])
        self.assertEqual(told["windows"][0]["end_ms"] - told["week_start_ms"], 7 * 86_400_000)
        ends = begins + datetime.timedelta(days=7)
        self.assertIn(ends.strftime("The week, until %Y-%m-%d %H:%M Pacific/Kiritimati"), self.budget(gateway))
        saved = json.loads(self.cli(gateway, "savings", "--week", "--json"))
        self.assertEqual(saved["since_ms"], told["week_start_ms"])
        earlier = there - datetime.timedelta(days=1)
        self.the_week_is_cut_anew(gateway, config.format(earlier.strftime("%a").lower(), earlier.hour), told)

    def the_week_is_cut_anew(self, gateway, config, before):
        """While the gateway runs. What was spent counts, and both programs find the file whole."""
        text = gateway.config.read_text()
        gateway.config.write_text(text[:text.index("[budget]")] + config)
        wait_until(lambda: json.loads(self.budget(gateway, "--json"))["week_start_ms"] != before["week_start_ms"],
                   "another week")
        after = json.loads(self.budget(gateway, "--json"))
        self.assertEqual(after["caps"][0]["spent_nano_usd"], before["caps"][0]["spent_nano_usd"])
        self.answer(gateway)
        self.cli(gateway, "ledger", "verify")
        faults, summary = recompute_ledger.recompute(gateway.data / "ledger.db", BOOKS)
        self.assertEqual((faults, summary["rows"]), ([], 2))

    def test_status_is_one_screen_with_and_without_a_gateway(self):
        gateway = self.gateway("[budget]\nweek_usd = 0.01\n")
        self.answer(gateway)
        gateway.rows()
        shown = self.cli(gateway, "status")
        for text in (f"gateway    runs at {gateway.url}", "Claude     claude-opus-5-5: key set",
                     "budget     week: $0.000116 of $0.01, 1 % used", "today      1 request: 0 answered here (0 %), 1 by",
                     "this week  saved about $0.00"):
            self.assertIn(text, shown)
        self.assertNotIn("wrong", shown)
        gateway.stop()
        gone = run_tophand("status", "--data", str(gateway.data), "--config", str(gateway.config), env=gateway.env)
        self.assertEqual(gone.returncode, 3)
        self.assertIn("budget     week: $0.000116 of $0.01, 1 % used", gone.stdout)
        self.assertIn("start it: `tophand serve`", gone.stdout)

    def cli(self, gateway, *arguments):
        done = run_tophand(*arguments, "--data", str(gateway.data), "--config", str(gateway.config), env=gateway.env)
        self.assertEqual(done.returncode, 0, done.stderr)
        return done.stdout

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

    def test_savings_say_what_part_of_the_subscriptions_week_they_are(self):
        used = iter((0.10, 0.10, 0.14))  # two answers of $0.000116 make 4 %, as far as we saw
        reset_s = int(time.time()) + 400_000
        self.upstream.script = lambda connection: connection.sendall(
            subscription(next(used), reset_s).replace(b"unified-5h", b"unified-7d"))
        gateway = self.gateway()
        self.answer(gateway)
        shown = self.cli(gateway, "savings")
        self.assertIn("What that is of the subscription's 7d is not known before 2 % of it have been used", shown)
        self.answer(gateway)
        self.answer(gateway)
        gateway.rows()
        for running in (True, False):
            share = json.loads(self.cli(gateway, "savings", "--json"))["subscription"]
            self.assertEqual(share["window"], "7d", running)
            self.assertAlmostEqual(share["usd_per_window"], 2 * 0.000116 / 0.04, places=9)
            gateway.stop()

    def test_high_priority_goes_to_claude_on_an_empty_window(self):
        self.upstream.script = lambda connection: connection.sendall(
            subscription(1.0, int(time.time()) + 7200, "rejected"))
        gateway = self.gateway()
        self.answer(gateway)
        self.assertEqual(self.answer(gateway).headers["x-tophand-backend"], "claude")


if __name__ == "__main__":
    unittest.main()

"""The ledger beside Anthropic's own account (here: the simulator's), by day and model."""

import json
import os
import pathlib
import unittest

from harness import Stage, run_tophand

ADMIN_KEY = "sk-ant-admin-test"


def ask(text, **fields):
    return {"model": "claude-sonnet-5-5", "max_tokens": 60,
            "messages": [{"role": "user", "content": text}], **fields}


class ReconcileTest(unittest.TestCase):
    def start(self, *simulator_options):
        self.stage = Stage()
        self.addCleanup(self.stage.close)
        key_file = pathlib.Path(self.stage.folder) / "admin.key"
        key_file.write_text(ADMIN_KEY + "\n")
        os.chmod(key_file, 0o600)
        simulator = self.stage.simulator("--admin-key", ADMIN_KEY, "--report-page", "3", *simulator_options)
        self.gateway = self.stage.gateway(simulator.url,
                                          config=f'[claude]\nadmin_key_file = "{key_file}"\n')

    def reconcile(self, *arguments):
        done = run_tophand("ledger", "reconcile", "--data", str(self.gateway.data), "--config",
                           str(self.gateway.config), *arguments, env=self.gateway.env)
        self.assertEqual(done.returncode, 0, done.stderr)
        return done.stdout

    def ask_some(self):
        for text, model in (("[[words 20]]", "claude-sonnet-5-5"), ("[[words 9]]", "claude-opus-5-5"),
                            ("x" * 330_000 + " [[words 5]]", "claude-haiku-5-5")):
            answer = self.gateway.post("/v1/messages", ask(text, model=model), priority="high")
            self.assertEqual(answer.status, 200, answer.body)

    def test_finds_no_difference_where_there_is_none(self):
        self.start()
        self.ask_some()
        for _ in ("by the gateway", "by the command"):
            found = json.loads(self.reconcile("--json", "--days", "9"))
            self.assertEqual(len(found["lines"]), 3, found)
            for line in found["lines"]:
                self.assertEqual(line["ledger_tokens"], line["account_tokens"])
                self.assertEqual(line["residual_nano_usd"], 0, line)
                self.assertEqual(line["billed_nano_usd"], line["ledger_nano_usd"], line)
                self.assertFalse(line["complete"], "today is not over")
            text = self.reconcile()
            self.assertIn("claude-opus-5-5", text)
            self.assertIn("not complete yet", text)
            self.gateway.stop()

    def test_shows_what_was_charged_on_the_safe_side(self):
        self.start("--token-ms", "30")
        connection, response = self.gateway.open(
            "POST", "/v1/messages", ask("[[words 50]]", stream=True),
            {"x-tophand-priority": "high", "anthropic-version": "2023-06-01"})
        response.read(400)
        connection.sock.close() if connection.sock else response.close()
        connection.close()
        self.gateway.rows()
        line = json.loads(self.reconcile("--json"))["lines"][0]
        self.assertEqual(line["inexact_rows"], 1)
        self.assertEqual(line["residual_nano_usd"], line["account_nano_usd"] - line["ledger_nano_usd"])
        self.assertLess(line["residual_nano_usd"], 0, "never charged less than was used")

    def test_does_not_take_a_late_report_for_a_difference(self):
        self.start("--report-lag-s", "3600")
        self.ask_some()
        found = json.loads(self.reconcile("--json"))
        self.assertEqual(found["residual_nano_usd"], 0)
        self.assertTrue(all(not line["complete"] for line in found["lines"]))

    def test_books_only_when_told_to_and_only_its_own_usage(self):
        self.start()
        self.ask_some()
        arguments = ("--data", str(self.gateway.data), "--config", str(self.gateway.config))
        shown = run_tophand("ledger", "reconcile", "--book", *arguments, env=self.gateway.env)
        self.assertEqual(shown.returncode, 2)
        self.assertIn("nothing was booked; say --yes", shown.stderr)
        refused = run_tophand("ledger", "reconcile", "--book", "--yes", *arguments, env=self.gateway.env)
        self.assertNotEqual(refused.returncode, 0)
        self.assertIn("admin_api_key_ids", refused.stderr)
        self.gateway.stop()
        config = self.gateway.config.read_text()
        self.gateway.config.write_text(config + 'admin_api_key_ids = ["apikey_1"]\n')
        booked = json.loads(self.reconcile("--book", "--yes", "--json"))  # without a gateway
        self.assertTrue(booked["booked"])
        self.assertEqual(booked["bookings"], [], "today is not over")

    def test_says_what_to_do_without_an_admin_key(self):
        self.start()
        self.gateway.stop()
        self.gateway.config.write_text("")
        done = run_tophand("ledger", "reconcile", "--data", str(self.gateway.data), "--config",
                           str(self.gateway.config), env=self.gateway.env)
        self.assertNotEqual(done.returncode, 0)
        self.assertIn("admin_key_file", done.stderr + done.stdout)


if __name__ == "__main__":
    unittest.main()

"""What `tophand savings` claims is reckoned again by another program from the ledger's file, to the
nano-dollar; a wrong formula in either is caught."""

import json
import sqlite3
import sys
import time
import unittest
from unittest import mock

from harness import ROOT, Stage, run_tophand

sys.path.insert(0, str(ROOT / "tests/reference"))
import make_ledger  # noqa: E402
import recompute_savings  # noqa: E402

PRICES = (ROOT / "prices/anthropic.json").read_text()
ENERGY = "[energy]\nwatts_idle = 10\nwatts_busy = 75\nusd_per_kwh = 0.32\n"
SEED = 20261126


def ask(text, **fields):
    return {"model": "auto", "max_tokens": 40, "messages": [{"role": "user", "content": text}], **fields}


class SavingsTest(unittest.TestCase):
    def setUp(self):
        self.stage = Stage()
        self.addCleanup(self.stage.close)

    def savings(self, gateway, *arguments):
        done = run_tophand("savings", "--data", str(gateway.data), "--config", str(gateway.config),
                           *arguments, env=gateway.env)
        self.assertEqual(done.returncode, 0, done.stderr)
        return done.stdout

    def check(self, gateway, *arguments, **query):
        report = json.loads(self.savings(gateway, "--json", *arguments))
        figures = recompute_savings.recompute(gateway.data / "ledger.db", PRICES,
                                              since_ms=report["since_ms"], **query)
        self.assertEqual(list(recompute_savings.differences(figures, report)), [])
        self.assertEqual(figures["row_faults"], [])
        return report

    def test_real_answers_are_what_the_script_makes_of_their_rows(self):
        gateway = self.stage.gateway(self.stage.simulator().url, config=ENERGY)
        for number in range(6):
            task = {"x-task-class": ("qa", "review")[number % 2]}
            for priority, text in (("low", "Say yes. "), ("high", "Which? [[words 30]] ")):
                answer = gateway.post("/v1/messages", ask(text * (1 + number * 8)), priority=priority,
                                      headers=task)
                self.assertEqual(answer.status, 200, answer.body)
        # Long enough for the tests' model to work a whole millisecond, less costs nothing.
        named = gateway.post("/v1/messages", ask("Say no. " * 40, model="claude-haiku-5-5"), priority="low")
        self.assertEqual(named.status, 200, named.body)
        rows = gateway.rows(named.headers["x-request-id"])
        self.assertIn("model=claude-haiku-5-5 why=asked", rows[0]["counterfactual_basis"])
        self.assertGreater(rows[0]["energy_nano_usd"], 0)
        report = json.loads(gateway.call("GET", "/tophand/v1/savings").body)
        self.assertEqual((report["local_requests"], report["claude_requests"]), (7, 6))
        self.assertEqual(report["token_estimate"]["n"], 6)
        # By then Claude had been seen six times, so its habits of all classes stand for this one.
        self.assertIn("split=pooled", rows[0]["counterfactual_basis"])
        text = self.savings(gateway)
        self.assertIn("same from Claude", text)
        gateway.stop()
        self.check(gateway)
        self.check(gateway, "--class", "qa", task_class="qa")

    def test_corrections_survive_a_restart(self):
        gateway = self.stage.gateway(self.stage.simulator().url)
        counted = []
        for _ in range(6):
            answer = gateway.post("/v1/messages", ask("How many tokens is this? " * 40), priority="high")
            counted.append(answer.json()["usage"]["input_tokens"])
        gateway.stop()
        gateway.env["TOPHAND_CLAUDE_URL"] = "http://127.0.0.1:9"  # nobody counts there: an estimate
        gateway.start()
        body = {"model": "claude-opus-5-5", "messages": ask("How many tokens is this? " * 40)["messages"]}
        answer = gateway.post("/v1/messages/count_tokens", body, priority="high")
        self.assertEqual(answer.headers.get("x-tophand-estimate"), "true", answer.body)
        self.assertAlmostEqual(answer.json()["input_tokens"], counted[-1], delta=1)

    def test_two_made_up_weeks_are_reckoned_alike_and_wrong_formulas_are_caught(self):
        gateway = self.stage.gateway(config=ENERGY)
        gateway.stop()
        path = gateway.data / "ledger.db"
        make_ledger.fill(path, PRICES, SEED, int(time.time() * 1000))
        print(f"made-up ledger: seed {SEED}")
        report = self.check(gateway)
        self.assertGreater(report["requests"], 2500)
        for part in ("escalated", "redone", "failed", "router_nano_usd", "cache_damage_nano_usd",
                     "energy_lost_nano_usd", "saved_floor_nano_usd"):
            self.assertGreaterEqual(report[part], 1 if part != "failed" else 0, part)
        self.assertIsNotNone(report["hold_out"]["saved_usd_per_request"])
        self.assertIsNotNone(report["hold_out"]["quality_difference"])
        self.check(gateway, "--days", "7")
        self.check(gateway, "--agent", "fixer", agent="fixer")
        self.check(gateway, "--class", "git_commit", task_class="git_commit")
        self.check(gateway, "--model", "claude-haiku-5-5", model="claude-haiku-5-5")
        self.check(gateway, "--key", "nobody", key="nobody")
        self.assertIn("(all),", self.savings(gateway, "--csv"))
        self.assertIn("Hold-out (", self.savings(gateway))
        self.assertIn("Good answers, ours less Claude's", self.savings(gateway))
        self.controls(path, report)

    def controls(self, path, report):
        """Each of these is a way to flatter the figures; each must show as a difference."""
        def faults():
            figures = recompute_savings.recompute(path, PRICES)
            return [*recompute_savings.differences(figures, report), *figures["row_faults"]]
        self.assertEqual(faults(), [])
        dearer = PRICES.replace('"claude-sonnet-5-5", "input": "2"', '"claude-sonnet-5-5", "input": "3"')
        self.assertNotEqual(dearer, PRICES)
        with mock.patch.object(recompute_savings, "cache_damage", lambda rows, prices: {}):
            self.assertTrue(faults(), "no cache damage")
        with mock.patch.object(recompute_savings, "read_labels", lambda database: {}):
            self.assertTrue(faults(), "no answer was bad")
        with mock.patch.object(recompute_savings, "energy_of", lambda basis: 0):
            self.assertTrue(faults(), "no power")
        with mock.patch.object(recompute_savings, "ARM_MIN", 10 ** 9):
            self.assertTrue(faults(), "no interval")
        figures = recompute_savings.recompute(path, dearer)
        self.assertTrue(figures["row_faults"], "another price")
        database = sqlite3.connect(path)
        database.execute("UPDATE attempts SET counterfactual = counterfactual + 1 WHERE id = "
                         "(SELECT max(id) FROM attempts WHERE counterfactual > 0)")
        database.commit()
        database.close()
        self.assertTrue(faults(), "a nano-dollar more in one row")


if __name__ == "__main__":
    unittest.main()

"""The ledger that the real program writes: recomputed by it and by an independent script, to the
nano-dollar; changes in it are found; caps hold on every scope; a killed gateway loses nothing."""

import contextlib
import json
import os
import pathlib
import shutil
import signal
import sqlite3
import subprocess
import sys
import tempfile
import unittest
from fractions import Fraction

from harness import ROOT, TOPHAND, Stage, run_tophand, wait_until

sys.path.insert(0, str(ROOT / "tests/reference"))
import recompute_ledger  # noqa: E402

MODEL = "claude-opus-5-5"
BOOK = json.loads((ROOT / "prices/anthropic.json").read_text())
BOOKS = recompute_ledger.load_books([ROOT / "prices"])
SEARCH = {"type": "web_search_20260209", "name": "web_search", "max_uses": 3}


def ask(text="Which design?", **fields):
    return {"model": MODEL, "max_tokens": 100, "messages": [{"role": "user", "content": text}], **fields}


def cached(ttl):
    return [{"type": "text", "text": f"A long prefix for {ttl}. " * 100,
             "cache_control": {"type": "ephemeral", "ttl": ttl}}]


def tophand(gateway, *arguments, data=None):
    return run_tophand(*arguments, "--data", str(data or gateway.data), "--config",
                       str(gateway.config), env=gateway.env)


def work(gateway):
    """Requests of every kind that is charged differently."""
    bodies = [ask(), ask("[[words 30]]", stream=True), ask(system=cached("1h")), ask(system=cached("5m")),
              ask(system=cached("5m"), stream=True), ask(inference_geo="us"),
              ask("[[words 7]]", inference_geo="us", stream=True),
              ask("[[search 2]]", tools=[SEARCH]), ask("[[search 9]]", tools=[SEARCH], stream=True),
              ask("x" * 330_000, model="claude-haiku-5-5"), ask("[[fail 529]]"), ask("[[cut]]"),
              ask("[[fail-mid overloaded_error]]", stream=True), ask(model="claude-opus-5-5-20261001")]
    for body in bodies:
        gateway.post("/v1/messages", body, priority="high")
    gateway.post("/v1/chat/completions", {"model": "claude", "messages": [
        {"role": "user", "content": "caf\u00e9 \u2028 \"quoted\""}]})
    gateway.post("/v1/messages", ask(max_tokens=4), priority="low")
    gateway.rows()


class RecomputedTest(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.stage = Stage()
        cls.addClassCleanup(cls.stage.close)
        cls.simulator = cls.stage.simulator()
        cls.gateway = cls.stage.gateway(cls.simulator.url)
        work(cls.gateway)

    def recompute(self, head=None, data=None):
        return recompute_ledger.recompute(pathlib.Path(data or self.gateway.data) / "ledger.db", BOOKS,
                                          head)

    def test_an_independent_script_comes_to_the_same_nano_dollars(self):
        faults, summary = self.recompute()
        self.assertEqual(faults, [])
        rows = self.gateway.rows()
        self.assertEqual(summary["rows"], len(rows))
        self.assertEqual(summary["spent_nano_usd"], sum(row["cost_nano_usd"] for row in rows))
        self.assertGreaterEqual(summary["recomputed"], 11)
        self.assertGreaterEqual(summary["bounded"], 1)
        self.assertEqual(summary["without prices"], 0)

    def test_the_program_verifies_it_while_it_runs(self):
        shown = tophand(self.gateway, "ledger", "verify", "--json")
        self.assertEqual(shown.returncode, 0, shown.stderr)
        verdict = json.loads(shown.stdout)
        self.assertTrue(verdict["whole"])
        _, summary = self.recompute()
        self.assertEqual(
            (verdict["rows"], verdict["events"], verdict["charges_recomputed"], verdict["charges_bounded"]),
            (summary["rows"], summary["events"], summary["recomputed"], summary["bounded"]))
        text = tophand(self.gateway, "ledger", "verify")
        self.assertEqual(text.returncode, 0, text.stderr)
        self.assertIn("recomputed from tokens and prices", text.stdout)

    def test_one_that_may_only_be_read_is_read(self):
        folder = pathlib.Path(tempfile.mkdtemp())
        self.addCleanup(shutil.rmtree, folder)
        with contextlib.closing(sqlite3.connect(self.gateway.data / "ledger.db")) as from_file, \
                contextlib.closing(sqlite3.connect(folder / "ledger.db")) as into:
            from_file.backup(into)
            into.execute("PRAGMA journal_mode=DELETE")
        (folder / "tophand.toml").touch()
        (folder / "ledger.db").chmod(0o444)
        folder.chmod(0o555)
        nobody = 65534 if os.geteuid() == 0 else None  # root may write everywhere
        for command in (["ledger", "verify"], ["ledger", "head"], ["budget"], ["savings"]):
            try:
                done = subprocess.run([TOPHAND, *command, "--data", str(folder), "--config", str(folder / "tophand.toml")],
                                      user=nobody, capture_output=True, text=True, check=False, timeout=60,
                                      env={"PATH": os.environ["PATH"], "HOME": str(folder)})
            except PermissionError:
                self.skipTest("the program lies where other users cannot go")
            self.assertEqual(done.returncode, 0, (command, done.stderr))
        self.assertEqual(sorted(path.name for path in folder.iterdir()), ["ledger.db", "tophand.toml"])

    def test_a_head_that_was_kept_stays_in_the_chain(self):
        head = tophand(self.gateway, "ledger", "head").stdout.strip()
        self.gateway.post("/v1/messages", ask(), priority="high")
        self.assertEqual(tophand(self.gateway, "ledger", "verify", "--head", head).returncode, 0)
        seq, digest = head.split(":")
        wrong = f"{seq}:{digest[::-1]}"
        self.assertEqual(tophand(self.gateway, "ledger", "verify", "--head", wrong).returncode, 1)
        self.assertEqual(self.recompute((int(seq), digest))[0], [])
        self.assertNotEqual(self.recompute((int(seq), digest[::-1]))[0], [])
        for none in ("12", "", "0:" + 63 * "1"):
            refused = tophand(self.gateway, "ledger", "verify", "--head", none)
            self.assertEqual(refused.returncode, 2, refused.stderr)
            self.assertIn("--head: expected what `tophand ledger head` prints", refused.stderr)
        never = tophand(self.gateway, "ledger", "verify", "--head", "0:" + 64 * "1")
        self.assertEqual(never.returncode, 1, never.stderr)

    def test_searches_and_us_only_inference_are_charged(self):
        row = self.paid(ask("[[search 9]]", tools=[SEARCH]))
        tokens = (Fraction(4000) * row["input_tokens"] + Fraction(20_000) * row["output_tokens"])
        self.assertEqual(row["web_searches"], 3)  # max_uses
        self.assertEqual(row["cost_nano_usd"], tokens + 3 * 10_000_000)
        row = self.paid(ask(inference_geo="us"))
        tokens = 4000 * row["input_tokens"] + 20_000 * row["output_tokens"]
        self.assertEqual(row["cost_nano_usd"], -(-tokens * 11 // 10))
        self.assertTrue(row["us_only"])

    def paid(self, body):
        answer = self.gateway.post("/v1/messages", body, priority="high")
        self.assertEqual(answer.status, 200, answer.body)
        row = self.gateway.rows(answer.headers["x-request-id"])[0]
        self.assertGreaterEqual(row["reserved_nano_usd"], row["cost_nano_usd"])
        return row

    def test_an_hours_cache_write_is_reserved_at_its_price_and_only_where_it_is_asked_for(self):
        plain = self.paid(ask(system=[{"type": "text", "text": "y" * 4000}]))
        hour = self.paid(ask(system=[{"type": "text", "text": "z" * 4000, "cache_control": {
            "type": "ephemeral", "ttl": "1h"}}]))
        self.assertGreater(hour["reserved_nano_usd"], plain["reserved_nano_usd"] + 4000 * 4000)
        self.assertLess(plain["reserved_nano_usd"], 2 * 4000 * 6000)

    def test_what_nobody_can_bound_is_not_sent(self):
        sent = len(self.simulator.requests())
        for fields, says in (({"tools": [{**SEARCH, "max_uses": 0}]}, "max_uses"),
                             ({"tools": [{"type": "code_execution_20250825", "name": "c"}]},
                              "code_execution"), ({"speed": "fast"}, "speed")):
            answer = self.gateway.post("/v1/messages", ask(**fields), priority="high")
            self.assertEqual(answer.status, 400, answer.body)
            self.assertIn(says, answer.json()["error"]["message"])
        self.assertEqual(len(self.simulator.requests()), sent)

    def test_an_explanation_shows_what_was_counted(self):
        answer = self.gateway.post("/v1/messages", ask("[[search 1]]", tools=[SEARCH],
                                                       inference_geo="us"), priority="high")
        shown = tophand(self.gateway, "explain", answer.headers["x-request-id"])
        self.assertIn("1 web searches", shown.stdout)
        self.assertIn("US-only inference", shown.stdout)


class TamperedTest(unittest.TestCase):
    """Each change is made in a copy of a ledger that the program has written."""

    CHANGES = {
        "charge": "UPDATE attempts SET charged = charged - 1 WHERE cost_basis = 'usage'",
        "tokens": "UPDATE attempts SET output_tokens = output_tokens - 1 WHERE cost_basis = 'usage'",
        "terms": "UPDATE attempts SET us_only = 0 WHERE us_only = 1",
        "who": "UPDATE attempts SET key_id = 'k' WHERE id = 1",
        "week": "UPDATE attempts SET week_ms = week_ms - 604800000 WHERE id = 1",
        "row gone": "DELETE FROM attempts WHERE id = 2",
        "free row": "UPDATE attempts SET input_tokens = input_tokens + 1 WHERE backend = 'local'",
        "event": "UPDATE journal SET event = replace(event, '\"charged\":', '\"charged\":1') "
                 "WHERE seq = (SELECT min(seq) FROM journal WHERE event LIKE '%charged%')",
        "event gone": "DELETE FROM journal WHERE seq = 3",
        "event and row": "UPDATE journal SET event = replace(event, '\"key_id\":\"', "
                         "'\"key_id\":\"x') WHERE row_id = 1; "
                         "UPDATE attempts SET key_id = 'x' || key_id WHERE id = 1",
        "balance": "UPDATE balances SET spent = spent - 1 WHERE scope = 'team' AND period = 'week'",
        "balance gone": "DELETE FROM balances WHERE scope = 'model'",
    }

    def test_every_change_is_found_by_the_program_and_by_the_script(self):
        stage = Stage()
        try:
            gateway = stage.gateway(stage.simulator().url)
            work(gateway)
            gateway.stop()
            for name, sql in {"nothing": "SELECT 1", **self.CHANGES}.items():
                with self.subTest(name):
                    data = pathlib.Path(stage.folder) / "copy"
                    shutil.rmtree(data, ignore_errors=True)
                    data.mkdir()
                    shutil.copy(gateway.data / "ledger.db", data)
                    with sqlite3.connect(data / "ledger.db") as database:
                        database.executescript("DROP TRIGGER journal_keeps; DROP TRIGGER journal_stays;" + sql)
                    database.close()
                    faults, _ = recompute_ledger.recompute(data / "ledger.db", BOOKS)
                    shown = tophand(gateway, "ledger", "verify", data=data)
                    changed = name != "nothing"  # the control: the copy alone is whole
                    self.assertEqual(bool(faults), changed, faults)
                    self.assertEqual(shown.returncode, int(changed), shown.stdout + shown.stderr)
                    if changed:
                        self.assertIn("not as it was written", shown.stderr)
        finally:
            stage.close()


class CapsTest(unittest.TestCase):
    def test_hold_for_a_key_and_a_model_beside_the_team(self):
        stage = Stage()
        try:
            simulator = stage.simulator()
            gateway = stage.gateway(simulator.url, config="""
[[budget.caps]]
scope = "model"
name = "claude-opus-5-5"
window = "day"
usd = 0.02
[[budget.caps]]
scope = "key"
name = "*"
usd = 0.0205
[[rules]]  # no cheaper tier will do
when.model = "claude-opus-*"
tier = "hard"
""")
            answers = [gateway.post("/v1/messages", ask("[[words 100]]", max_tokens=200), priority="high")
                       for _ in range(12)]
            refused = [answer for answer in answers if answer.status != 200]
            self.assertTrue(0 < len(refused) < 12, [answer.status for answer in answers])
            self.assertEqual(refused[0].status, 402)
            self.assertIn("today's budget of model claude-opus-5-5 is $0.02",
                          refused[0].json()["error"]["message"])
            haiku = gateway.post("/v1/messages", ask("hi", model="claude-haiku-4-5", max_tokens=3000),
                                 priority="high")
            self.assertEqual(haiku.status, 402, haiku.body)
            self.assertIn("budget of key", haiku.json()["error"]["message"])
            self.assertLessEqual(sum(row["cost_nano_usd"] for row in gateway.rows()), 20_000_000)
            self.assertEqual(recompute_ledger.recompute(gateway.data / "ledger.db", BOOKS)[0], [])
        finally:
            stage.close()


class KilledTest(unittest.TestCase):
    def test_a_gateway_that_is_killed_in_an_answer_has_it_charged_in_full(self):
        stage = Stage()
        try:
            simulator = stage.simulator("--token-ms", "50")
            gateway = stage.gateway(simulator.url)
            connection, response = gateway.open(
                "POST", "/v1/messages", ask("[[words 90]]", stream=True),
                {"x-tophand-priority": "high", "anthropic-version": "2023-06-01"})
            self.assertEqual(response.status, 200)
            response.read(200)  # an answer has begun
            gateway.process.send_signal(signal.SIGKILL)
            gateway.process.wait()
            gateway.process.stdout.close()
            connection.close()
            gateway.start()
            row = wait_until(lambda: gateway.rows(), "the row")[0]
            self.assertEqual(row["state"], "recovered")
            self.assertEqual(row["cost_nano_usd"], row["reserved_nano_usd"])
            self.assertGreater(row["cost_nano_usd"], 0)
            self.assertEqual(tophand(gateway, "ledger", "verify").returncode, 0)
            self.assertEqual(recompute_ledger.recompute(gateway.data / "ledger.db", BOOKS)[0], [])
        finally:
            stage.close()


class PricesTest(unittest.TestCase):
    def test_shows_the_book_that_is_built_in_and_checks_one_that_is_given(self):
        stage = Stage()
        try:
            folder = pathlib.Path(stage.folder)
            shown = run_tophand("prices", "--json", "--data", stage.folder)
            self.assertEqual(shown.returncode, 0, shown.stderr)
            book = json.loads(shown.stdout)
            self.assertIn(book["version"], BOOKS)
            self.assertEqual(len(book["models"]), len(BOOK["models"]))
            for mine, theirs in zip(book["models"], BOOK["models"]):
                self.assertEqual(mine["id"], theirs["id"])
                for kind in ("input", "output", "cache_write_5m", "cache_write_1h", "cache_read"):
                    self.assertEqual(Fraction(mine[kind]), Fraction(theirs[kind]))
            self.assertEqual((book["batch"], book["us_only"], book["web_search_per_1000"]),
                             ("0.50", "1.10", "10"))
            self.assertIn(MODEL, run_tophand("prices", "--data", stage.folder).stdout)
            old = folder / "old.json"
            old.write_text(json.dumps({**BOOK, "date": "2020-01-01"}))
            checked = run_tophand("prices", "--check", str(old), "--data", stage.folder)
            self.assertEqual(checked.returncode, 1)
            self.assertIn("days old", checked.stderr)
            wrong = folder / "wrong.json"
            wrong.write_text(json.dumps({**BOOK, "batch": 0.5}))
            checked = run_tophand("prices", "--check", str(wrong), "--data", stage.folder)
            self.assertEqual(checked.returncode, 2, checked.stderr)
            self.assertIn('"batch"', checked.stderr)
        finally:
            stage.close()


if __name__ == "__main__":
    unittest.main()

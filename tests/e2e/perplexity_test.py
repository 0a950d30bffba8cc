"""`tophand perplexity`: its mean and standard error, worked out again from the logits it writes."""

import json
import math
import pathlib
import random
import statistics
import struct
import tempfile
import unittest

import tiny_model
from harness import run_tophand

SEED = 4


def surprises(logits, ids, vocabulary, window):
    """-ln p(next token) of every position that has a next one in its window."""
    for begin in range(0, len(ids), window):
        for at in range(begin, min(begin + window, len(ids)) - 1):
            row = logits[at * vocabulary:(at + 1) * vocabulary]
            top = max(row)
            yield top + math.log(sum(math.exp(x - top) for x in row)) - row[ids[at + 1]]


class PerplexityTest(unittest.TestCase):
    def setUp(self):
        self.folder = tempfile.TemporaryDirectory(prefix="tophand-perplexity-")
        self.root = pathlib.Path(self.folder.name)
        self.model = self.root / "tiny.gguf"
        tiny_model.make(self.model)

    def tearDown(self):
        self.folder.cleanup()

    def measure(self, *words, text_in=None):
        done = run_tophand("perplexity", str(self.model), *words, "--json", text_in=text_in)
        self.assertEqual(done.returncode, 0, done.stderr)
        return json.loads(done.stdout)

    def test_is_the_mean_over_windows_with_its_standard_error(self):
        ids = [random.Random(SEED).randrange(256) for _ in range(100)]
        (self.root / "ids.json").write_text(json.dumps(ids))
        report = self.measure("--tokens", str(self.root / "ids.json"), "--context", "32",
                              "--logits", str(self.root / "out.f32"))
        raw = (self.root / "out.f32").read_bytes()
        logits = struct.unpack(f"<{len(raw) // 4}f", raw)
        expected = list(surprises(logits, ids, len(logits) // 100, 32))
        self.assertEqual((report["tokens"], report["predicted"], report["windows"]), (100, 96, 4))
        self.assertAlmostEqual(report["perplexity"], math.exp(statistics.mean(expected)), places=4)
        error = statistics.stdev(expected) / math.sqrt(len(expected))
        self.assertAlmostEqual(report["standard_error"], error * math.exp(statistics.mean(expected)),
                               places=4)

    def test_takes_a_text_of_thousands_of_tokens(self):
        text = self.root / "text.txt"
        text.write_text("The quick brown fox jumps over the lazy dog.\n" * 100)
        report = self.measure("--file", str(text))
        self.assertGreater(report["tokens"], 2000)
        self.assertEqual(report["predicted"], report["tokens"] - report["windows"])
        self.assertEqual(self.measure("--file", "-", text_in=text.read_text()), report)

    def test_says_what_it_does_when_that_takes_long(self):
        text = self.root / "text.txt"
        text.write_text("word " * 50)
        done = run_tophand("perplexity", str(self.model), "--file", str(text))
        self.assertIn("tokens", done.stderr)
        self.assertRegex(done.stdout, r"^perplexity \d+\.\d+ \+/- \d+\.\d+ over \d+ predicted tokens")

    def test_looks_where_the_logits_go_before_it_loads_anything(self):
        broken = self.root / "broken.gguf"
        broken.write_bytes(b"GGUF")
        (self.root / "two.json").write_text("[1, 2]")
        refused = run_tophand("perplexity", str(broken), "--tokens", str(self.root / "two.json"),
                              "--logits", str(self.root / "nosuch/out.f32"))
        self.assertNotEqual(refused.returncode, 0)
        self.assertIn("nosuch", refused.stderr)
        self.assertNotIn("broken", refused.stderr)

    def test_two_tokens_have_no_spread_and_no_window_is_shorter(self):
        (self.root / "two.json").write_text("[1, 2]")
        words = ["perplexity", str(self.model), "--tokens", str(self.root / "two.json")]
        shown = run_tophand(*words)
        self.assertEqual(shown.returncode, 0, shown.stderr)
        self.assertRegex(shown.stdout, r"^perplexity [0-9.]+ over 1 predicted token \(2 run, 1 window\)\n$")
        refused = run_tophand(*words, "--context", "0")
        self.assertEqual(refused.returncode, 2, refused.stderr)
        self.assertIn("--context must be a whole number from 2", refused.stderr)

    def test_needs_two_tokens(self):
        (self.root / "one.json").write_text("[7]")
        refused = run_tophand("perplexity", str(self.model), "--tokens", str(self.root / "one.json"))
        self.assertEqual(refused.returncode, 2)
        self.assertIn("two tokens", refused.stderr)


if __name__ == "__main__":
    unittest.main()

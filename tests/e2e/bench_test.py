"""`tophand bench`: that it prints what it promises and that its figures fit together. Never how fast."""

import json
import os
import pathlib
import signal
import subprocess
import tempfile
import unittest

import tiny_model
from harness import TOPHAND, environment, run_tophand, wait_until

SMALL = ("--prompt", "16", "--generate", "4", "--repeat", "2")


def holds_random_model(pid):
    """Whether the process has the file open; it has no name."""
    for fd in pathlib.Path(f"/proc/{pid}/fd").glob("*"):
        try:
            if ".part" in os.readlink(fd):
                return True
        except OSError:
            pass
    return False


class BenchTest(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.folder = tempfile.TemporaryDirectory(prefix="tophand-bench-")
        root = pathlib.Path(cls.folder.name)
        cls.cache = root / "cache/tophand"
        cls.env = environment(XDG_CACHE_HOME=str(root / "cache"), XDG_DATA_HOME=str(root / "data"),
                              XDG_CONFIG_HOME=str(root / "config"))
        cls.model = root / "tiny.gguf"
        tiny_model.make(cls.model)

    @classmethod
    def tearDownClass(cls):
        cls.folder.cleanup()

    def bench(self, *words):
        return run_tophand("bench", *words, env=self.env, timeout=300)

    def check_spread(self, spread):
        self.assertGreater(spread["min"], 0)
        self.assertLessEqual(spread["min"], spread["median"])
        self.assertLessEqual(spread["median"], spread["max"])

    def test_prints_a_run_for_each_number_of_threads(self):
        done = self.bench(str(self.model), *SMALL, "--threads", "1,2", "--json")
        self.assertEqual(done.returncode, 0, done.stderr)
        report = json.loads(done.stdout)
        for key in ("version", "commit", "cpu", "load_average"):
            self.assertIn(key, report)
        self.assertEqual((report["prompt_tokens"], report["generate_tokens"]), (16, 4))
        self.assertEqual(report["model"]["architecture"], "qwen2")
        self.assertEqual([run["threads"] for run in report["runs"]], [1, 2])
        for run in report["runs"]:
            self.check_spread(run["prefill"]["tokens_per_second"])
            self.check_spread(run["decode"]["tokens_per_second"])
            self.check_spread(run["first_token_seconds"])
            self.assertGreaterEqual(run["load_to_first_token_seconds"], run["load_seconds"])
            limits = run["limits"]
            self.assertGreater(limits["memory_bytes_per_second"], 1e8)
            self.assertIn(limits["memory_streams"], (1, 2, 4, 8))
            self.assertGreater(limits["multiply_adds"][0]["products_per_second"], 1e8)
            decode = run["decode"]
            self.assertAlmostEqual(
                decode["share_of_limit"],
                decode["tokens_per_second"]["median"] * decode["bytes_per_token"]
                / limits["memory_bytes_per_second"], places=6)
            prefill = run["prefill"]
            rates = {rate["instructions"]: rate["products_per_second"] for rate in limits["multiply_adds"]}
            self.assertAlmostEqual(
                prefill["share_of_limit"],
                prefill["tokens_per_second"]["median"] * prefill["products_per_token"]
                / rates[prefill["multiply_add"]], places=6)
            predicted = run["memory"]["predicted"]
            self.assertEqual(predicted.pop("total"), sum(predicted.values()))

    def test_decodes_several_sequences_together_when_asked(self):
        done = self.bench(str(self.model), *SMALL, "--threads", "2", "--sequences", "3", "--json")
        self.assertEqual(done.returncode, 0, done.stderr)
        together = json.loads(done.stdout)["runs"][0]["together"]
        self.assertEqual(together["sequences"], 3)
        self.check_spread(together["tokens_per_second"])
        self.assertAlmostEqual(together["share_of_limit"], together["tokens_per_second"]["median"]
                               / together["limit_tokens_per_second"], places=6)
        self.assertEqual(self.bench(str(self.model), *SMALL, "--sequences", "17").returncode, 2)

    def test_prints_text_with_the_same_parts(self):
        done = self.bench(str(self.model), *SMALL, "--threads", "1", "--kernel", "scalar")
        self.assertEqual(done.returncode, 0, done.stderr)
        for word in ("scalar", "1 thread", "machine", "GB/s", "GMAC/s", "load", "prefill",
                     "first token", "decode", "tok/s", "memory", "predicted"):
            self.assertIn(word, done.stdout)
        self.assertIn("round 1 of 2", done.stderr)

    def test_refuses_what_cannot_be_measured_with_2(self):
        for words, hint in (((), "--shape"), (("--shape", "bitnet-3b"), "bitnet-2b"),
                            ((str(self.model), "--shape", "bitnet-2b"), "--shape"),
                            ((str(self.model), "--type", "I2_S"), "--shape"),
                            (("--shape", "bitnet-2b", "--type", "Q9_Z"), "I2_S"),
                            ((str(self.model), "--threads", "1,x"), "--threads"),
                            ((str(self.model), "--kernel", "mmx"), "mmx"),
                            ((str(self.model), "--prompt", "600"), "trained")):
            with self.subTest(words):
                refused = self.bench(*words)
                self.assertEqual(refused.returncode, 2, refused.stderr)
                self.assertIn(hint, refused.stderr)
                self.assertEqual(refused.stdout, "")

    def test_leaves_no_random_model_behind_when_interrupted(self):
        words = [TOPHAND, "bench", "--shape", "qwen2.5-coder-0.5b", *SMALL]
        with subprocess.Popen(words, env=self.env, stdout=subprocess.PIPE, stderr=subprocess.PIPE,
                              text=True) as process:
            wait_until(lambda: holds_random_model(process.pid) or process.poll() is not None,
                       "the random model being written")
            self.assertEqual(list(self.cache.iterdir()), [])  # what SIGKILL would leave
            self.assertIsNone(process.poll(), "ended before it could be interrupted")
            process.send_signal(signal.SIGINT)
            out, err = process.communicate(timeout=60)
        self.assertEqual(process.returncode, 1, err)
        self.assertIn("stopped", err)
        self.assertEqual(out, "")
        self.assertEqual(list(self.cache.iterdir()), [])


if __name__ == "__main__":
    unittest.main()

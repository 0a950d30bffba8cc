"""bench/compare_peers.py with programs that print what the real ones print: their figures reach the table, and
what cannot be measured is said and left out. (No speed is measured here.)"""

import json
import os
import pathlib
import stat
import subprocess
import sys
import tempfile
import unittest

ROOT = pathlib.Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT / "bench"))

import peer_engines  # noqa: E402
import peer_table  # noqa: E402
import random_gguf  # noqa: E402

BENCH_JSON = """#!/bin/sh
echo 'a line that is no JSON [1]' >&2
cat <<'END'
[
  {"build_commit": "abc1234", "n_prompt": 512, "n_gen": 0, "avg_ts": 83.5, "stddev_ts": 0.0},
  {"build_commit": "abc1234", "n_prompt": 0, "n_gen": 64, "avg_ts": 39.25, "stddev_ts": 0.0}
]
END
"""
BATCHED_TABLE = """#!/bin/sh
echo '|    PP |     TG |    B |   N_KV |   T_PP s | S_PP t/s |   T_TG s | S_TG t/s |      T s |    S t/s |'
echo '|-------|--------|------|--------|----------|----------|----------|----------|----------|----------|'
echo '|    16 |     24 |    8 |    320 |    1.500 |    85.33 |    3.300 |    58.18 |    4.800 |    66.67 |'
"""
TOPHAND = """#!/bin/sh
# Prefill is 150 for a long prompt, decode 60 after one token: each other run's figure is wrong for the table.
case "$*" in *"--prompt 1 "*) prefill=7 decode=60 ;; *) prefill=150 decode=50 ;; esac
case "$*" in *"--prompt 16 "*"--sequences 8"*) together=120 ;; *) together=8 ;; esac
echo '{"commit": "fffffff", "runs": [{"limits": {"memory_bytes_per_second": 23e9, "multiply_adds":'
echo '[{"instructions": "vpmaddubsw", "products_per_second": 265e9}]},'
echo '"prefill": {"tokens_per_second": {"median": '$prefill'}}, "decode": {"tokens_per_second": {"median": '$decode'}},'
echo '"together": {"tokens_per_second": {"median": '$together'}}}]}'
"""


def program(folder, name, text):
    path = pathlib.Path(folder, name)
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text)
    path.chmod(path.stat().st_mode | stat.S_IXUSR)
    return path


class Comparison(unittest.TestCase):
    def setUp(self):
        folder = tempfile.TemporaryDirectory()
        self.addCleanup(folder.cleanup)
        self.folder = pathlib.Path(folder.name)
        self.tophand = program(self.folder, "tophand", TOPHAND)
        models = self.folder / "data/tophand/models"
        models.mkdir(parents=True)
        (self.folder / "random").mkdir()
        for model in (models / "qwen2.5-coder-0.5b-instruct-q4_k_m.gguf",
                      self.folder / "random/random-bitnet-2b-i2_s.gguf"):
            model.write_text("read by no program here")

    def compare(self, *arguments, **variables):
        variables = {name: value for name, value in os.environ.items() if not name.startswith("TOPHAND_")} | {
            "XDG_DATA_HOME": str(self.folder / "data"), "PATH": "/usr/bin:/bin", **variables}
        return subprocess.run(
            [sys.executable, str(ROOT / "bench/compare_peers.py"), "--tophand", str(self.tophand), "--busy",
             "--results", str(self.folder / "results"), "--model-folder", str(self.folder / "random"), *arguments],
            env=variables, capture_output=True, text=True)

    def test_puts_the_programs_own_figures_into_the_table(self):
        program(self.folder, "ik/bin/llama-bench", BENCH_JSON)
        program(self.folder, "ik/bin/llama-batched-bench", BATCHED_TABLE)
        done = self.compare("--models", "qwen-0.5b", "--rounds", "2", TOPHAND_PEER_IK_LLAMA=str(self.folder / "ik"))
        self.assertEqual(done.returncode, 0, done.stderr)
        self.assertIn("| Tophand (Q4_K_M) | 60.0 (60.0–60.0) | 150 (150–150) | 120 (120–120) |", done.stdout)
        self.assertIn("| ik_llama.cpp (Q4_K_M) | 39.2 (39.2–39.2) | 83.5 (83.5–83.5) | 58.2 (58.2–58.2) |", done.stdout)
        self.assertIn("| Tophand / fastest peer | 1.53 | 1.80 | 2.06 |", done.stdout)  # 60 / 39.25, 150 / 83.5, 120 / 58.18
        self.assertIn("Qwen2.5-Coder-0.5B Q4_K_M; rounds: 2 |", done.stdout)
        self.assertIn("memory 23.0 (23.0–23.0) GB/s", done.stdout)
        results = json.loads((self.folder / "results/peers.json").read_text())
        self.assertEqual([burst["engine"] for burst in results["bursts"]],
                         ["ik_llama.cpp", "Tophand", "Tophand", "ik_llama.cpp"])  # turns in each round

    def test_add_keeps_the_rounds_that_are_there(self):
        for _ in range(2):
            self.assertEqual(self.compare("--models", "qwen-0.5b", "--rounds", "1", "--add").returncode, 0)
        results = json.loads((self.folder / "results/peers.json").read_text())
        self.assertEqual([burst["round"] for burst in results["bursts"]], [1, 2])

    def test_says_where_missing_peers_come_from(self):
        done = self.compare("--models", "qwen-0.5b", "--rounds", "1")
        for variable in ("TOPHAND_PEER_BITNET", "TOPHAND_PEER_IK_LLAMA", "TOPHAND_PEER_LLAMA_CPP", "TOPHAND_PEER_PRISM"):
            self.assertIn(f"set {variable} to the folder", done.stderr)

    def test_programs_that_write_where_they_run_leave_nothing_behind(self):
        program(self.folder, "peer/llama-bench", BENCH_JSON.replace("#!/bin/sh\n", "#!/bin/sh\ntouch llama.log\n"))
        self.compare("--models", "qwen-0.5b", "--rounds", "1", TOPHAND_PEER_LLAMA_CPP=str(self.folder / "peer"))
        self.assertFalse((ROOT / "llama.log").exists() or pathlib.Path("llama.log").exists())

    def test_refuses_a_folder_without_the_program(self):
        done = self.compare("--models", "qwen-0.5b", TOPHAND_PEER_BITNET=str(self.folder))
        self.assertNotEqual(done.returncode, 0)
        self.assertIn("there is no llama-bench in it", done.stderr)

    def test_a_peer_that_crashes_leaves_a_note_and_no_figure(self):
        program(self.folder, "bitnet/llama-bench", "#!/bin/sh\necho no kernel for this type >&2\nexit 3\n")
        done = self.compare("--models", "bitnet-2b", "--rounds", "1", TOPHAND_PEER_BITNET=str(self.folder / "bitnet"))
        self.assertEqual(done.returncode, 0, done.stderr)
        self.assertIn("| bitnet.cpp (I2_S) | – | – | – |", done.stdout)
        self.assertIn("- bitnet.cpp (I2_S): llama-bench ended with 3: no kernel for this type", done.stdout)

    def test_leaves_out_a_model_that_is_not_installed(self):
        done = self.compare("--models", "qwen-1.5b", "--rounds", "1")
        self.assertEqual(done.returncode, 0, done.stderr)
        self.assertIn("tophand pull qwen2.5-coder:1.5b", done.stderr)


class Table(unittest.TestCase):
    def test_is_marked_when_other_programs_ran(self):
        burst = {"workload": "w", "engine": "E", "encoding": "x", "round": 1, "build": "", "decode": 1.0}
        results = {"date": "d", "cpu": "c", "processors": 2, "threads": 2, "limits": []}
        quiet = peer_table.markdown({**results, "bursts": [{**burst, "others": 0.01}]}, [], 0.05)
        loaded = peer_table.markdown({**results, "bursts": [{**burst, "others": 0.40}]}, [], 0.05)
        self.assertNotIn("not quiet", quiet)
        self.assertIn("in 1 of 1 bursts other programs used more than 5% of the processor (up to 40%)", loaded)

    def test_spread_is_median_with_minimum_and_maximum(self):
        self.assertEqual(peer_table.spread([3.0, 1.0, 2.0]), "2.0 (1.0–3.0)")
        self.assertEqual(peer_table.spread([]), "–")


class RandomModels(unittest.TestCase):
    def test_ternary_codes_are_never_three(self):
        import random
        codes = random_gguf.ternary_codes(random.Random(1), 10_000)
        fields = {byte >> shift & 3 for byte in codes for shift in (0, 2, 4, 6)}
        self.assertEqual(fields, {0, 1, 2})

    def test_sizes_are_those_of_the_published_block_layouts(self):
        """bits a weight: docs/formats, and 2 bits and a float32 a row for IQ2_BN."""
        for name, bits in (("q2_0", 2.25), ("pq2_0", 2.125), ("q1_0", 1.125), ("tq2_0", 2.0625)):
            self.assertEqual(random_gguf.ENCODINGS[name].tensor_bytes(16, 4096) * 8, 16 * 4096 * bits, name)
        self.assertEqual(random_gguf.ENCODINGS["i2_s"].tensor_bytes(16, 4096), 16 * 4096 // 4 + 32)
        self.assertEqual(random_gguf.ENCODINGS["iq2_bn"].tensor_bytes(16, 4096), 16 * (4096 // 4 + 4))


class Bursts(unittest.TestCase):
    def test_bench_output_without_json_is_no_figure(self):
        with self.assertRaises(peer_engines.BurstFailed):
            peer_engines.Peer.read_bench("error: unknown argument\n")


if __name__ == "__main__":
    unittest.main()

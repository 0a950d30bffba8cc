"""`tophand quantize` and `perplexity`: what becomes of files when something goes wrong."""

import hashlib
import json
import pathlib
import resource
import signal
import struct
import subprocess
import tempfile
import time
import unittest

import tiny_model
from harness import TOPHAND, environment, run_tophand

BITNET = pathlib.Path(__file__).resolve().parents[1] / "reference/data/tiny_bitnet.gguf"


def digest(path):
    return hashlib.sha256(path.read_bytes()).hexdigest()


def spoil_output_norm(path, value):
    """Makes all of output_norm.weight's first 16 numbers `value`."""
    data = bytearray(path.read_bytes())
    cursor = tiny_model.Cursor(bytes(data))
    cursor.at = 8
    n_tensors, n_values = cursor.unpack("Q"), cursor.unpack("Q")
    for _ in range(n_values):
        cursor.text()
        cursor.value(cursor.unpack("I"))
    offsets = {}
    for _ in range(n_tensors):
        name = cursor.text()
        for _ in range(cursor.unpack("I")):
            cursor.unpack("Q")
        cursor.unpack("I")
        offsets[name] = cursor.unpack("Q")
    at = (cursor.at + 31) // 32 * 32 + offsets[b"output_norm.weight"]
    struct.pack_into("<16f", data, at, *[value] * 16)
    path.write_bytes(data)


def limited(kind, size):
    return lambda: resource.setrlimit(kind, (size, size))


class ModelFilesTest(unittest.TestCase):
    def setUp(self):
        self.folder = tempfile.TemporaryDirectory(prefix="tophand-files-")
        self.root = pathlib.Path(self.folder.name)
        self.model = self.root / "tiny.gguf"
        tiny_model.make(self.model)
        self.ids = self.root / "ids.json"
        self.ids.write_text(json.dumps(list(range(40))))

    def tearDown(self):
        self.folder.cleanup()

    def refuse(self, code, said, *words, preexec_fn=None):
        done = subprocess.run([TOPHAND, *map(str, words)], capture_output=True, text=True, check=False, timeout=60,
                              env=environment(), preexec_fn=preexec_fn)
        self.assertEqual(done.returncode, code, done.stdout + done.stderr)
        self.assertIn(said, done.stderr)
        self.assertEqual(list(self.root.rglob("*.part*")), [])
        return done.stderr

    def test_logits_never_replace_what_they_are_made_from(self):
        before = digest(self.model)
        (self.root / "link").symlink_to(self.model)
        for out in (self.model, self.root / "link", self.root / "." / "tiny.gguf", self.ids):
            self.refuse(2, "is what is read", "perplexity", self.model, "--tokens", self.ids, "--logits", out)
        self.assertEqual(digest(self.model), before)

    def test_logits_appear_only_when_they_are_complete(self):
        out = self.root / "out.f32"
        out.write_text("earlier")
        words = ["perplexity", self.model, "--tokens", self.ids, "--logits", out]
        self.refuse(1, "writing", *words, preexec_fn=limited(resource.RLIMIT_FSIZE, 4096))
        self.assertEqual(out.read_text(), "earlier")
        self.assertEqual(run_tophand(*map(str, words)).returncode, 0)
        self.assertEqual(out.stat().st_size % (40 * 4), 0)
        self.refuse(3, "make it first", *words[:-1], self.root / "none/out.f32")

    def test_a_perplexity_that_is_no_number_is_an_error(self):
        spoil_output_norm(self.model, 3e38)  # a number, but no product with it is
        self.refuse(2, "not a number", "perplexity", self.model, "--tokens", self.ids, "--json")

    def test_weights_that_are_no_numbers_are_refused_by_name(self):
        for value in (float("nan"), float("inf")):
            spoil_output_norm(self.model, value)
            self.refuse(2, "tensor 'output_norm.weight' has weights that are no numbers",
                        "perplexity", self.model, "--tokens", self.ids, "--json")

    def test_quantize_says_what_is_wrong_with_the_place(self):
        words = ["quantize", BITNET, self.root / "none/out.gguf", "--type", "q8_0", "--lossy"]
        self.assertIn("folder", self.refuse(3, "make it first", *words))
        for force in ([], ["--force"]):
            self.refuse(2, "is a folder; name a file in it", "quantize", BITNET, self.root, "--type", "q8_0", *force)

    def test_quantize_leaves_nothing_behind_when_the_file_may_not_grow(self):
        self.refuse(1, "write", "quantize", BITNET, self.root / "out.gguf", "--type", "q8_0", "--lossy",
                    preexec_fn=limited(resource.RLIMIT_FSIZE, 8192))
        self.assertFalse((self.root / "out.gguf").exists())

    def test_quantize_leaves_nothing_behind_when_it_is_ended(self):
        big = self.root / "big.gguf"
        self.make_big(big)
        for number in (signal.SIGTERM, signal.SIGINT, signal.SIGHUP):
            worker = subprocess.Popen([TOPHAND, "quantize", str(big), str(self.root / "out.gguf"), "--type", "q4_k",
                                       "--threads", "1"], env=environment(), stderr=subprocess.PIPE, text=True)
            deadline = time.monotonic() + 30
            while not list(self.root.glob("out.gguf.part*")) and time.monotonic() < deadline:
                time.sleep(0.002)
            worker.send_signal(number)
            _, err = worker.communicate(timeout=60)
            self.assertEqual(worker.returncode, 1, err)
            self.assertEqual(list(self.root.glob("out.gguf*")), [])

    @staticmethod
    def make_big(path):
        """A file with one matrix of 256 MiB, which takes a second or more to encode."""
        cols, rows = 4096, 16384

        def text(value):
            return struct.pack("<Q", len(value)) + value

        head = b"GGUF" + struct.pack("<IQQ", 3, 1, 1)
        head += text(b"general.architecture") + struct.pack("<I", 8) + text(b"llama")
        head += text(b"blk.0.ffn_up.weight") + struct.pack("<IQQIQ", 2, cols, rows, 0, 0)
        head += b"\0" * (-len(head) % 32)
        with path.open("wb") as file:
            file.write(head)
            file.truncate(len(head) + cols * rows * 4)

    def test_a_limit_on_memory_is_an_error_that_says_so(self):
        ids = self.root / "ids.json"
        for mib in (24, 40, 64, 100):
            done = subprocess.run([TOPHAND, "perplexity", str(self.model), "--tokens", str(ids)], capture_output=True,
                                  text=True, check=False, timeout=60, env=environment(),
                                  preexec_fn=limited(resource.RLIMIT_AS, mib << 20))
            with self.subTest(mib=mib):
                self.assertIn(done.returncode, (0, 1, 2, 127), done.stderr)  # 127: the loader itself did not fit
                self.assertNotIn("terminate", done.stderr)


if __name__ == "__main__":
    unittest.main()

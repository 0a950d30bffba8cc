"""Writes the seeds that fuzz targets start from: the raw strings in the tests of their rooms, and a
small model file of every encoding for gguf.

Usage: fuzz_seeds.py ROOM DIR   Without seeds a short run gets no further than a few bytes.

A seed each: every raw string, those of one test as lines (a stream), and each with the next as two
lines. Recorded streams of tests/conformance come in as the data of their events."""

import hashlib
import itertools
import pathlib
import re
import struct
import sys

ROOT = pathlib.Path(__file__).resolve().parent.parent
RAW = re.compile(r'R"(\w*)\((.*?)\)\1"', re.S)
ENCODING = re.compile(r"EncodingInfo\{Encoding::\w+, \"(\w+)\", (\d+), (\d+), (\d+)\}")
BYTES_MAX = 4096  # libFuzzer spends its time on the long ones otherwise


def of_tests(room):
    for path in sorted((ROOT / "src" / room).glob("*_test.cc")):
        for test in re.split(r"^TEST", path.read_text(), flags=re.M):
            texts = [match[2] for match in RAW.finditer(test)]
            yield from texts
            yield from ("\n".join(pair) for pair in itertools.pairwise(texts))
            yield "\n".join(text.replace("\n", " ") for text in texts)


def of_streams():
    for path in sorted((ROOT / "tests/conformance/streams").glob("*/*.txt")):
        lines = (line.removeprefix("data: ") for line in path.read_text().splitlines())
        yield "\n".join(line for line in lines if line and not line.startswith("event:"))


def of_encodings():
    """A GGUF file of two rows of one block, for every row of the table of encodings."""
    def string(text):
        return struct.pack("<Q", len(text)) + text

    def padded(part):
        return part + bytes(-len(part) % 32)

    def strings(*texts):
        return struct.pack("<IIQ", 9, 8, len(texts)) + b"".join(map(string, texts))

    metadata = (string(b"general.architecture") + struct.pack("<I", 8) + string(b"llama"),
                string(b"tokenizer.ggml.tokens") + strings(b"a", b"<|im_end|>"),
                string(b"k") + struct.pack("<IIQ3i", 9, 5, 3, -1, 0, 7))
    for name, kind, weights, size in ENCODING.findall((ROOT / "src/kernels/encoding.cc").read_text()):
        data = bytes(range(1, 252)) * 2
        data = data[:2 * int(size)] + (bytes(32) if name == "I2_S" else b"")  # one scale a tensor
        info = string(b"token_embd.weight") + struct.pack("<IQQIQ", 2, int(weights), 2, int(kind), 0)
        head = b"GGUF" + struct.pack("<IQQ", 3, 1, len(metadata)) + b"".join(metadata)
        yield padded(head + info) + padded(data)


def main():
    room, folder = sys.argv[1], pathlib.Path(sys.argv[2])
    folder.mkdir(parents=True, exist_ok=True)
    texts = itertools.chain(of_tests(room), of_streams() if room == "chat" else ())
    for seed in itertools.chain((text.encode() for text in texts), of_encodings() if room == "gguf" else ()):
        if 0 < len(seed) <= BYTES_MAX:
            (folder / hashlib.sha256(seed).hexdigest()[:16]).write_bytes(seed)


main()

"""Writes the seeds that fuzz targets start from: the raw strings in the tests of their rooms.

Usage: fuzz_seeds.py ROOM DIR   Without seeds a short run gets no further than a few bytes.

A seed each: every raw string, those of one test as lines (a stream), and each with the next as two
lines. Recorded streams of tests/conformance come in as the data of their events."""

import hashlib
import itertools
import pathlib
import re
import sys

ROOT = pathlib.Path(__file__).resolve().parent.parent
RAW = re.compile(r'R"(\w*)\((.*?)\)\1"', re.S)
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


def main():
    room, folder = sys.argv[1], pathlib.Path(sys.argv[2])
    folder.mkdir(parents=True, exist_ok=True)
    for text in itertools.chain(of_tests(room), of_streams() if room == "chat" else ()):
        seed = text.encode()
        if 0 < len(seed) <= BYTES_MAX:
            (folder / hashlib.sha256(seed).hexdigest()[:16]).write_bytes(seed)


main()

"""Runs clang-tidy on source files, but not again on one it has found clean in the same state.

Usage: clang_tidy.py BUILD_DIR FILE...   Exit 1 when something is found.

The state is the file as preprocessed, comments included (NOLINT), with clang-tidy's version and
configuration: its hash names an empty file in BUILD_DIR/clang-tidy-clean."""

import concurrent.futures
import hashlib
import json
import os
import pathlib
import shlex
import subprocess
import sys

TIDY, CLANG = "clang-tidy-19", "clang++-19"
# The compile commands are g++'s, whose own warning flags clang does not know.
# Tests have GCC's precompiled headers, which clang passes over.
FLAGS = ["--quiet", "--extra-arg=-Wno-unknown-warning-option", "--extra-arg=-Wno-unused-command-line-argument",
         "--extra-arg=-Wno-ignored-gch"]


def preprocessed(entry):
    words = shlex.split(entry["command"])
    compiler = next(i for i, word in enumerate(words) if word.endswith(("g++", "c++", "clang++-19")))
    words = [CLANG, "-w", "-E", "-C"] + words[compiler + 1:]
    del words[words.index("-o"):words.index("-o") + 2]
    words.remove("-c")
    return subprocess.run(words, cwd=entry["directory"], capture_output=True, check=True).stdout


def main():
    build, files = pathlib.Path(sys.argv[1]), sys.argv[2:]
    clean = build / "clang-tidy-clean"
    clean.mkdir(exist_ok=True)
    entries = {os.path.realpath(entry["file"]): entry
               for entry in json.loads((build / "compile_commands.json").read_text())}
    common = subprocess.run([TIDY, "--version"], capture_output=True, check=True).stdout
    common += pathlib.Path(".clang-tidy").read_bytes() + " ".join(FLAGS).encode()

    def check(file):
        """None when the state was known to be clean, else clang-tidy's status and output."""
        entry = entries[os.path.realpath(file)]
        mark = clean / hashlib.sha256(common + preprocessed(entry)).hexdigest()
        if mark.exists():
            return None
        ran = subprocess.run([TIDY, "-p", str(build), *FLAGS, file], stdout=subprocess.PIPE,
                             stderr=subprocess.DEVNULL, text=True)
        if ran.returncode == 0:
            mark.touch()
        return ran.returncode, ran.stdout

    failed = known = 0
    with concurrent.futures.ThreadPoolExecutor(os.cpu_count()) as pool:
        for result in pool.map(check, files):
            if result is None:
                known += 1
            elif result[0] != 0:
                failed += 1
                print(result[1], flush=True)
    print(f"clang-tidy: {len(files)} files, {failed} with findings, {known} unchanged since they were clean")
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())

"""Checks that a reviewer would otherwise have to make by eye, over the tracked files. Every check has
a control: a bad snippet it has to flag, so that a check that has gone blind fails too.

Prints "N passed, N failed, N skipped"; exit 1 when something failed."""

import pathlib
import re
import subprocess
import sys

ROOT = pathlib.Path(__file__).resolve().parents[2]
FILE_LINES_MAX = 600
TABLES = {"src/text/unicode_table.cc"}  # generated data, no reading matter
BOOST_ROOMS = {"net"}


def tracked():
    listing = subprocess.run(["git", "-C", str(ROOT), "ls-files", "-z"], capture_output=True, check=True)
    names = [name for name in listing.stdout.decode().split("\0") if name]
    return {name: (ROOT / name) for name in names if (ROOT / name).is_file()}


def room_of(name):
    parts = name.split("/")
    return parts[1] if parts[0] == "src" and len(parts) > 2 else None


def allowed_rooms(cmake_text):
    """room -> rooms it may include, from the DEPENDS lists of CMakeLists.txt."""
    rooms = {}
    for call in re.findall(r"tophand_(?:room|program)\((.*?)\)", cmake_text, flags=re.DOTALL):
        words = call.replace('""', "").split()
        name = words[1] if words[0] == "tophand" else words[0]
        depends = []
        if "DEPENDS" in words:
            for word in words[words.index("DEPENDS") + 1:]:
                if word == "LIBRARIES":
                    break
                depends.append(word)
        rooms[name] = set(depends)
    return rooms


def check_includes(name, text, rooms):
    room = room_of(name)
    if room not in rooms:
        return
    for line, include in re.findall(r'^(#include "([^"]+)")', text, flags=re.MULTILINE):
        other = include.split("/")[0]
        if other in rooms and other != room and other not in rooms[room]:
            yield f"{line} is not allowed: CMakeLists.txt does not list {other} for {room}"


def check_boost(name, text):
    if name.startswith("src/") and room_of(name) not in BOOST_ROOMS and "#include <boost/" in text:
        yield "Boost is for net/ only"


def check_regex(name, text):
    if name.startswith("src/") and "std::" + "regex" in text:
        yield "std::" + "regex overflows the stack on long input; use a scanner"


def check_json_header(name, text):
    """A header with the JSON library in it costs every file that includes it seconds. Those for tests
    are included by a few, which read JSON anyway."""
    if name.startswith("src/") and name.endswith(".h") and name != "src/base/json.h" \
            and not name.endswith("_for_tests.h"):
        if '"base/json.h"' in text or "<nlohmann/json.hpp>" in text:
            yield "the JSON library is for .cc files only"


def check_length(name, text):
    if re.search(r"^(src|tests|scripts)/.*\.(cc|h|py|sh|mjs)$", name) and name not in TABLES:
        lines = text.count("\n")
        if lines > FILE_LINES_MAX:
            yield f"{lines} lines, at most {FILE_LINES_MAX}"


def check_header_comment(name, text):
    if name.startswith("src/") and name.endswith(".h"):
        if not text.startswith("//"):
            yield "a header starts with what it is for"
        if "#pragma once" not in text:
            yield "no #pragma once"


def check_leftovers(name, text):
    if name.startswith("src/"):
        for word in ("TODO", "FIXME", "XXX"):
            if re.search(r"\b" + word + r"\b", text):
                yield f"{word}: finish it, or say in the documentation what is not done"


def check_links(name, text):
    if name.endswith(".md"):
        for target in re.findall(r"\]\(([^)#\s]+)[^)]*\)", text):
            if not re.match(r"[a-z]+:", target) and not (ROOT / name).parent.joinpath(target).exists():
                yield f"link to {target}, which does not exist"


def check_routes(name, text):
    """The page of the interface has each route, method and path."""
    if name == "src/server/routes.cc":
        page = (ROOT / "docs/protocols/gateway-http.md").read_text()
        rows = [row for row in page.splitlines() if row.startswith("| `")]
        for method, path in re.findall(r'Route\{"([A-Z]+)", "([^"]+)"', text):
            told = path + "ID" if path.endswith("/") and path != "/" and "blobs" not in path else path
            if not any(re.search(rf"`[^`]*\b{method}\b", row) and re.search(
                    rf"[ `]{re.escape(told)}(?=[`/ ]|sha256)", row.split(" | ")[0]) for row in rows):
                yield f"{method} {told} is not in docs/protocols/gateway-http.md"


def check_instruction_set(name, text):
    if name.startswith("cmake/") or name == "CMakeLists.txt":
        if re.search(r"-m(avx|arch|fma)", text):
            yield "no file is built for a particular CPU; use target attributes"


ROOMS = allowed_rooms((ROOT / "CMakeLists.txt").read_text())
CHECKS = {
    "includes go to lower rooms": (lambda n, t: check_includes(n, t, ROOMS),
                                   ("src/kernels/x.cc", '#include "base/result.h"\n')),
    "Boost stays in net": (check_boost, ("src/chat/x.cc", "#include <boost/asio.hpp>\n")),
    "no regex library": (check_regex, ("src/chat/x.cc", "std::" + "regex r;\n")),
    "JSON library out of headers": (check_json_header, ("src/chat/x.h", '#include "base/json.h"\n')),
    "files stay short": (check_length, ("src/chat/x.cc", "\n" * (FILE_LINES_MAX + 1))),
    "headers say what they are for": (check_header_comment, ("src/chat/x.h", "#pragma once\n")),
    "no leftovers": (check_leftovers, ("src/chat/x.cc", "// TO" + "DO later\n")),
    "links lead somewhere": (check_links, ("docs/x.md", "[a](nowhere.md)\n")),
    "every route is in the documentation": (check_routes, ("src/server/routes.cc", 'Route{"PUT", "/v1/x", ')),
    "no build flags for one CPU": (check_instruction_set, ("CMakeLists.txt", "-mavx2\n")),
}


def main():
    texts = {}
    for name, path in tracked().items():
        try:
            texts[name] = path.read_text()
        except UnicodeDecodeError:
            continue
    failed = 0
    for title, (check, (bad_name, bad_text)) in CHECKS.items():
        problems = [f"{name}: {problem}" for name, text in texts.items() for problem in check(name, text)]
        if not list(check(bad_name, bad_text)):
            problems.append("the control was not flagged: the check is blind")
        failed += bool(problems)
        for problem in problems:
            print(f"{title}: {problem}")
    print(f"{len(CHECKS) - failed} passed, {failed} failed, 0 skipped")
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())

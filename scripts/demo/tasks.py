"""The tasks of the demonstration: what is asked, and the simple check each answer has to pass.

Routine prompts carry two example pairs, which lifts a 1.5B model a lot."""

import ast
import difflib
import re

README_SYSTEM = ("You summarise a README for a colleague who has half a minute: two plain sentences, "
                 "only facts from the text, no heading, no list.")
README_EXAMPLES = [
    ("# shelf\n\nShelf keeps a list of books in one SQLite file. It imports ISBN lists and prints "
     "loans that are overdue.\n\n## Usage\n\n`shelf add ISBN`, `shelf due`",
     "Shelf keeps a list of books in one SQLite file and prints overdue loans. Books are added by "
     "ISBN with `shelf add`."),
    ("# beacon\n\nBeacon pings hosts every minute and mails the operator when one stays silent for "
     "five minutes. Hosts are listed in `hosts.txt`.",
     "Beacon pings the hosts in `hosts.txt` every minute. It mails the operator when a host stays "
     "silent for five minutes."),
]

MESSAGE_SYSTEM = ("You write short messages between colleagues. Two plain sentences at most, only facts "
                  "from the request, no greeting and no signature.")
MESSAGE_EXAMPLES = [
    ("Tell ops: disk on db2 is 91% full, Ana cleans old logs today.",
     "The disk on db2 is 91% full. Ana is cleaning up old logs today."),
    ("Tell Kim the review of branch parser-2 is done, two comments, nothing blocking.",
     "The review of branch parser-2 is done. There are two comments, nothing blocking."),
]
MESSAGE_REQUEST = ("Tell the team: the nightly build moved from 02:00 to 04:30 UTC starting Monday because "
                   "the backup runs until 04:00. Ask Dana to move the report job after it.")

EDIT_SYSTEM = ("You edit one function. Return the whole function after the edit in one fenced code block and "
               "nothing else. Change only what is asked; keep the name, the other parameters and the style.")
EDIT_EXAMPLES = [
    ("Instruction: return 0 for an empty list instead of failing.\n\n```python\ndef mean(values):\n"
     "    return sum(values) / len(values)\n```",
     "```python\ndef mean(values):\n    if not values:\n        return 0\n"
     "    return sum(values) / len(values)\n```"),
    ("Instruction: add an optional parameter `sep` with the default \", \".\n\n```python\n"
     "def join_names(names):\n    return \", \".join(sorted(names))\n```",
     "```python\ndef join_names(names, sep=\", \"):\n    return sep.join(sorted(names))\n```"),
]
EDIT_INSTRUCTION = "open the file with a `with` statement, so that it is closed on errors too."

QUESTIONS = [
    ("What does HTTP status 429 mean? Answer in one sentence.", "too many requests"),
    ("Which SQL keyword sorts the rows of a result? Answer with the keyword only.", "order by"),
]

DESIGN_QUESTION = (
    "Tally gets a second user who edits the same invoice files at the same time. Compare a lock file, "
    "one SQLite database and an append-only log of changes for this, and recommend one with its risks.")


def conversation(system, examples, request):
    messages = [{"role": "system", "content": system}]
    for question, answer in examples:
        messages += [{"role": "user", "content": question}, {"role": "assistant", "content": answer}]
    return messages + [{"role": "user", "content": request}]


def check_summary(text):
    if not text.strip():
        return "it is empty"
    if len(text.split()) > 80:
        return f"{len(text.split())} words, at most 80 were wanted"
    return "" if "invoice" in text.lower() else "it does not say what the program is about"


def check_message(text):
    if not text.strip():
        return "it is empty"
    missing = [fact for fact in ("04:30", "Dana", "Monday") if fact not in text]
    return "it leaves out " + ", ".join(missing) if missing else ""


def check_answer(text, expected):
    if not text.strip():
        return "it is empty"
    if len(text.strip().splitlines()) > 1:
        return "it has more than one line"
    return "" if expected in text.lower() else f"it does not say '{expected}'"


def function_source(path, name):
    """The text of one top-level function, and the lines it spans (1-based, inclusive)."""
    source = path.read_text()
    for node in ast.parse(source).body:
        if isinstance(node, ast.FunctionDef) and node.name == name:
            lines = source.splitlines()[node.lineno - 1:node.end_lineno]
            return "\n".join(lines), node.lineno, node.end_lineno
    raise KeyError(name)


def extract_function(answer, name):
    """The edited function out of an answer; an explanation instead when it is not usable."""
    blocks = re.findall(r"```(?:python)?\n(.*?)```", answer, flags=re.DOTALL)
    if len(blocks) != 1:
        return None, f"expected one fenced code block, found {len(blocks)}"
    try:
        body = ast.parse(blocks[0]).body
    except SyntaxError as error:
        return None, f"it does not parse: {error}"
    if len(body) != 1 or not isinstance(body[0], ast.FunctionDef) or body[0].name != name:
        return None, f"expected the function {name} and nothing else"
    if not any(isinstance(node, ast.With) for node in ast.walk(body[0])):
        return None, "the edit was not made: there is no `with` statement"
    return blocks[0].rstrip("\n"), ""


def apply_edit(path, name, new_function):
    """Replaces the function in the file and returns the change as a unified diff. The file is
    written only when the whole of it still parses."""
    before = path.read_text()
    _, first, last = function_source(path, name)
    lines = before.splitlines()
    after = "\n".join(lines[:first - 1] + new_function.splitlines() + lines[last:]) + "\n"
    ast.parse(after)
    path.write_text(after)
    return "".join(difflib.unified_diff(before.splitlines(True), after.splitlines(True),
                                        "a/" + path.name, "b/" + path.name))

"""Sixty prompts that want one tool call each, made by a seeded generator, with what the call should be.

A prompt is {"kind", "text", "tool", "arguments"}; `arguments` are those that the text fixes. Eight tools are
offered with every prompt, as an agent would."""

import random

SEED = 20261126
COUNT = 60


def schema(required, **properties):
    return {"type": "object", "properties": properties, "required": required,
            "additionalProperties": False}


STRING, INTEGER = {"type": "string"}, {"type": "integer"}


def described(kind, text):
    return {**kind, "description": text}


TOOLS = [
    {"name": "read_file", "description": "Reads a text file.", "input_schema": schema(
        ["path"], path=described(STRING, "relative path"),
        offset=described(INTEGER, "first line, from 1"),
        limit=described(INTEGER, "number of lines"))},
    {"name": "write_file", "description": "Writes a text file, replacing what is there.",
     "input_schema": schema(["path", "content"], path=STRING, content=STRING)},
    {"name": "edit_file", "description": "Replaces one piece of text in a file.", "input_schema": schema(
        ["path", "edits"], path=STRING, edits={"type": "array", "minItems": 1, "items": schema(
            ["old_text", "new_text"], old_text=STRING, new_text=STRING)})},
    {"name": "search_files", "description": "Finds lines that contain a text.", "input_schema": schema(
        ["text"], text=STRING, folder=STRING,
        extensions={"type": "array", "items": STRING, "description": "such as [\"py\", \"md\"]"})},
    {"name": "run_command", "description": "Runs a shell command.", "input_schema": schema(
        ["command"], command=STRING, timeout_s={"type": "integer", "minimum": 1, "maximum": 600})},
    {"name": "get_weather", "description": "The weather of a place.", "input_schema": schema(
        ["city", "unit"], city=STRING, unit={"enum": ["celsius", "fahrenheit"]},
        days={"type": "integer", "minimum": 1, "maximum": 7})},
    {"name": "create_event", "description": "Puts an event into the calendar.", "input_schema": schema(
        ["title", "start", "attendees"], title=STRING,
        start=described(STRING, "YYYY-MM-DDTHH:MM"), minutes=INTEGER,
        attendees={"type": "array", "items": schema(["name"], name=STRING, email=STRING)})},
    {"name": "send_message", "description": "Sends a message to a person.", "input_schema": schema(
        ["to", "text", "priority"], to=STRING, text=STRING,
        priority={"type": "string", "enum": ["low", "normal", "urgent"]})},
]

FILES = ["src/main.py", "README.md", "config/app.toml", "tests/test_login.py", "docs/setup.md",
         "lib/parser.js", "Makefile", "data/users.csv"]
CITIES = ["Oslo", "Madrid", "Nairobi", "Lima", "Kyoto", "Tallinn"]
PEOPLE = ["Ana", "Bo", "Chidi", "Dora", "Emre", "Fatima"]
WORDS = ["timeout", "parse_date", "TODO", "retry_count", "LoginError"]


def read_file(pick):
    path, first, count = pick.choice(FILES), pick.randint(1, 90), pick.choice([5, 20, 50])
    return (f"Show me {count} lines of {path}, beginning at line {first}.",
            {"path": path, "offset": first, "limit": count})


def write_file(pick):
    name, greeting = pick.choice(["hello.py", "greet.py", "demo.py"]), pick.choice(["Hi", "Good day"])
    return (f'Create the file {name}: a Python function greet(name) that prints "{greeting}, " and the '
            "name, and a call of it.", {"path": name})


def edit_file(pick):
    path, old, new = pick.choice(FILES), pick.choice(WORDS), pick.choice(["deadline", "read_date", "DONE"])
    return (f'In {path} replace "{old}" by "{new}".',
            {"path": path, "edits": [{"old_text": old, "new_text": new}]})


def search_files(pick):
    word, kinds = pick.choice(WORDS), pick.choice([["py"], ["js", "ts"], ["md", "txt"]])
    return (f'Where does "{word}" occur in {" and ".join(kinds)} files?',
            {"text": word, "extensions": kinds})


def run_command(pick):
    command, seconds = pick.choice(["make test", "git status --short", "npm run build"]), pick.randint(2, 9) * 10
    return (f"Run `{command}`, for at most {seconds} seconds.",
            {"command": command, "timeout_s": seconds})


def get_weather(pick):
    city, days, unit = pick.choice(CITIES), pick.randint(2, 5), pick.choice(["celsius", "fahrenheit"])
    return (f"What will the weather in {city} be for the next {days} days, in degrees {unit}?",
            {"city": city, "days": days, "unit": unit})


def create_event(pick):
    first, second = pick.sample(PEOPLE, 2)
    day, hour, title = pick.randint(1, 28), pick.randint(8, 17), pick.choice(["Review", "Planning", "Demo"])
    return (f'Put "{title}" into the calendar on 2027-03-{day:02} at {hour}:30 for 45 minutes, with {first} '
            f"({first.lower()}@example.com) and {second} ({second.lower()}@example.com).",
            {"title": title, "start": f"2027-03-{day:02}T{hour:02}:30", "minutes": 45,
             "attendees": [{"name": each, "email": f"{each.lower()}@example.com"} for each in (first, second)]})


def send_message(pick):
    person, priority = pick.choice(PEOPLE), pick.choice(["low", "normal", "urgent"])
    return (f'Tell {person} with {priority} priority that the build is "green" again.',
            {"to": person, "priority": priority})


MAKERS = [read_file, write_file, edit_file, search_files, run_command, get_weather, create_event, send_message]


def prompts():
    pick = random.Random(SEED)
    out = []
    for index in range(COUNT):
        make = MAKERS[index % len(MAKERS)]
        text, arguments = make(pick)
        out.append({"kind": make.__name__, "text": text, "tool": make.__name__, "arguments": arguments})
    return out

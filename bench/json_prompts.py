"""Forty prompts that want JSON of a given schema, made by a seeded generator: what programs ask small models for.

A prompt is {"kind", "text", "schema"}. The schemas are strict (all required, nothing else), as the SDKs write them."""

import random

SEED = 20261127
COUNT = 40

STRING, INTEGER, NUMBER, BOOLEAN = ({"type": kind} for kind in ("string", "integer", "number", "boolean"))


def record(**properties):
    return {"type": "object", "properties": properties, "required": list(properties), "additionalProperties": False}


def listed(items, **more):
    return {"type": "array", "items": items, **more}


PEOPLE = ["Anna Weber", "Luis Ortega", "Mei Tanaka", "Omar Haddad", "Ida Lund"]
CITIES = ["Hamburg", "Porto", "Kyoto", "Amman", "Bergen"]
PARTS = ["cable drum", "label printer", "pallet jack", "work lamp", "tape gun"]
FILES = ["src/parse.c", "web/login.ts", "lib/cache.py", "api/orders.go", "docs/setup.md"]


def contact(pick):
    person, city, age = pick(PEOPLE), pick(CITIES), pick(range(21, 64))
    return (f"Extract the person: {person}, {age}, moved to {city} last spring and works part time.",
            record(name=STRING, age=INTEGER, city=STRING, full_time=BOOLEAN))


def ticket(pick):
    return (f"Sort this support ticket: \"The {pick(PARTS)} I ordered on Monday came broken, and nobody answers "
            f"my mails. I want my money back now.\"",
            record(category={"type": "string", "enum": ["refund", "delivery", "question", "praise"]},
                   urgency={"type": "integer", "minimum": 1, "maximum": 5},
                   summary={"type": "string", "maxLength": 120}))


def invoice(pick):
    first, second = pick(PARTS), pick(PARTS)
    return (f"Turn into JSON: {pick(range(2, 9))} x {first} at {pick(range(10, 90))}.50 each and "
            f"{pick(range(2, 9))} x {second} at {pick(range(10, 90))} each, to {pick(PEOPLE)}.",
            record(customer=STRING, lines=listed(record(item=STRING, quantity=INTEGER, unit_price=NUMBER), minItems=1)))


def review(pick):
    return (f"Review this change of {pick(FILES)}: a loop that reads until the end of the file was changed to stop at "
            f"the first empty line. List what may break.",
            record(findings=listed(record(file=STRING, line={"type": ["integer", "null"]}, severity={
                "type": "string", "enum": ["low", "medium", "high"]}, text=STRING)), approve=BOOLEAN))


def title(pick):
    return (f"Give a short title for a conversation that begins: \"My {pick(PARTS)} does not start after I changed "
            f"{pick(FILES)}. What can I do?\"", record(title=STRING))


def plan(pick):
    return (f"Plan in three to five steps how to move the service from {pick(CITIES)} to {pick(CITIES)}.",
            record(steps=listed(record(number=INTEGER, what=STRING, hours=NUMBER), minItems=3, maxItems=5)))


def tags(pick):
    return (f"Give two to four tags for: \"How we packed {pick(range(20, 90))} parcels an hour with one {pick(PARTS)}\".",
            record(tags=listed(STRING, minItems=2, maxItems=4)))


def commit(pick):
    return (f"Write a conventional commit for: in {pick(FILES)}, a missing check for an empty list was added, with a test.",
            record(type={"type": "string", "enum": ["feat", "fix", "docs", "test", "chore"]}, scope=STRING,
                   subject={"type": "string", "maxLength": 72}, breaking=BOOLEAN))


KINDS = [contact, ticket, invoice, review, title, plan, tags, commit]


def prompts():
    rng = random.Random(SEED)
    out = []
    for index in range(COUNT):
        make = KINDS[index % len(KINDS)]
        text, schema = make(rng.choice)
        out.append({"kind": make.__name__, "text": text, "schema": schema})
    return out

"""Templates to prompts: choices, slots, material, and how people and programs dress a request."""
import re

from words import SLOTS

CHOICE = re.compile(r"\{([^{}]*)\}")
MATERIALS = {"DIFF": "diff", "CODE": "snippet", "LINE": "line", "PAGE": "page", "PATH": "path", "SUBJECT": "subject",
             "CONFLICT": "conflict"}


def fill(template, rng, material):
    """Innermost braces first, so that choices may hold slots."""
    texts = {}
    for _ in range(60):
        found = CHOICE.search(template)
        if not found:
            break
        inner = found.group(1)
        if inner in MATERIALS:  # put in at the end: code has braces of its own
            mark = f"\x00{len(texts)}\x00"
            texts[mark] = getattr(material, MATERIALS[inner])()
            value = mark
        else:
            value = inner if inner in SLOTS else rng.choice(inner.split("|"))
            if value in SLOTS:
                value = rng.choice(SLOTS[value])
        template = template[: found.start()] + value + template[found.end():]
    for mark, text in texts.items():
        template = template.replace(mark, text)
    return template


def mistype(text, rng):
    """One or two slips of the finger in the first line."""
    head, newline, rest = text.partition("\n")
    for _ in range(rng.randint(1, 2)):
        if len(head) < 8:
            break
        at = rng.randrange(1, len(head) - 2)
        kind = rng.random()
        if kind < 0.4:
            head = head[:at] + head[at + 1] + head[at] + head[at + 2:]
        elif kind < 0.7:
            head = head[:at] + head[at + 1:]
        else:
            head = head[:at] + head[at] + head[at:]
    return head + newline + rest


def dress(instruction, body, rng):
    """An instruction and its material, in one of the ways they are put together."""
    if not body:
        text = instruction
    else:
        fence = rng.choice(["", "", "", "```\n", "<input>\n", "---\n"])
        close = {"": "", "```\n": "\n```", "<input>\n": "\n</input>", "---\n": "\n---"}[fence]
        between = rng.choice(["\n\n", "\n", ":\n\n", ":\n"])
        wrapped = fence + body + close
        text = wrapped + "\n\n" + instruction if rng.random() < 0.2 else instruction + between + wrapped
    roll = rng.random()
    if roll < 0.12:
        text = rng.choice(["Please ", "please ", "pls ", "Can you ", "could you ", "I need you to ", "hey, ", "Now ",
                           "Next: ", "Task: ", "TASK: ", "@bot ", "Your task: "]) + text[:1].lower() + text[1:]
    elif roll < 0.2:
        text = text[:1].lower() + text[1:]
    elif roll < 0.26:
        text = mistype(text, rng)
    elif roll < 0.3:
        text = f"[{rng.choice(['Mon', 'Wed', 'Fri'])} 2026-11-{rng.randint(10, 28)} 09:{rng.randint(10, 59)} UTC] " + text
    return text

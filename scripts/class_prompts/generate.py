#!/usr/bin/env python3
"""Writes labelled prompts to train the class model with, in the form of tests/classes/heldout.txt.

usage: generate.py SEED PER_CLASS OUT
A template is used in the training half or in the validation half (OUT.valid), never in both, so that
what is measured while training is not the wording that was trained on.
"""
import random
import sys

import templates
from material import Material
from render import dress, fill


def record(name, user, system, shape):
    head = " ".join(["===", name] + [f"{k}={v}" for k, v in shape.items()])
    parts = [head]
    if system:
        parts += ["--- system", system, "--- user"]
    # A line of the text must not look like the head of a record.
    safe = "\n".join(" " + l if l.startswith(("=== ", "--- system", "--- user")) else l for l in user.split("\n"))
    return "\n".join(parts + [safe]) + "\n"


def shape_for(name, rng):
    shape = {}
    agentic = {"file_edit": .25, "review": .12, "git_commit": .12, "git_merge": .1, "doc_update": .15, "coordination": .15,
               "reasoning": .1, "qa": .06, "customer": .05, "other": .08}.get(name, 0)
    if rng.random() < agentic:
        shape["tools"] = rng.choice(templates.TOOL_SETS)
        if rng.random() < .5:
            shape["messages"] = rng.choice([1, 3, 5, 9, 15])
    return shape


def prompts(name, chosen, count, rng, material):
    out = []
    for i in range(count):
        instruction, body = chosen[i % len(chosen)]
        user = dress(fill(instruction, rng, material), fill(body, rng, material), rng)
        shape = shape_for(name, rng)
        system = ""
        if "tools" in shape and rng.random() < .7:
            system = fill(rng.choice(templates.AGENT_SYSTEMS), rng, material)
        elif rng.random() < .25:
            system = fill(rng.choice(templates.SYSTEMS[name] + templates.PLAIN_SYSTEMS), rng, material)
        out.append(record(name, user, system, shape))
    return out


def main():
    seed, per_class, path = int(sys.argv[1]), int(sys.argv[2]), sys.argv[3]
    rng = random.Random(seed)
    material = Material(rng)
    train, valid = [], []
    for name, pairs in templates.TEMPLATES.items():
        pairs = [(p, "") if isinstance(p, str) else p for p in pairs]
        rng.shuffle(pairs)
        cut = max(1, len(pairs) // 5)
        valid += prompts(name, pairs[:cut], per_class // 4, rng, material)
        # A model that is shipped is trained on all of them: see train_classes.sh.
        train += prompts(name, pairs if "--all" in sys.argv else pairs[cut:], per_class, rng, material)
    rng.shuffle(train)
    for file, records in ((path, train), (path + ".valid", valid)):
        with open(file, "w") as out:
            out.writelines(records)
    print(f"seed {seed}: {len(train)} to train, {len(valid)} to validate")


if __name__ == "__main__":
    main()

#!/usr/bin/env python3
"""How many JSON answers of a local model fit their schema: at once, when asked again, and not at all.

bench/json_answers.py [--model qwen2.5-coder:1.5b] [--limit 40] [--temperature T] [--show]
TOPHAND_BIN names the program. Without --temperature each model's own is used, with a seed of the prompt's number.
An answer counts as valid when this script's own check of it passes, whatever the gateway thought of it."""

import argparse
import json
import pathlib
import sys

ROOT = pathlib.Path(__file__).resolve().parents[1]
sys.path[:0] = [str(ROOT / "tests/e2e"), str(ROOT / "bench")]
import harness  # noqa: E402
import json_prompts  # noqa: E402

TYPES = {"object": dict, "array": list, "string": str, "integer": int, "number": (int, float), "boolean": bool,
         "null": type(None)}


def is_of(kind, value):
    return isinstance(value, TYPES[kind]) and (kind == "boolean" or not isinstance(value, bool))


def fits(schema, value):
    """The few keywords that json_prompts uses."""
    kinds = schema["type"] if isinstance(schema["type"], list) else [schema["type"]]
    if not any(is_of(kind, value) for kind in kinds) or value not in schema.get("enum", [value]):
        return False
    if isinstance(value, dict):
        return set(value) == set(schema["properties"]) and all(
            fits(schema["properties"][key], each) for key, each in value.items())
    if isinstance(value, list):
        return schema.get("minItems", 0) <= len(value) <= schema.get("maxItems", len(value)) and all(
            fits(schema["items"], each) for each in value)
    if isinstance(value, str):
        return len(value) <= schema.get("maxLength", len(value))
    return value is None or schema.get("minimum", value) <= value <= schema.get("maximum", value)


def ask(gateway, prompt, settings):
    body = {"model": "local", "max_tokens": 600, "messages": [{"role": "user", "content": prompt["text"]}],
            "response_format": {"type": "json_schema", "json_schema": {"name": "a", "schema": prompt["schema"]}},
            **settings}
    answer = gateway.post("/v1/chat/completions", body, "low", timeout=600)
    row = gateway.rows(answer.headers["x-request-id"])[-1]
    if answer.status != 200:
        return "handed up", f'{row["reason"]} | {answer.json()["error"]["message"]}'
    choice = answer.json()["choices"][0]
    text = choice["message"]["content"]
    try:
        valid = fits(prompt["schema"], json.loads(text))
    except ValueError:
        valid = False
    if not valid:
        return "cut off" if choice["finish_reason"] == "length" else "invalid JSON shown", text
    return "valid when asked again" if "asked twice" in row["reason"] else "valid at once", \
        f'{text} | {row["reason"]}'


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--model", default="qwen2.5-coder:1.5b")
    parser.add_argument("--limit", type=int, default=json_prompts.COUNT)
    parser.add_argument("--temperature", type=float)
    parser.add_argument("--show", action="store_true", help="print every answer")
    chosen = parser.parse_args()
    settings = {} if chosen.temperature is None else {"temperature": chosen.temperature}
    stage = harness.Stage()
    counts = {}
    try:
        gateway = stage.gateway(installed=chosen.model)
        for number, prompt in enumerate(json_prompts.prompts()[:chosen.limit], 1):
            outcome, detail = ask(gateway, prompt, {**settings, "seed": number})
            counts[outcome] = counts.get(outcome, 0) + 1
            if chosen.show:
                print(f'{outcome}: {prompt["kind"]}: {prompt["text"]}\n    {detail[:700]}', flush=True)
    finally:
        stage.close()
    print(f"{chosen.model}, {chosen.limit} prompts: " + ", ".join(f"{n} {what}" for what, n in sorted(counts.items())))


if __name__ == "__main__":
    main()

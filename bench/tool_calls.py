#!/usr/bin/env python3
"""How many tool calls of a local model are good, at its first try, after it was asked again, and not at all.

bench/tool_calls.py [--model qwen2.5-coder:1.5b] [--limit 60] [--show]
TOPHAND_BIN names the program; one from before the checks gives the row to compare with. A call counts as valid
when this script's own check of it passes, whatever the gateway thought of it."""

import argparse
import json
import pathlib
import sys

ROOT = pathlib.Path(__file__).resolve().parents[1]
sys.path[:0] = [str(ROOT / "tests/e2e"), str(ROOT / "bench")]
import harness  # noqa: E402
import tool_prompts  # noqa: E402

PYTHON_TYPES = {"object": dict, "array": list, "string": str, "integer": int}


def fits(schema, value):
    """The few keywords that tool_prompts uses."""
    if "enum" in schema:
        return value in schema["enum"]
    kind = PYTHON_TYPES[schema["type"]]
    if not isinstance(value, kind) or isinstance(value, bool):
        return False
    if kind is dict:
        return (set(schema["required"]) <= set(value) <= set(schema["properties"])
                and all(fits(schema["properties"][key], each) for key, each in value.items()))
    if kind is list:
        return len(value) >= schema.get("minItems", 0) and all(fits(schema["items"], each) for each in value)
    return kind is str or schema.get("minimum", value) <= value <= schema.get("maximum", value)


def is_valid(call):
    tool = next((each for each in tool_prompts.TOOLS if each["name"] == call["name"]), None)
    return tool is not None and fits(tool["input_schema"], call["input"])


def is_right(call, prompt):
    return call["name"] == prompt["tool"] and all(
        call["input"].get(key) == value for key, value in prompt["arguments"].items())


def ask(gateway, prompt):
    body = {"model": "local", "max_tokens": 300, "temperature": 0, "tools": tool_prompts.TOOLS,
            "system": "You are a helpful agent. Use the tools.",
            "messages": [{"role": "user", "content": prompt["text"]}]}
    answer = gateway.post("/v1/messages", body, "low", timeout=600)
    row = gateway.rows(answer.headers["x-request-id"])[-1]
    asked_twice = "asked twice" in row["reason"]
    if answer.status != 200:
        return {"outcome": "handed up" if asked_twice else "failed", "detail": answer.json()["error"]["message"]}
    blocks = answer.json()["content"]
    calls = [block for block in blocks if block["type"] == "tool_use"]
    detail = calls or [block.get("text", "") for block in blocks]
    if not calls:
        return {"outcome": "no call", "detail": detail}
    if not all(map(is_valid, calls)):
        return {"outcome": "invalid call shown", "detail": detail}
    return {"outcome": "valid when asked again" if asked_twice else "valid at once", "detail": detail,
            "right": is_right(calls[0], prompt)}


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--model", default="qwen2.5-coder:1.5b")
    parser.add_argument("--limit", type=int, default=tool_prompts.COUNT)
    parser.add_argument("--show", action="store_true", help="print every answer")
    chosen = parser.parse_args()
    stage = harness.Stage()
    counts, right = {}, 0
    try:
        gateway = stage.gateway(installed=chosen.model)
        for prompt in tool_prompts.prompts()[:chosen.limit]:
            found = ask(gateway, prompt)
            counts[found["outcome"]] = counts.get(found["outcome"], 0) + 1
            right += found.get("right", False)
            if chosen.show:
                print(f'{found["outcome"]}: {prompt["text"]}\n    {json.dumps(found["detail"])[:600]}', flush=True)
    finally:
        stage.close()
    print(f"{chosen.model}, {chosen.limit} prompts: " + ", ".join(f"{n} {what}" for what, n in sorted(counts.items()))
          + f"; {right} of the valid ones are the right call with the right arguments")


if __name__ == "__main__":
    main()

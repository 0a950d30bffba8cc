#!/usr/bin/env python3
"""Records what model files' own chat templates make of a table of conversations, rendered by jinja2
with the settings of transformers (trim_blocks, lstrip_blocks, tojson without ASCII escapes).

    pip install jinja2
    tests/reference/chat_templates.py qwen2.5-coder-0.5b.gguf qwen2.5-coder-1.5b.gguf smollm2.gguf \
        > tests/reference/chat_templates.json

Templates of families whose files are not at hand (Llama 3, BitNet b1.58 2B4T, plain ChatML) stand
below as their publishers' tokenizer_config.json has them, without bos_token: the tokenizer adds it.
"""
import json
import struct
import sys

import jinja2

PUBLISHED = {
    "chatml": "{% for message in messages %}{{'<|im_start|>' + message['role'] + '\\n' + message['content'] + '<|im_end|>' + '\\n'}}{% endfor %}{% if add_generation_prompt %}{{ '<|im_start|>assistant\\n' }}{% endif %}",
    "llama3": "{% set loop_messages = messages %}{% for message in loop_messages %}{% set content = '<|start_header_id|>' + message['role'] + '<|end_header_id|>\\n\\n'+ message['content'] | trim + '<|eot_id|>' %}{{ content }}{% endfor %}{% if add_generation_prompt %}{{ '<|start_header_id|>assistant<|end_header_id|>\\n\\n' }}{% endif %}",
    "bitnet": "{% set loop_messages = messages %}{% for message in loop_messages %}{% set content = message['role'] | capitalize + ': '+ message['content'] | trim + '<|eot_id|>' %}{{ content }}{% endfor %}{% if add_generation_prompt %}{{ 'Assistant: ' }}{% endif %}",
}
WEATHER = {"type": "function", "function": {"name": "get_weather", "description": "Weather of a <city> & more \u00e9", "parameters": {"type": "object", "properties": {"city": {"type": "string", "enum": ["Paris, FR", "Oslo: NO"]}, "days": {"type": "integer", "minimum": 1}}, "required": ["city"]}}}
EMPTY = {"type": "function", "function": {"name": "now", "description": "", "parameters": {}}}


def call(name, **arguments):
    return {"type": "function", "function": {"name": name, "arguments": arguments}}


CONVERSATIONS = [
    {"messages": [("user", "Hello")]},
    {"messages": [("system", "Be brief."), ("user", "Hello")]},
    {"messages": [("system", ""), ("user", "")]},
    {"messages": [("user", "  padded \n\n"), ("assistant", "\n fine "), ("user", "more\n")]},
    {"messages": [("system", "S"), ("user", "a"), ("assistant", "b"), ("system", "T"), ("user", "c")]},
    {"messages": [("user", "{{ 7*7 }} {% if %} \\n \u6f22\u5b57 \U0001f600")]},
    {"messages": [("user", "Weather?")], "tools": [WEATHER]},
    {"messages": [("system", "Be brief."), ("user", "Weather?")], "tools": [WEATHER, EMPTY]},
    {"messages": [("user", "Weather?"), ("assistant", "", [call("get_weather", city="Paris, FR", days=2)]),
                  ("tool", "{\"c\": 21}"), ("user", "thanks")], "tools": [WEATHER]},
    {"messages": [("user", "Both?"), ("assistant", "Looking.", [call("get_weather", city="a\"b"), call("now")]),
                  ("tool", "21"), ("tool", "12:00\n")], "tools": [WEATHER, EMPTY]},
]


def chat_template(path):
    """tokenizer.chat_template of a GGUF file."""
    with open(path, "rb") as file:
        def take(fmt):
            return struct.unpack("<" + fmt, file.read(struct.calcsize(fmt)))[0]

        def text():
            return file.read(take("Q"))

        simple = {0: "B", 1: "b", 2: "H", 3: "h", 4: "I", 5: "i", 6: "f", 7: "?", 10: "Q", 11: "q", 12: "d"}

        def value(kind):
            if kind == 8:
                return text()
            if kind == 9:
                inner, count = take("I"), take("Q")
                return [value(inner) for _ in range(count)]
            return take(simple[kind])

        assert file.read(4) == b"GGUF"
        take("I"), take("Q")
        for _ in range(take("Q")):
            key = text().decode()
            found = value(take("I"))
            if key == "tokenizer.chat_template":
                return found.decode()
    raise SystemExit(path + " has no chat template")


def render(source, conversation):
    environment = jinja2.Environment(trim_blocks=True, lstrip_blocks=True)
    environment.filters["tojson"] = lambda x: json.dumps(x, ensure_ascii=False)
    messages = []
    for role, content, *calls in conversation["messages"]:
        messages.append({"role": role, "content": content, **({"tool_calls": calls[0]} if calls else {})})
    return environment.from_string(source).render(
        messages=messages, tools=conversation.get("tools"), add_generation_prompt=True)


def main():
    sources = {"qwen2.5": chat_template(sys.argv[1]), "qwen2.5-braces": chat_template(sys.argv[2]),
               "smollm2": chat_template(sys.argv[3]), **PUBLISHED}
    rows = []
    for name, source in sources.items():
        for conversation in CONVERSATIONS:
            uses_tools = "tools" in conversation or any(m[0] == "tool" for m in conversation["messages"])
            if uses_tools and not name.startswith("qwen"):
                continue
            rows.append({"template": name, **conversation, "expected": render(source, conversation)})
    json.dump({"sources": sources, "rows": rows}, sys.stdout, indent=1)
    print()


main()

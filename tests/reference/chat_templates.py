#!/usr/bin/env python3
"""Records what model files' own chat templates make of a table of conversations, rendered by jinja2
with the settings of transformers (trim_blocks, lstrip_blocks, tojson without ASCII escapes).

    pip install jinja2 mistral-common
    tests/reference/chat_templates.py [NAME=FILE...] [not-NAME=FILE...] > NEW && mv NEW tests/reference/chat_templates.json

FILE is a GGUF file or a Jinja text; names that are not given keep the text of the last recording. The
texts came from: qwen2.5, qwen2.5-braces, smollm2: the GGUF files of `tophand pull`; qwen3, qwen35,
llama3.1 (and the variants llama3.2, llama3.3), phi3 (Phi-3.5), mistral-nemo: vendor/llama.cpp/models/templates in
PyPI's llama-cpp-python 0.3.36 (source); minicpm, phi3-mini, phi3-small, phi4-first, mistral-v0.1, mistral-v0.2: its
tests/test-chat-template.cpp; falcon3, mistral-v3: optimum/exporters/openvino/utils.py in PyPI's
optimum-intel 2.2.0, and falcon3-plain there, too; qwen3-2507 (Instruct), qwen35-direct, qwen36, qwen38: trl/chat_templates in PyPI's
trl 1.16.0; qwen3-thinking (2507): PyPI's unsloth 2026.10.9; qwen3-unsloth: guidance/chat.py in PyPI's guidance 0.3.1. Those below stand as their publishers' tokenizer_config.json has them.

not-NAME are relatives of known families that print something else, and must be refused: from llama.cpp's folder
qwq-32b, hermes-2-tools, hermes-3-tools, qwen3-coder, smollm3, mimo-vl; from unsloth zephyr, llama3.1-unsloth (it does not trim);
from axolotl 0.19.0 qwen3-axolotl (every prompt ends inside of thoughts), pixtral; from trl llava-next; from optimum-intel
chatml-blank (a blank in front of answers).

Mistral's expected prompts are not the Jinja text's but what PyPI's mistral-common, the publisher's own
encoder, makes of the conversation: its ids, spelled out. BOS is left out: the tokenizer adds it.
"""
import json
import struct
import sys

import jinja2

RECORDED = "tests/reference/chat_templates.json"
BOS = {"llama2": "<s>", "mistral-v1": "<s>", "mistral-v3": "<s>", "phi3-mini": "<s>", "phi3-small": "<s>"}
EOS = {"falcon3": "<|endoftext|>"}
# Other texts of a family that has its rows: they must be recognised as it.
VARIANTS = {"llama3.2": "llama3.1", "llama3.3": "llama3.1", "phi3-mini": "phi3", "phi3-small": "phi3", "mistral-v0.1": "mistral-v1",
            "mistral-v0.2": "mistral-v1", "mistral-nemo": "mistral-v3", "phi4-first": "phi4", "qwen3-2507": "chatml",
            "qwen3-unsloth": "qwen3", "falcon3-plain": "falcon3"}

PUBLISHED = {
    "chatml": "{% for message in messages %}{{'<|im_start|>' + message['role'] + '\\n' + message['content'] + '<|im_end|>' + '\\n'}}{% endfor %}{% if add_generation_prompt %}{{ '<|im_start|>assistant\\n' }}{% endif %}",
    "llama3": "{% set loop_messages = messages %}{% for message in loop_messages %}{% set content = '<|start_header_id|>' + message['role'] + '<|end_header_id|>\\n\\n'+ message['content'] | trim + '<|eot_id|>' %}{{ content }}{% endfor %}{% if add_generation_prompt %}{{ '<|start_header_id|>assistant<|end_header_id|>\\n\\n' }}{% endif %}",
    "phi4": "{% for message in messages %}{% if (message['role'] == 'system') %}{{'<|im_start|>system<|im_sep|>' + message['content'] + '<|im_end|>'}}{% elif (message['role'] == 'user') %}{{'<|im_start|>user<|im_sep|>' + message['content'] + '<|im_end|>'}}{% elif (message['role'] == 'assistant') %}{{'<|im_start|>assistant<|im_sep|>' + message['content'] + '<|im_end|>'}}{% endif %}{% endfor %}{% if add_generation_prompt %}{{ '<|im_start|>assistant<|im_sep|>' }}{% endif %}",
    "llama2": "{% if messages[0]['role'] == 'system' %}{% set loop_messages = messages[1:] %}{% set system_message = messages[0]['content'] %}{% else %}{% set loop_messages = messages %}{% set system_message = false %}{% endif %}{% for message in loop_messages %}{% if (message['role'] == 'user') != (loop.index0 % 2 == 0) %}{{ raise_exception('Conversation roles must alternate user/assistant/user/assistant/...') }}{% endif %}{% if loop.index0 == 0 and system_message != false %}{% set content = '<<SYS>>\\n' + system_message + '\\n<</SYS>>\\n\\n' + message['content'] %}{% else %}{% set content = message['content'] %}{% endif %}{% if message['role'] == 'user' %}{{ bos_token + '[INST] ' + content.strip() + ' [/INST]' }}{% elif message['role'] == 'assistant' %}{{ ' '  + content.strip() + ' ' + eos_token }}{% endif %}{% endfor %}",
    "bitnet": "{% set loop_messages = messages %}{% for message in loop_messages %}{% set content = message['role'] | capitalize + ': '+ message['content'] | trim + '<|eot_id|>' %}{{ content }}{% endfor %}{% if add_generation_prompt %}{{ 'Assistant: ' }}{% endif %}",
}
RELATIVES = {
    "yi-1.5": "{% if messages[0]['role'] == 'system' %}{% set system_message = messages[0]['content'] %}{% endif %}{% if system_message is defined %}{{ system_message }}{% endif %}{% for message in messages %}{% set content = message['content'] %}{% if message['role'] == 'user' %}{{ '<|im_start|>user\\n' + content + '<|im_end|>\\n<|im_start|>assistant\\n' }}{% elif message['role'] == 'assistant' %}{{ content + '<|im_end|>' + '\\n' }}{% endif %}{% endfor %}",
}
WEATHER = {"type": "function", "function": {"name": "get_weather", "description": "Weather of a <city> & more \u00e9", "parameters": {"type": "object", "properties": {"city": {"type": "string", "enum": ["Paris, FR", "Oslo: NO"]}, "days": {"type": "integer", "minimum": 1}}, "required": ["city"]}}}
EMPTY = {"type": "function", "function": {"name": "now", "description": "", "parameters": {}}}


def call(name, **arguments):
    return {"type": "function", "function": {"name": name, "arguments": arguments}}


# A message is (role, content) or (role, content, {"calls": [...], "reasoning": "...", "id": "..."}).
def calls(*each, **more):
    return {"calls": list(each), **more}


CONVERSATIONS = [
    {"messages": [("user", "Hello")]},
    {"messages": [("system", "Be brief."), ("user", "Hello")]},
    {"messages": [("system", ""), ("user", "")]},
    {"messages": [("user", "  padded \n\n"), ("assistant", "\n fine "), ("user", "more\n")]},
    {"messages": [("system", " S\n"), ("user", "a"), ("assistant", "b"), ("user", "c"), ("assistant", "d"), ("user", "\u2003e\u00a0")]},
    {"messages": [("system", "S"), ("user", "a"), ("assistant", "b"), ("system", "T"), ("user", "c")]},
    {"messages": [("user", "one"), ("user", "two"), ("assistant", "b"), ("assistant", "c"), ("user", "d")]},
    {"messages": [("assistant", "I begin."), ("user", "fine")]},
    {"messages": [("user", "{{ 7*7 }} {% if %} \\n \u6f22\u5b57 \U0001f600")]},
    {"messages": [("user", "Weather?")], "tools": [WEATHER]},
    {"messages": [("system", "Be brief."), ("user", "Weather?")], "tools": [WEATHER, EMPTY]},
    {"messages": [("system", ""), ("user", "Weather?")], "tools": [EMPTY]},
    {"messages": [("user", "Weather?"), ("assistant", "", calls(call("get_weather", city="Paris, FR", days=2))),
                  ("tool", "{\"c\": 21}"), ("user", "thanks")], "tools": [WEATHER]},
    {"messages": [("user", "Both?"), ("assistant", "Looking.", calls(call("get_weather", city="a\"b"), call("now"))),
                  ("tool", "21"), ("tool", "12:00\n")], "tools": [WEATHER, EMPTY]},
    {"messages": [("system", "S"), ("user", "One?"), ("assistant", "", calls(call("get_weather", city="\u00c5s", days=1))),
                  ("tool", "rain & <wind>"), ("assistant", "It rains."), ("user", "And now?")], "tools": [WEATHER]},
    {"messages": [("user", "Types?"), ("assistant", "", calls(call("f", text="a\nb", yes=True, no=False, none=None, list=[1, "x"],
                                                                   object={"k": 1.5}, number=3))), ("tool", "ok")], "tools": [EMPTY]},
    {"messages": [("user", "Think."), ("assistant", "Done.", {"reasoning": "\nFirst, then.\n"}), ("user", "Again.")]},
    {"messages": [("user", "Think."), ("assistant", "<think>\nold way\n</think>\n\nDone."), ("user", "Again."),
                  ("assistant", "More.", {"reasoning": "kept?"}), ("user", "<tool_response>x</tool_response>")]},
    {"messages": [("user", "Do."), ("assistant", "", calls(call("now"), reasoning="I need the time.")), ("tool", "12:00"),
                  ("assistant", "Next.", calls(call("now"))), ("tool", "12:01")], "tools": [EMPTY]},
    {"messages": [("user", "Do."), ("assistant", "", calls(call("now"), reasoning="\n")), ("tool", "12:00")], "tools": [EMPTY]},
    {"messages": [("user", "Quick."), ("assistant", "a"), ("user", "b")], "think": False},
    {"messages": [("user", "Slow.")], "think": True},
]
# Mistral's own encoder takes alternating turns, and calls whose ids have nine letters.
MISTRAL = [
    {"messages": [("user", "Hello")]},
    {"messages": [("system", "Be brief."), ("user", "Hello")]},
    {"messages": [("system", "S"), ("user", "a"), ("assistant", "b"), ("user", "c"), ("assistant", "d "), ("user", "e\n\nf")]},
]
MISTRAL_TOOLS = [
    {"messages": [("user", "Weather?")], "tools": [WEATHER]},
    {"messages": [("system", "S"), ("user", "q"), ("assistant", "b"), ("user", "Weather?")], "tools": [WEATHER, EMPTY]},
    {"messages": [("user", "Weather?"), ("assistant", "", calls(call("get_weather", city="Paris, FR", days=2), id="abcdefghi")),
                  ("tool", "{\"c\": 21}", {"id": "abcdefghi"}), ("assistant", "21."), ("user", "thanks")], "tools": [WEATHER]},
    {"messages": [("system", "S"), ("user", "Both?"), ("assistant", "", calls(call("now"), call("get_weather", city="a\"b"), id="A1b2C3d4E")),
                  ("tool", "noon, \"sharp\"", {"id": "A1b2C3d4E"}), ("tool", "3", {"id": "A1b2C3d4E"})], "tools": [WEATHER, EMPTY]},
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


class Refused(Exception):
    pass


def refuse(message):
    raise Refused(message)


def render(name, source, conversation):
    environment = jinja2.Environment(trim_blocks=True, lstrip_blocks=True)
    environment.filters["tojson"] = lambda x, indent=None: json.dumps(x, ensure_ascii=False, indent=indent)
    environment.globals["raise_exception"] = refuse
    messages = []
    for role, content, *more in conversation["messages"]:
        extras = more[0] if more else {}
        message = {"role": role, "content": content}
        if "calls" in extras:
            message["tool_calls"] = extras["calls"]
        if "reasoning" in extras:
            message["reasoning_content"] = extras["reasoning"]
        messages.append(message)
    think = {"enable_thinking": conversation["think"]} if "think" in conversation else {}
    bos = BOS.get(name, "")
    out = environment.from_string(source).render(messages=messages, tools=conversation.get("tools"), add_generation_prompt=True, bos_token=bos,
                                                 eos_token=EOS.get(name, "</s>"), **think)
    return out[len(bos):] if bos and out.startswith(bos) else out


def render_mistral(version, conversation):
    """What mistral-common's ids spell, without BOS and without the space that SentencePiece puts first."""
    from mistral_common.protocol.instruct import messages as m, tool_calls as t
    from mistral_common.protocol.instruct.request import ChatCompletionRequest
    from mistral_common.tokens.tokenizers.mistral import MistralTokenizer
    tokenizer = MistralTokenizer.v1() if version == "mistral-v1" else MistralTokenizer.v3()
    messages = []
    for role, content, *more in conversation["messages"]:
        extras = more[0] if more else {}
        made = [t.ToolCall(id=extras["id"], function=t.FunctionCall(name=c["function"]["name"], arguments=json.dumps(c["function"]["arguments"])))
                for c in extras.get("calls", [])]
        messages.append(m.SystemMessage(content=content) if role == "system" else m.UserMessage(content=content) if role == "user" else
                        m.ToolMessage(content=content, tool_call_id=extras["id"]) if role == "tool" else
                        m.AssistantMessage(content=content or None, tool_calls=made or None))
    tools = [t.Tool(function=t.Function(**each["function"])) for each in conversation.get("tools", [])]
    ids = tokenizer.encode_chat_completion(ChatCompletionRequest(messages=messages, tools=tools or None)).tokens
    model = tokenizer.instruct_tokenizer.tokenizer._model
    out, first = "", True
    for i in ids[1:]:
        text = model.id_to_piece(i).replace("\u2581", " ")
        if model.is_byte(i):
            text = chr(int(text[3:5], 16))
        out += text[1:] if first and text.startswith(" ") else text
        first = model.is_control(i)
    return out


def main():
    recorded = json.load(open(RECORDED))
    sources = {**recorded["sources"], **recorded.get("variants", {}), **PUBLISHED}
    relatives = {**recorded.get("relatives", {}), **RELATIVES}
    for argument in sys.argv[1:]:
        name, path = argument.split("=", 1)
        text = chat_template(path) if path.endswith(".gguf") else open(path).read()
        if name.startswith("not-"):
            relatives[name.removeprefix("not-")] = text
        else:
            sources[name] = text
    variants = {name: sources.pop(name) for name in VARIANTS if name in sources}
    rows = []
    for name, source in sources.items():
        speaks_tools = name.startswith(("qwen", "llama3.1", "falcon3"))
        for conversation in [] if name.startswith("mistral") else CONVERSATIONS:
            uses_tools = "tools" in conversation or any(m[0] == "tool" for m in conversation["messages"])
            if uses_tools and not speaks_tools:
                continue
            try:
                rows.append({"template": name, **conversation, "expected": render(name, source, conversation)})
            except Refused:
                pass  # the template takes no such conversation; ours does what it can
    for version in ("mistral-v1", "mistral-v3"):
        for conversation in MISTRAL + (MISTRAL_TOOLS if version == "mistral-v3" else []):
            rows.append({"template": version, **conversation, "expected": render_mistral(version, conversation)})
    top = json.dumps({"sources": sources, "variants": variants, "variant_of": VARIANTS, "relatives": relatives}, indent=1)
    print(top[:-2] + ',\n "rows": [\n' + ",\n".join(json.dumps(row) for row in rows) + "\n]}")


main()

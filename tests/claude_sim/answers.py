"""What the simulator answers: deterministic, and plain about being a simulator.

Tests steer it with magic words in the last user message:

  [[say TEXT]]               answers TEXT
  [[tool NAME {json}]]       asks for that tool (may be given several times)
  [[words N]]                answers N words
  [[search N]]               counts N web searches, where the tool for them is given
  [[fail STATUS]]            answers that HTTP status; [[fail 429 7]] adds retry-after: 7
  [[fail-mid ERROR_TYPE]]    starts the stream, then sends an error event
  [[cut]]                    starts the response, then drops the connection

`[[then]]` between them makes a script for an agent's turn: the part before it is for the first
answer, the next for the answer after the tool's result, and so on.
"""

import hashlib
import json
import re

from validate import merge_turns

NOTICE = "This answer comes from a simulator of the Claude API (test equipment), not from Claude."
TOOL = re.compile(r"\[\[tool ([A-Za-z0-9_-]{1,128}) ")
SAY = re.compile(r"\[\[say (.*?)\]\]", re.DOTALL)
WORDS = re.compile(r"\[\[words (\d{1,5})\]\]")
SEARCH = re.compile(r"\[\[search (\d{1,3})\]\]")
FAIL = re.compile(r"\[\[fail (\d{3})(?: (\d+))?\]\]")
FAIL_MID = re.compile(r"\[\[fail-mid ([a-z_]+)\]\]")
THEN = "[[then]]"
PIECE = re.compile(r"\s*\S+|\s+$")


def tokens_of(text):
    """A made-up but fixed rule: a token for every three bytes, rounded up."""
    return (len(text.encode("utf-8", "replace")) + 2) // 3


def pieces_of(text):
    """The output tokens: words with the space before them."""
    return PIECE.findall(text)


def text_of(content):
    if isinstance(content, str):
        return content
    return "\n".join(block["text"] for block in content if block["type"] == "text")


def last_user(value):
    turns = [turn for turn in merge_turns(value["messages"]) if turn["role"] == "user"]
    return turns[-1]["content"]


def steering_text(value):
    """The text whose magic words count: that of the last user message, or the part of an earlier
    one's script whose turn it is."""
    turns = merge_turns(value["messages"])
    for index in reversed(range(len(turns))):
        text = text_of(turns[index]["content"])
        if turns[index]["role"] != "user" or "[[" not in text:
            continue
        parts = text.split(THEN)
        step = sum(turn["role"] == "assistant" for turn in turns[index:])
        if len(parts) > 1 and step < len(parts):
            return parts[step]
        break
    return text_of(last_user(value))


def prompt_parts(value):
    """(text, ttl) in the order the API caches: tools, system, messages. ttl of a cache breakpoint
    that ends the part, else None."""
    parts = []

    def plain(item):  # the mark is no part of what is kept
        return json.dumps({key: each for key, each in item.items() if key != "cache_control"}, sort_keys=True)

    def add(item, text):
        control = item.get("cache_control") if isinstance(item, dict) else None
        parts.append((text, control.get("ttl", "5m") if control else None))

    for tool in value.get("tools", []):
        add(tool, plain(tool))
    system = value.get("system") or []
    for block in [{"text": system}] if isinstance(system, str) else system:
        add(block, block["text"])
    for message in value["messages"]:
        content = message["content"]
        for block in [{"text": content}] if isinstance(content, str) else content:
            add(block, message["role"] + ":" + block.get("text", plain(block)))
    return parts


def input_tokens(value):
    return sum(tokens_of(text) for text, _ in prompt_parts(value)) + 8


LOOKED_BACK = 20  # blocks in front of a mark in which the API looks for what it has


class PromptCache:
    """Prefixes that end at a cache_control are kept. One that ends at a mark, or up to 20 blocks in
    front of it, is read where it was kept before; what lies behind it up to the last mark is written."""

    def __init__(self):
        self.seen = set()

    def prefixes(self, value):
        """(tokens, key, ttl or None) of the prompt up to the end of each of its parts."""
        digest, total = hashlib.sha256(), 8
        for text, ttl in prompt_parts(value):
            digest.update(text.encode("utf-8", "replace") + b"\0")
            total += tokens_of(text)
            yield total, (value["model"], digest.hexdigest()), ttl

    def usage(self, value):
        prefixes = list(self.prefixes(value))
        total = prefixes[-1][0]
        marked = [at for at, (_, _, ttl) in enumerate(prefixes) if ttl is not None]
        read_to = max((prefixes[back][0] for at in marked for back in range(max(0, at - LOOKED_BACK), at + 1)
                       if prefixes[back][1] in self.seen), default=0)
        write_to, writes = read_to, {"5m": 0, "1h": 0}
        for at in marked:
            tokens, key, ttl = prefixes[at]
            writes["1h" if ttl == "1h" else "5m"] += max(0, tokens - write_to)
            write_to = max(write_to, tokens)
            self.seen.add(key)
        created = writes["5m"] + writes["1h"]
        return {"input_tokens": total - write_to,
                "cache_creation_input_tokens": created,
                "cache_read_input_tokens": read_to,
                "cache_creation": {"ephemeral_5m_input_tokens": writes["5m"],
                                   "ephemeral_1h_input_tokens": writes["1h"]},
                "output_tokens": 1, "service_tier": "standard"}


def tool_calls(prompt):
    calls, decoder = [], json.JSONDecoder()
    for match in TOOL.finditer(prompt):
        try:
            arguments, end = decoder.raw_decode(prompt, match.end())
        except json.JSONDecodeError:
            continue
        if isinstance(arguments, dict) and prompt.startswith("]]", end):
            calls.append((match.group(1), arguments))
    return calls


def instance_of(schema, depth=0):
    """The smallest value that a JSON schema of the usual kind allows."""
    if not isinstance(schema, dict) or depth > 16:
        return None
    if "const" in schema:
        return schema["const"]
    if schema.get("enum"):
        return schema["enum"][0]
    kind = schema.get("type")
    kind = kind[0] if isinstance(kind, list) else kind
    if kind == "object" or "properties" in schema:
        return {name: instance_of(inner, depth + 1)
                for name, inner in schema.get("properties", {}).items()}
    return {"array": [], "string": "simulated", "integer": schema.get("minimum", 0),
            "number": schema.get("minimum", 0), "boolean": False}.get(kind)


def answer_text(value):
    content = last_user(value)
    prompt = steering_text(value)
    said = SAY.search(prompt)
    words = WORDS.search(prompt)
    results = [] if isinstance(content, str) else [b for b in content if b["type"] == "tool_result"]
    schema = (value.get("output_config") or {}).get("format", value.get("output_format"))
    if isinstance(schema, dict) and schema.get("type") == "json_schema":
        return json.dumps(instance_of(schema.get("schema", {})))
    if said:
        return said.group(1)
    if words:
        return " ".join(f"word{index}" for index in range(int(words.group(1))))
    if results:
        outputs = [text_of(result.get("content", "")) for result in results]
        return "Last tool output: " + outputs[-1].strip() + "\n" + NOTICE
    first = " ".join(prompt.split())[:80]
    return f"{NOTICE} You asked: \"{first}\" ({input_tokens(value)} input tokens by its own rule)."


def add_terms(usage, value):
    """What else is billed: web searches, as many as allowed, and where it was inferred."""
    if "inference_geo" in value:
        usage["inference_geo"] = value["inference_geo"]
    searched = SEARCH.search(steering_text(value))
    for tool in value.get("tools", []) if searched else []:
        if tool.get("type", "").startswith("web_search_"):
            count = min(int(searched.group(1)), tool.get("max_uses", 1000))
            usage["server_tool_use"] = {"web_search_requests": count}
            usage["input_tokens"] += 1000 * count


def answer(value, cache):
    """-> (blocks, stop_reason, stop_sequence, usage). Each block carries its output `pieces`."""
    usage = cache.usage(value)
    add_terms(usage, value)
    prompt = steering_text(value)
    calls = tool_calls(prompt) if value.get("tools") else []
    choice = value.get("tool_choice") or {"type": "auto"}
    if choice["type"] == "none":
        calls = []
    elif not calls and choice["type"] in ("any", "tool"):
        tool = next((t for t in value["tools"] if t["name"] == choice.get("name")),
                    value["tools"][0])
        calls = [(tool["name"], instance_of(tool.get("input_schema", {"type": "object"})) or {})]
    blocks = []
    if (value.get("thinking") or {}).get("type") == "enabled":
        blocks.append({"type": "thinking", "pieces": ["A ", "simulated ", "thought."]})
    if not calls:
        blocks.append({"type": "text", "pieces": pieces_of(answer_text(value))})
    for index, (name, arguments) in enumerate(calls):
        seed = f"{name}{json.dumps(arguments)}{index}{len(value['messages'])}"
        tool_id = "toolu_sim" + hashlib.sha256(seed.encode()).hexdigest()[:18]
        text = json.dumps(arguments)
        blocks.append({"type": "tool_use", "id": tool_id, "name": name, "input": arguments,
                       "pieces": [text[at:at + 7] for at in range(0, len(text), 7)]})
    reason, stop = ("tool_use" if calls else "end_turn"), None
    if not calls:
        reason, stop = limit(blocks[-1], value)
    usage["output_tokens"] = max(1, sum(len(block["pieces"]) for block in blocks))
    return blocks, reason, stop, usage


def limit(block, value):
    """Applies stop sequences and max_tokens to a text block."""
    text = "".join(block["pieces"])
    hits = [(text.find(stop), stop) for stop in value.get("stop_sequences", []) if stop in text]
    reason, stop = "end_turn", None
    if hits:
        at, stop = min(hits)
        block["pieces"], reason = pieces_of(text[:at]), "stop_sequence"
    if len(block["pieces"]) > value["max_tokens"]:
        block["pieces"] = block["pieces"][:value["max_tokens"]]
        reason, stop = "max_tokens", None
    return reason, stop

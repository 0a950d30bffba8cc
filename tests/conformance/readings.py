"""What a client of each dialect makes of an answer. Reading is lenient, so that a fault in one place is
reported once, by the check it belongs to, and not by every other check as well."""

import json
from dataclasses import dataclass, field


@dataclass
class Tool:
    id: str = ""
    name: str = ""
    arguments: str = ""  # as text; Ollama's objects are written out

    def parsed(self):
        """The arguments as a value; None when they are no JSON. An Anthropic call may have no bytes."""
        try:
            return json.loads(self.arguments or "{}")
        except ValueError:
            return None


@dataclass
class Reading:
    frames: list = field(default_factory=list)   # (event name or None, value); "[DONE]" is a value
    broken: list = field(default_factory=list)   # what could not be read
    text: str = ""
    refusal: str = ""     # the part of the text that is told as one
    thinking: str = ""
    signature: str = ""
    tools: list = field(default_factory=list)
    stop: str = ""        # end, length, tool_use, refusal, or the dialect's own word
    stop_sequence: str = ""
    usage: dict = field(default_factory=dict)    # input (all of it), cached, output
    error: str = ""       # an error in the dialect's form, its message
    finished: bool = False  # a client would take it for a whole answer
    answers: list = field(default_factory=list)  # of several: each one's text, by its index

    @property
    def has_content(self):
        return bool(self.text or self.thinking or self.tools)


STOPS = {
    "anthropic": {"end_turn": "end", "stop_sequence": "end", "max_tokens": "length", "tool_use": "tool_use",
                  "refusal": "refusal", "model_context_window_exceeded": "length"},
    "openai": {"stop": "end", "length": "length", "tool_calls": "tool_use", "content_filter": "refusal"},
    "completions": {"stop": "end", "length": "length", "content_filter": "refusal"},
    "ollama": {"stop": "end", "length": "length"},
}
LINES = ("ollama", "generate")  # dialects that stream a JSON object a line


def read_stream(dialect, data):
    reading = Reading()
    if dialect in LINES:
        reading.frames = list(_lines(data, reading.broken))
    else:
        reading.frames = list(_sse(data, reading.broken))
    {"anthropic": _anthropic, "openai": _openai, "responses": _responses, "ollama": _ollama,
     "completions": _completions, "generate": _generate}[dialect](reading)
    return reading


def _sse(data, broken):
    text = data.decode("utf-8", "replace").replace("\r\n", "\n").replace("\r", "\n")
    frames = text.split("\n\n")
    if frames[-1].strip():
        broken.append(f"the stream ends inside a frame: {frames[-1][-60:]!r}")
    for frame in frames[:-1]:
        name, lines = None, []
        for line in frame.split("\n"):
            if line.startswith("event:"):
                name = line[6:].strip()
            elif line.startswith("data:"):
                lines.append(line[5:].removeprefix(" "))
            elif line and not line.startswith(":") and not line.startswith(("id:", "retry:")):
                broken.append(f"not SSE: {line[:60]!r}")
        value = "\n".join(lines)
        if value == "[DONE]":
            yield name, value
        elif value:
            yield from ((name, parsed) for parsed in _object(value, broken))


def _lines(data, broken):
    lines = data.decode("utf-8", "replace").split("\n")
    if lines[-1].strip():
        broken.append(f"the last line is not complete: {lines[-1][-60:]!r}")
    for line in lines[:-1]:
        if line.strip():
            yield from ((None, parsed) for parsed in _object(line, broken))


def _object(text, broken):
    try:
        value = json.loads(text)
    except ValueError:
        value = None
    if isinstance(value, dict):
        yield value
    else:
        broken.append(f"not a JSON object: {text[:60]!r}")


def error_text(value):
    """The message of an error in anybody's form, or ""."""
    error = value.get("error") if isinstance(value, dict) else None
    if isinstance(error, dict):
        return str(error.get("message") or error.get("type") or error)
    return str(error) if error else ""


def _anthropic_usage(usage):
    read, written = usage.get("cache_read_input_tokens") or 0, usage.get("cache_creation_input_tokens") or 0
    return {"input": (usage.get("input_tokens") or 0) + read + written, "cached": read,
            "output": usage.get("output_tokens") or 0}


def _openai_usage(usage):
    details = usage.get("prompt_tokens_details") or {}
    return {"input": usage.get("prompt_tokens") or 0, "cached": details.get("cached_tokens") or 0,
            "output": usage.get("completion_tokens") or 0}


def _responses_usage(usage):
    details = usage.get("input_tokens_details") or {}
    return {"input": usage.get("input_tokens") or 0, "cached": details.get("cached_tokens") or 0,
            "output": usage.get("output_tokens") or 0}


def _anthropic(reading):
    tools, usage = {}, {}
    for _, value in reading.frames:
        kind = value.get("type") if isinstance(value, dict) else None
        if kind == "message_start":
            usage.update(value.get("message", {}).get("usage") or {})
        elif kind == "content_block_start":
            block = value.get("content_block", {})
            reading.text += block.get("text", "")
            if block.get("type") == "tool_use":
                given = json.dumps(block["input"]) if block.get("input") else ""
                tools[value.get("index")] = Tool(block.get("id", ""), block.get("name", ""), given)
                reading.tools.append(tools[value.get("index")])
        elif kind == "content_block_delta":
            delta = value.get("delta", {})
            reading.text += delta.get("text", "")
            reading.thinking += delta.get("thinking", "")
            reading.signature += delta.get("signature", "")
            if value.get("index") in tools:
                tools[value["index"]].arguments += delta.get("partial_json", "")
        elif kind == "message_delta":
            reason = value.get("delta", {}).get("stop_reason") or reading.stop
            reading.stop = STOPS["anthropic"].get(reason, reason)
            reading.stop_sequence = value.get("delta", {}).get("stop_sequence") or ""
            usage.update({k: v for k, v in (value.get("usage") or {}).items() if v is not None})
        elif kind == "error":
            reading.error = error_text(value)
        elif kind == "message_stop":
            reading.finished = not reading.error
    reading.usage = _anthropic_usage(usage) if usage else {}


def _openai(reading):
    tools = {}
    for _, value in reading.frames:
        if value == "[DONE]":
            continue
        reading.error = reading.error or error_text(value)
        if value.get("usage"):
            reading.usage = _openai_usage(value["usage"])
        for choice in value.get("choices") or []:
            delta = choice.get("delta") or {}
            reading.text += delta.get("content") or ""
            _refusal(reading, delta)
            reading.thinking += delta.get("reasoning_content") or delta.get("reasoning") or ""
            for call in delta.get("tool_calls") or []:
                _openai_tool(reading, tools, call)
            reason = choice.get("finish_reason")
            if reason:
                reading.stop = STOPS["openai"].get(reason, reason)
    _stop_of_refusal(reading)
    reading.finished = bool(reading.stop) and not reading.error


def _refusal(reading, said):
    """The text of a refusal, where it is told as one."""
    reading.refusal += said.get("refusal") or ""
    reading.text += said.get("refusal") or ""


def _stop_of_refusal(reading):
    """OpenAI ends such an answer as any other: where its words stand is what tells it."""
    if reading.refusal and reading.stop == "end":
        reading.stop = "refusal"


def _completions(reading):
    """Of several answers the first is the reading's own."""
    texts, stops = {}, {}
    for _, value in reading.frames:
        if value == "[DONE]":
            continue
        reading.error = reading.error or error_text(value)
        if value.get("usage"):
            reading.usage = _openai_usage(value["usage"])
        for choice in value.get("choices") or []:
            index, reason = choice.get("index", 0), choice.get("finish_reason")
            texts[index] = texts.get(index, "") + (choice.get("text") or "")
            if reason:
                stops[index] = STOPS["completions"].get(reason, reason)
    reading.answers = [texts[index] for index in sorted(texts)]
    reading.text, reading.stop = texts.get(0, ""), stops.get(0, "")
    reading.finished = bool(stops) and stops.keys() == texts.keys() and not reading.error


def _openai_tool(reading, tools, call):
    key = call.get("index", call.get("id"))
    if key not in tools:
        tools[key] = Tool()
        reading.tools.append(tools[key])
    function = call.get("function") or {}
    tools[key].id = tools[key].id or call.get("id") or ""
    tools[key].name += function.get("name") or ""
    tools[key].arguments += function.get("arguments") or ""


def _responses(reading):
    for _, value in reading.frames:
        kind = value.get("type", "") if isinstance(value, dict) else ""
        if kind == "response.output_text.delta":
            reading.text += value.get("delta", "")
        elif kind == "response.refusal.delta":
            _refusal(reading, {"refusal": value.get("delta", "")})
        elif kind in ("response.reasoning_text.delta", "response.reasoning_summary_text.delta"):
            reading.thinking += value.get("delta", "")
        elif kind == "response.output_item.done" and value.get("item", {}).get("type") == "function_call":
            item = value["item"]
            reading.tools.append(Tool(item.get("call_id", ""), item.get("name", ""),
                                      item.get("arguments", "")))
        elif kind in ("response.completed", "response.incomplete"):
            _response_object(reading, value.get("response") or {})
            reading.finished = not reading.error
        elif kind in ("response.failed", "error"):
            inner = value.get("response") if kind == "response.failed" else value
            reading.error = error_text(inner or {}) or str(value.get("message") or kind)


def _response_object(reading, response):
    if response.get("usage"):
        reading.usage = _responses_usage(response["usage"])
    why = (response.get("incomplete_details") or {}).get("reason")
    calls = any(item.get("type") == "function_call" for item in response.get("output") or [])
    words = {"max_output_tokens": "length", "max_tokens": "length", "content_filter": "refusal"}
    reading.stop = words.get(why, why or ("tool_use" if calls else "end"))
    _stop_of_refusal(reading)


def _ollama(reading):
    for _, value in reading.frames:
        reading.error = reading.error or error_text(value)
        message = value.get("message") or {}
        reading.text += message.get("content") or ""
        reading.thinking += message.get("thinking") or ""
        for call in message.get("tool_calls") or []:
            function = call.get("function") or {}
            reading.tools.append(Tool(call.get("id", ""), function.get("name", ""),
                                      json.dumps(function.get("arguments"))))
        _done(reading, value)


def _generate(reading):
    for _, value in reading.frames:
        reading.error = reading.error or error_text(value)
        reading.text += value.get("response") or ""
        reading.thinking += value.get("thinking") or ""
        _done(reading, value)


def _done(reading, value):
    if not value.get("done"):
        return
    reason = value.get("done_reason") or "end"
    reading.stop = STOPS["ollama"].get(reason, reason)
    if reading.tools and reading.stop == "end":
        reading.stop = "tool_use"  # Ollama has no word of its own for it
    if "eval_count" in value or "prompt_eval_count" in value:
        reading.usage = {"input": value.get("prompt_eval_count") or 0, "cached": 0,
                         "output": value.get("eval_count") or 0}
    reading.finished = not reading.error


def read_whole(dialect, data):
    """An unstreamed answer, or an error's body."""
    reading = Reading()
    for value in _object(data.decode("utf-8", "replace"), reading.broken):
        reading.frames = [(None, value)]
        reading.error = error_text(value)
        if not reading.error:
            {"anthropic": _whole_anthropic, "openai": _whole_openai, "responses": _whole_responses,
             "ollama": lambda r, _: _ollama(r), "completions": lambda r, _: _completions(r),
             "generate": lambda r, _: _generate(r)}[dialect](reading, value)
    return reading


def _whole_anthropic(reading, value):
    for block in value.get("content") or []:
        reading.text += block.get("text", "")
        reading.thinking += block.get("thinking", "")
        reading.signature += block.get("signature", "")
        if block.get("type") == "tool_use":
            reading.tools.append(Tool(block.get("id", ""), block.get("name", ""),
                                      json.dumps(block.get("input"))))
    reading.stop = STOPS["anthropic"].get(value.get("stop_reason"), value.get("stop_reason") or "")
    reading.usage = _anthropic_usage(value.get("usage") or {})
    reading.finished = bool(reading.stop)


def _whole_openai(reading, value):
    for choice in value.get("choices") or []:
        message = choice.get("message") or {}
        reading.text += message.get("content") or ""
        _refusal(reading, message)
        reading.thinking += message.get("reasoning_content") or ""
        for call in message.get("tool_calls") or []:
            function = call.get("function") or {}
            reading.tools.append(Tool(call.get("id", ""), function.get("name", ""),
                                      function.get("arguments", "")))
        reading.stop = STOPS["openai"].get(choice.get("finish_reason"), choice.get("finish_reason") or "")
    _stop_of_refusal(reading)
    reading.usage = _openai_usage(value.get("usage") or {})
    reading.finished = bool(reading.stop)


def _whole_responses(reading, value):
    for item in value.get("output") or []:
        if item.get("type") == "function_call":
            reading.tools.append(Tool(item.get("call_id", ""), item.get("name", ""),
                                      item.get("arguments", "")))
        if item.get("type") == "message":
            for part in item.get("content") or []:
                reading.text += part.get("text", "")
                _refusal(reading, part)
    _response_object(reading, value)
    reading.finished = value.get("status") in ("completed", "incomplete")

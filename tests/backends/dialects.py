"""The same conversation in each dialect that clients speak, and their answers back in one form.

A turn is ("user", text), ("system", text) at the start, ("image", base64 of a PNG), ("calls", [(id, name, arguments)]) or
("results", [(id, name, text)])."""

import json
from dataclasses import dataclass, field

import rig  # noqa: F401 - it adds the folders to the path
import streams

TOOL_SCHEMA = {"type": "object", "properties": {"city": {"type": "string"}}, "required": ["city"]}
TOOL = ("get_weather", "What the weather is like", TOOL_SCHEMA)


@dataclass
class Answer:
    status: int
    headers: dict
    text: str = ""
    thinking: str = ""
    tools: list = field(default_factory=list)  # (id, name, arguments)
    reason: str = ""
    input_tokens: int = -1                     # all of them
    cached_tokens: int = 0
    output_tokens: int = -1
    error: str = ""                            # the message
    raw: bytes = b""


class Anthropic:
    path = "/v1/messages"
    reasons = {"stop": "end_turn", "length": "max_tokens", "tools": "tool_use"}

    def body(self, model, turns, stream=False, tools=False, limit=64):
        messages = []
        for kind, value in turns:
            role, content = "user", value
            if kind == "image":
                content = [{"type": "text", "text": "What is this?"},
                           {"type": "image", "source": {"type": "base64", "media_type": "image/png", "data": value}}]
            elif kind == "calls":
                role = "assistant"
                content = [{"type": "tool_use", "id": call, "name": name, "input": arguments}
                           for call, name, arguments in value]
            elif kind == "results":
                content = [{"type": "tool_result", "tool_use_id": call, "content": text} for call, _, text in value]
            messages.append({"role": role, "content": content})
        body = {"model": model, "max_tokens": limit, "messages": messages, "stream": stream}
        if turns[0][0] == "system":
            body.update(system=turns[0][1], messages=messages[1:])
        if tools:
            body["tools"] = [{"name": TOOL[0], "description": TOOL[1], "input_schema": TOOL[2]}]
        return body

    def error(self, value):
        assert value["type"] == "error" and value["error"]["type"]
        return value["error"]["message"]

    def whole(self, value, answer):
        usage = value["usage"]
        answer.cached_tokens = usage.get("cache_read_input_tokens") or 0
        answer.input_tokens = usage["input_tokens"] + answer.cached_tokens
        answer.output_tokens = usage["output_tokens"]
        answer.reason = value["stop_reason"]
        for block in value["content"]:
            answer.text += block.get("text", "")
            answer.thinking += block.get("thinking", "")
            if block["type"] == "tool_use":
                answer.tools.append((block["id"], block["name"], block["input"]))

    def streamed(self, data, answer):
        found = streams.check_anthropic(data)
        answer.text, answer.reason, answer.output_tokens = found.text, found.reason, found.output_tokens
        usage, ids = {}, []
        for _, text in streams.sse_frames(data):
            value = json.loads(text)
            usage.update(value.get("message", {}).get("usage", {}) | value.get("usage", {}))
            if value.get("content_block", {}).get("type") == "tool_use":
                ids.append(value["content_block"]["id"])
            answer.thinking += value.get("delta", {}).get("thinking", "")
            if value["type"] == "error":
                answer.error = value["error"]["message"]
        answer.tools = [(call, *tool) for call, tool in zip(ids, found.tools, strict=True)]
        answer.cached_tokens = usage.get("cache_read_input_tokens") or 0
        answer.input_tokens = usage.get("input_tokens", 0) + answer.cached_tokens


class OpenAi:
    path = "/v1/chat/completions"
    reasons = {"stop": "stop", "length": "length", "tools": "tool_calls"}

    def body(self, model, turns, stream=False, tools=False, limit=64):
        messages = []
        for kind, value in turns:
            if kind == "results":
                messages += [{"role": "tool", "tool_call_id": call, "content": text} for call, _, text in value]
            elif kind == "calls":
                messages.append({"role": "assistant", "content": None, "tool_calls": [
                    {"id": call, "type": "function", "function": {"name": name, "arguments": json.dumps(arguments)}}
                    for call, name, arguments in value]})
            elif kind == "image":
                messages.append({"role": "user", "content": [
                    {"type": "text", "text": "What is this?"},
                    {"type": "image_url", "image_url": {"url": "data:image/png;base64," + value}}]})
            else:
                messages.append({"role": kind, "content": value})
        body = {"model": model, "max_tokens": limit, "messages": messages, "stream": stream}
        if stream:
            body["stream_options"] = {"include_usage": True}
        if tools:
            body["tools"] = [{"type": "function", "function": {"name": TOOL[0], "description": TOOL[1],
                                                               "parameters": TOOL[2]}}]
        return body

    def error(self, value):
        return value["error"]["message"]

    def usage(self, usage, answer):
        answer.input_tokens, answer.output_tokens = usage["prompt_tokens"], usage["completion_tokens"]
        answer.cached_tokens = (usage.get("prompt_tokens_details") or {}).get("cached_tokens", 0)

    def whole(self, value, answer):
        self.usage(value["usage"], answer)
        choice = value["choices"][0]
        answer.reason, message = choice["finish_reason"], choice["message"]
        answer.text, answer.thinking = message["content"] or "", message.get("reasoning_content") or ""
        answer.tools = [(call["id"], call["function"]["name"], json.loads(call["function"]["arguments"]))
                        for call in message.get("tool_calls") or []]

    def streamed(self, data, answer):
        found = streams.check_openai(data)
        answer.text, answer.reason = found.text, found.reason
        ids = {}
        for _, text in streams.sse_frames(data):
            value = {} if text == "[DONE]" else json.loads(text)
            if value.get("usage"):
                self.usage(value["usage"], answer)
            if "error" in value:
                answer.error = value["error"]["message"]
            for choice in value.get("choices", []):
                answer.thinking += choice["delta"].get("reasoning_content") or ""
                for call in choice["delta"].get("tool_calls", []):
                    ids.setdefault(call["index"], call.get("id"))
        answer.tools = [(call, *tool) for call, tool in zip(ids.values(), found.tools, strict=True)]


class Ollama:
    path = "/api/chat"
    reasons = {"stop": "stop", "length": "length", "tools": "stop"}

    def body(self, model, turns, stream=False, tools=False, limit=64):
        messages = []
        for kind, value in turns:
            if kind == "results":
                messages += [{"role": "tool", "tool_name": name, "content": text} for _, name, text in value]
            elif kind == "calls":
                messages.append({"role": "assistant", "content": "", "tool_calls": [
                    {"function": {"name": name, "arguments": arguments}} for _, name, arguments in value]})
            elif kind == "image":
                messages.append({"role": "user", "content": "What is this?", "images": [value]})
            else:
                messages.append({"role": kind, "content": value})
        body = {"model": model, "messages": messages, "stream": stream, "options": {"num_predict": limit}}
        if tools:
            body["tools"] = [{"type": "function", "function": {"name": TOOL[0], "description": TOOL[1],
                                                               "parameters": TOOL[2]}}]
        return body

    def error(self, value):
        return value["error"]

    def whole(self, value, answer):
        self.last(value, answer)
        self.line(value, answer)

    def last(self, value, answer):
        answer.input_tokens, answer.output_tokens = value["prompt_eval_count"], value["eval_count"]
        answer.reason = value["done_reason"]

    def line(self, value, answer):
        message = value["message"]
        answer.text += message["content"]
        answer.thinking += message.get("thinking") or ""
        answer.tools += [(call.get("id"), call["function"]["name"], call["function"]["arguments"])
                         for call in message.get("tool_calls") or []]

    def streamed(self, data, answer):
        streams.check_ollama(data)
        for text in data.splitlines():
            value = json.loads(text)
            if "error" in value:
                answer.error = value["error"]
                return
            self.line(value, answer)
            if value["done"]:
                self.last(value, answer)


class Responses:
    path = "/v1/responses"
    # Calls are items: the response is complete with them.
    reasons = {"stop": "completed", "length": "max_output_tokens", "tools": "completed"}

    def body(self, model, turns, stream=False, tools=False, limit=64):
        items = []
        for kind, value in turns:
            if kind == "results":
                items += [{"type": "function_call_output", "call_id": call, "output": text} for call, _, text in value]
            elif kind == "calls":
                items += [{"type": "function_call", "call_id": call, "name": name, "arguments": json.dumps(arguments)}
                          for call, name, arguments in value]
            elif kind == "image":
                items.append({"role": "user", "content": [
                    {"type": "input_text", "text": "What is this?"},
                    {"type": "input_image", "image_url": "data:image/png;base64," + value}]})
            else:
                items.append({"role": kind, "content": value})
        body = {"model": model, "max_output_tokens": limit, "input": items, "stream": stream}
        if tools:
            body["tools"] = [{"type": "function", "name": TOOL[0], "description": TOOL[1], "parameters": TOOL[2]}]
        return body

    def error(self, value):
        return value["error"]["message"]

    def whole(self, value, answer):
        usage = value["usage"]
        answer.input_tokens, answer.output_tokens = usage["input_tokens"], usage["output_tokens"]
        answer.cached_tokens = usage["input_tokens_details"]["cached_tokens"]
        answer.reason = (value.get("incomplete_details") or {}).get("reason") or value["status"]
        for item in value["output"]:
            if item["type"] == "function_call":
                answer.tools.append((item["call_id"], item["name"], json.loads(item["arguments"])))
            for part in item.get("content") or []:
                if part["type"] == "output_text":
                    answer.text += part["text"]
                elif part["type"] == "reasoning_text":
                    answer.thinking += part["text"]

    def streamed(self, data, answer):
        found = streams.check_responses(data)
        last = json.loads(streams.sse_frames(data)[-1][1])["response"]
        if found.error:
            answer.error, answer.text = found.error, found.text
        else:
            self.whole(last, answer)
            assert answer.text == found.text


DIALECTS = {"anthropic": Anthropic(), "openai": OpenAi(), "ollama": Ollama(), "responses": Responses()}


def ask(gateway, dialect, model, turns, stream=False, temperature=None, force=False, **more):
    """Sends the conversation; the answer is checked against its dialect's own rules. `force`: some tool
    has to be called (Ollama's dialect cannot say so)."""
    speaker = DIALECTS[dialect]
    body = speaker.body(model, turns, stream, **more)
    if temperature is not None:
        (body["options"] if dialect == "ollama" else body)["temperature"] = temperature
    if force:
        body["tool_choice"] = {"type": "any"} if dialect == "anthropic" else "required"
    got = gateway.post(speaker.path, body)
    answer = Answer(got.status, got.headers, raw=got.body)
    if got.status != 200:
        answer.error = speaker.error(got.json())
        assert answer.error
    elif stream:
        speaker.streamed(got.body, answer)
    else:
        speaker.whole(got.json(), answer)
    return answer

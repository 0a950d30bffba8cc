"""Independent checkers of the dialects' streams: bytes in, a summary out, AssertionError on
anything that the dialect's documentation does not allow."""

import json
from dataclasses import dataclass, field


@dataclass
class Summary:
    text: str = ""
    tools: list = field(default_factory=list)  # (name, arguments)
    reason: str = ""
    input_tokens: int = -1
    output_tokens: int = -1
    error: str = ""
    pieces: int = 0


def sse_frames(data):
    """[(event name or None, data)]; every frame must be complete."""
    assert data.endswith(b"\n\n"), f"the stream ends inside a frame: {data[-80:]!r}"
    frames = []
    for frame in data.decode("utf-8").split("\n\n"):
        name, lines = None, []
        for line in frame.split("\n"):
            if line.startswith("event:"):
                name = line[6:].strip()
            elif line.startswith("data:"):
                lines.append(line[5:].removeprefix(" "))
            else:
                assert not line or line.startswith(":"), f"not SSE: {line!r}"
        if lines:
            frames.append((name, "\n".join(lines)))
    return frames


def check_anthropic(data):
    """https://docs.anthropic.com/en/api/messages-streaming: message_start, blocks one after the other
    with start, deltas and stop, message_delta, message_stop; ping anywhere; error may end it."""
    out, state, index, kind, buffer, name = Summary(), "before", 0, None, "", ""
    for event, text in sse_frames(data):
        value = json.loads(text)
        assert value["type"] == event, f"event {event} carries {value['type']}"
        assert state != "over", f"{event} after the end"
        if event == "ping":
            continue
        if event == "error":
            out.error, state = value["error"]["type"], "over"
        elif state == "before":
            assert event == "message_start", f"{event} first"
            message = value["message"]
            assert message["role"] == "assistant" and message["content"] == []
            assert message["stop_reason"] is None and message["id"]
            assert message["usage"]["input_tokens"] >= 0 and "output_tokens" in message["usage"]
            out.input_tokens, state = message["usage"]["input_tokens"], "between"
        elif event == "content_block_start":
            assert state == "between" and value["index"] == index
            block = value["content_block"]
            kind, buffer, state, name = block["type"], "", "in", block.get("name", "")
            assert block.get("text", "") == "" and block.get("input", {}) == {}
        elif event == "content_block_delta":
            assert state == "in" and value["index"] == index
            delta = value["delta"]
            allowed = {"text": ["text_delta"], "tool_use": ["input_json_delta"],
                       "thinking": ["thinking_delta", "signature_delta"]}[kind]
            assert delta["type"] in allowed
            buffer += delta.get("text", delta.get("partial_json", ""))
            out.pieces += 1
        elif event == "content_block_stop":
            assert state == "in" and value["index"] == index
            if kind == "text":
                out.text += buffer
            elif kind == "tool_use":
                out.tools.append((name, json.loads(buffer or "{}")))
            index, state = index + 1, "between"
        elif event == "message_delta":
            assert state == "between"
            out.reason, state = value["delta"]["stop_reason"], "ending"
            out.output_tokens = value["usage"]["output_tokens"]
            out.input_tokens = value["usage"].get("input_tokens", out.input_tokens)
        else:
            assert event == "message_stop" and state == "ending", f"{event} in state {state}"
            state = "over"
    assert state == "over", f"the stream ended in state {state}"
    return out


def check_openai(data):
    """Chat completion chunks: role first, one id, a finish_reason, usage when asked for, [DONE]."""
    out, frames = Summary(), sse_frames(data)
    tools, first, identity = {}, True, None
    for position, (event, text) in enumerate(frames):
        assert event is None, f"an event name: {event}"
        if text == "[DONE]":
            assert position == len(frames) - 1, "[DONE] before the end"
            break
        value = json.loads(text)
        if "error" in value:
            out.error = value["error"]["type"]
            continue
        assert value["object"] == "chat.completion.chunk"
        identity = identity or value["id"]
        assert value["id"] == identity and value["created"] > 1_600_000_000
        if value.get("usage"):
            out.input_tokens = value["usage"]["prompt_tokens"]
            out.output_tokens = value["usage"]["completion_tokens"]
            assert value["usage"]["total_tokens"] == out.input_tokens + out.output_tokens
        for choice in value["choices"]:
            assert choice["index"] == 0 and not out.reason
            delta = choice["delta"]
            if first:
                assert delta["role"] == "assistant", "no role in the first delta"
                first = False
            out.text += delta.get("content") or ""
            out.pieces += bool(delta.get("content"))
            for call in delta.get("tool_calls", []):
                tool = tools.setdefault(call["index"], ["", ""])
                tool[0] += call.get("function", {}).get("name", "")
                tool[1] += call.get("function", {}).get("arguments", "")
            out.reason = choice.get("finish_reason") or ""
    else:
        assert out.error, "the stream ended without [DONE]"
    assert out.error or out.reason, "no finish_reason"
    out.tools = [(name, json.loads(arguments)) for name, arguments in tools.values()]
    return out


def check_ollama(data, chat=True):
    """One JSON object a line; only the last is done, and it carries the counts."""
    out = Summary()
    assert data.endswith(b"\n"), "the last line is not complete"
    lines = [json.loads(line) for line in data.decode("utf-8").splitlines()]
    for position, value in enumerate(lines):
        is_last = position == len(lines) - 1
        if "error" in value:
            assert is_last
            out.error = value["error"]
            break
        assert value["model"] and value["created_at"].endswith("Z")
        assert value["done"] is is_last, "done is not on the last line only"
        text = value["message"]["content"] if chat else value["response"]
        out.pieces += bool(text)
        out.text += text
        for call in value.get("message", {}).get("tool_calls", []):
            assert isinstance(call["function"]["arguments"], dict)
            out.tools.append((call["function"]["name"], call["function"]["arguments"]))
        if is_last:
            out.reason = value["done_reason"]
            out.input_tokens, out.output_tokens = value["prompt_eval_count"], value["eval_count"]
            assert isinstance(value["total_duration"], int)
    return out


def check_responses(data):
    """https://platform.openai.com/docs/api-reference/responses-streaming: numbered events; an item is added, its
    deltas come, it is done; response.completed, .incomplete or .failed is the last event and holds what was streamed."""
    out, items, last, deltas = Summary(), {}, None, {}
    for number, (event, text) in enumerate(sse_frames(data)):
        value = json.loads(text)
        assert value["type"] == event, f"event {event} carries {value['type']}"
        assert value["sequence_number"] == number, f"{event} is number {value['sequence_number']}, not {number}"
        assert last is None, f"{event} after the end"
        assert number > 0 or event == "response.created", f"{event} first"
        index = value.get("output_index")
        if event == "response.output_item.added":
            assert index == len(items) and index not in items
            items[index] = None
        elif event == "response.output_item.done":
            assert items[index] is None, "done twice"
            items[index] = value["item"]
        elif event in ("response.output_text.delta", "response.function_call_arguments.delta"):
            assert items[index] is None, f"{event} of an item that is done"
            deltas[index] = deltas.get(index, "") + value["delta"]
            out.pieces += 1
        elif event == "error":
            out.error = value["message"]
        elif event in ("response.completed", "response.incomplete", "response.failed"):
            last = value["response"]
    assert last is not None, "no last event"
    if last["status"] == "failed":
        out.error = out.error or last["error"]["message"]
        out.text = "".join(deltas.values())
        return out
    assert [item["id"] for item in last["output"]] == [item["id"] for item in items.values()]
    for index, item in items.items():
        if item["type"] == "message":
            text = "".join(part["text"] for part in item["content"])
            out.text += text
        elif item["type"] == "function_call":
            text = item["arguments"]
            out.tools.append((item["name"], json.loads(text)))
        else:
            continue
        assert deltas.get(index, "") == text, "the deltas are not the item"
    out.reason = (last.get("incomplete_details") or {}).get("reason") or last["status"]
    out.input_tokens, out.output_tokens = last["usage"]["input_tokens"], last["usage"]["output_tokens"]
    return out

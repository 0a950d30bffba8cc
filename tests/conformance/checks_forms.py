"""What the official clients of each dialect fail on, or rely on (docs/conformance.md)."""

from checks import check
from checks_stream import fault, good, has_tools
from readings import LINES

DONE = "[DONE]"
CHUNKS = ("openai", "completions")  # dialects whose streams are chunks of choices


def finished(trace):
    return trace.good and "leave" not in trace.shape.flags


@check("F1", "every frame or line is whole and is JSON", "SSE; NDJSON", finished)
def frames_parse(trace):
    return trace.reading.broken[0] if trace.reading.broken else None


# --- Anthropic -----------------------------------------------------------------------------------

def misnamed(trace):
    """The first frame whose event: line is not the type in its data."""
    for name, value in trace.reading.frames:
        kind = value.get("type") if isinstance(value, dict) else value
        if name != kind:
            return f"event {name!r} with {kind!r}"
    return None


@check("A1", "each frame's event: line equals the type in its data", "SDK: without event: nothing is yielded",
       good, ("anthropic",))
def event_names(trace):
    return misnamed(trace)


@check("A2", "message_start has id, role, model, no content, and usage with both counts",
       "SDK: Cannot set 'output_tokens'", good, ("anthropic",))
def start_is_full(trace):
    message = trace.events("message_start")[0]["message"]
    ok = (message["id"] and message["model"] and message["role"] == "assistant" and
          message["type"] == "message" and message["content"] == [] and
          message["stop_reason"] is None and {"input_tokens", "output_tokens"} <= message["usage"].keys())
    return None if ok else f"{message}"


@check("A3", "message_delta with a stop reason and usage, then message_stop, once, at the end",
       "SDK: fails without message_stop", finished, ("anthropic",))
def ends_in_order(trace):
    kinds = [value["type"] for value in trace.events() if value["type"] != "ping"]
    if kinds[-1] != "message_stop" or kinds.count("message_stop") != 1:
        return f"{kinds[-2:]} at the end"
    first = kinds.index("message_delta")
    if set(kinds[first:-1]) != {"message_delta"}:
        return f"{kinds[first:]} from message_delta on"
    last = trace.events("message_delta")[-1]
    if "output_tokens" not in (last.get("usage") or {}):
        return "message_delta without usage"
    return None if trace.reading.stop else "no stop_reason"


@check("A4", "a block starts empty: text \"\", input {}, thinking \"\"", "Claude Code: input must come in deltas",
       good, ("anthropic",))
def blocks_start_empty(trace):
    for value in trace.events("content_block_start"):
        block = value["content_block"]
        want = {"text": {"text": ""}, "tool_use": {"input": {}}, "thinking": {"thinking": ""}}.get(
            block["type"], {})  # other blocks are their vendor's own
        if any(block.get(key) != empty for key, empty in want.items()):
            return f"{block}"
    return None


@check("A5", "deltas fit the open block", "Anthropic streaming", good, ("anthropic",))
def deltas_fit(trace):
    fits = {"text": {"text_delta", "citations_delta"}, "tool_use": {"input_json_delta"},
            "thinking": {"thinking_delta", "signature_delta"}}
    kinds = {}
    for value in trace.events("content_block_start", "content_block_delta"):
        if "content_block" in value:
            kinds[value["index"]] = value["content_block"]["type"]
            continue
        kind, delta = kinds[value["index"]], value["delta"]["type"]
        if kind in fits and delta not in fits[kind] | {"mood_delta"}:  # other blocks are their vendor's own
            return f"{delta} in a block of {kind}"
    return None


@check("A6", "a signature arrives once, unchanged", "mapping: thinking",
       lambda t: t.good and t.shape.expect.get("signature"), ("anthropic",), ("anthropic",))
def signature_is_kept(trace):
    want = trace.shape.expect["signature"]
    return None if trace.reading.signature == want else f"{trace.reading.signature!r}"


# --- OpenAI chat ---------------------------------------------------------------------------------

@check("C1", "each tool_calls delta has its index", "SDK 7.57: fails without", has_tools, ("openai",))
def calls_have_index(trace):
    for value in trace.events():
        for choice in value.get("choices") or []:
            for call in (choice.get("delta") or {}).get("tool_calls") or []:
                if not isinstance(call.get("index"), int):
                    return f"{call}"
    return None


@check("C2", "exactly one chunk has a finish_reason, and no delta follows it", "SDK 7.57: fails without",
       finished, ("openai",))
def finishes_once(trace):
    choices = [choice for value in trace.events() for choice in value.get("choices") or []]
    reasons = [position for position, choice in enumerate(choices) if choice.get("finish_reason")]
    if len(reasons) != 1:
        return f"{len(reasons)} chunks with a finish_reason"
    late = [choice for choice in choices[reasons[0] + 1:] if any((choice.get("delta") or {}).values())]
    return "a delta after the finish_reason" if late else None


@check("C3", "chunks of one answer share an id, and are chat.completion.chunk", "OpenAI reference", good, ("openai",))
def one_id(trace):
    chunks = trace.events()
    ids = {value.get("id") for value in chunks}
    kinds = {value.get("object") for value in chunks}
    return None if len(ids) == 1 and all(ids) and kinds == {"chat.completion.chunk"} else f"{ids} {kinds}"


@check("C4", "with include_usage a chunk with choices [] and the totals comes last, before [DONE]",
       "OpenAI reference; agents ask for it",
       lambda t: finished(t) and t.shape.expect.get("usage") and "no_usage" not in t.wants, CHUNKS)
def usage_chunk(trace):
    last = trace.events()[-1]
    usage = last.get("usage")
    if not usage or last["choices"] != []:
        return f"the last chunk is {str(last)[:120]}"
    total = usage["prompt_tokens"] + usage["completion_tokens"]
    return None if usage["total_tokens"] == total else f"the total is {usage['total_tokens']}, not {total}"


@check("C5", "data: [DONE] is the last frame of a whole answer", "OpenAI reference", finished, CHUNKS)
def done_is_last(trace):
    values = [value for _, value in trace.reading.frames]
    return None if values and values[-1] == DONE and values.count(DONE) == 1 else "no [DONE] at the end"


@check("C6", "after an error in the stream there is no finish_reason", "it would read as success",
       lambda t: fault(t) and t.response.status == 200, CHUNKS)
def error_ends_it(trace):
    reasons = [choice["finish_reason"] for value in trace.events() for choice in value.get("choices") or []
               if choice.get("finish_reason")]
    return f"finish_reason {reasons[0]!r}" if reasons else None


# --- OpenAI Responses ----------------------------------------------------------------------------

@check("R1", "each frame's event: line is its type; sequence_number is 0, 1, 2", "OpenAI SDK 7.57, codex 0.169", good, ("responses",))
def numbered(trace):
    if misnamed(trace):
        return misnamed(trace)
    numbers = [value.get("sequence_number") for value in trace.events()]
    rising = all(isinstance(n, int) for n in numbers) and numbers == sorted(set(numbers))
    return None if rising else f"sequence numbers {numbers[:8]}"


@check("R2", "response.created, response.in_progress, ..., response.completed (or incomplete) at the end",
       "codex: stream disconnected", finished, ("responses",))
def responses_order(trace):
    kinds = [value["type"] for value in trace.events()]
    if kinds[:2] != ["response.created", "response.in_progress"]:
        return f"begins with {kinds[:2]}"
    want = {"length": "response.incomplete", "refusal": "response.incomplete"}
    told = trace.reading.refusal  # as one, which completes an answer
    end = "response.completed" if told else want.get(trace.shape.expect.get("stop"), "response.completed")
    return None if kinds[-1] == end else f"ends with {kinds[-1]}, not {end}"


PARTS = {
    "message": ["response.content_part.added", "response.output_text.delta", "response.output_text.done",
                "response.content_part.done"],
    "function_call": ["response.function_call_arguments.delta", "response.function_call_arguments.done"],
}


@check("R3", "an item comes as added, its parts with .delta and .done, done", "OpenAI SDK 7.57, codex 0.169", finished, ("responses",))
def item_grammar(trace):
    kind, seen = None, []
    for value in trace.events():
        name = value["type"]
        if name == "response.output_item.added":
            kind, seen = value["item"]["type"], []
        elif name == "response.output_item.done":
            want = PARTS.get(kind)
            if kind == "message" and value["item"]["content"][0]["type"] == "refusal":
                # Its deltas are text where only the end of the answer tells that this was one.
                told = "response.refusal.delta" in seen
                want = [name.replace("output_text", "refusal") if told else
                        name.replace("output_text.done", "refusal.done") for name in want]
            if want and list(dict.fromkeys(seen)) != want:
                return f"a {kind} comes as {list(dict.fromkeys(seen))}"
            kind = None
        elif kind:
            seen.append(name)
    return None


@check("R4", "response.completed has the whole answer: the text and calls that were streamed, and usage",
       "codex and the SDK take the answer from it", finished, ("responses",))
def completed_is_whole(trace):
    response = trace.events()[-1]["response"]
    items = response["output"]
    text = "".join(part.get("text", part.get("refusal", "")) for item in items if item["type"] == "message"
                   for part in item["content"])
    calls = [(item["call_id"], item["name"], item["arguments"]) for item in items
             if item["type"] == "function_call"]
    if text != trace.reading.text:
        return f"text {text!r}"
    if calls != [(tool.id, tool.name, tool.arguments) for tool in trace.reading.tools]:
        return f"calls {calls}"
    if not trace.shape.expect.get("usage"):
        return None
    usage = response["usage"]
    whole = ("cached_tokens" in usage["input_tokens_details"] and
             "reasoning_tokens" in usage["output_tokens_details"] and
             usage["total_tokens"] == usage["input_tokens"] + usage["output_tokens"])
    return None if whole else f"usage {usage}"


# --- Ollama --------------------------------------------------------------------------------------

@check("O1", "each line has model, created_at, an assistant's message and done", "ollama-js; Ollama's API", good,
       ("ollama",))
def lines_are_full(trace):
    for value in trace.events():
        if not (value["model"] and value["created_at"] and value["message"]["role"] == "assistant" and
                isinstance(value["done"], bool)):
            return f"{str(value)[:120]}"
    return None


@check("O2", "only the last line is done, and has the reason and the counts", "ollama-js: throws without",
       finished, LINES)
def done_once(trace):
    lines = trace.events()
    if [position for position, value in enumerate(lines) if value["done"]] != [len(lines) - 1]:
        return "done is not on the last line only"
    if not trace.shape.expect.get("usage") or not trace.is_plain_answer:
        return None
    keys = ("done_reason", "total_duration", "prompt_eval_count", "eval_count")
    missing = [key for key in keys if key not in lines[-1]]
    return f"no {missing[0]}" if missing else None


@check("O3", "tool arguments are an object", "Ollama's API", has_tools, ("ollama",))
def object_arguments(trace):
    for value in trace.events():
        for call in value["message"].get("tool_calls") or []:
            if not isinstance(call["function"]["arguments"], dict):
                return f"{call}"
    return None


@check("O4", "an error in the stream is one line {\"error\":\"text\"}, the last", "ollama-js: throws its text",
       lambda t: fault(t) and t.response.status == 200, LINES)
def error_line(trace):
    last = trace.events()[-1]
    return None if isinstance(last.get("error"), str) and not last.get("done") else f"{str(last)[:120]}"


# --- whole answers -------------------------------------------------------------------------------

def whole(trace):
    return not trace.streamed and not trace.shape.fails and trace.response.status == 200


@check("W1", "an unstreamed answer says the same: text, calls, stop reason, usage", "",
       lambda t: whole(t) and t.is_plain_answer)
def whole_is_same(trace):
    want, got = trace.shape.expect, trace.reading
    if got.text != want.get("text", ""):
        return f"text {got.text!r}"
    calls = [[tool.name, tool.parsed()] for tool in got.tools]
    if calls != want.get("tools", []):
        return f"calls {calls}"
    if got.stop != want["stop"]:
        return f"stop reason {got.stop!r}"
    usage = {key: got.usage.get(key) for key in ("input", "output")}
    wrong = any(usage[key] != want["usage"][key] for key in usage)
    return f"usage {got.usage}, not {want['usage']}" if wrong else None


@check("W2", "an unstreamed answer has the fields that clients read without asking", "the vendors' references",
       whole)
def whole_is_full(trace):
    body = trace.reading.frames[0][1]
    keys = {"anthropic": ("id", "type", "role", "model", "content", "stop_reason", "usage"),
            "openai": ("id", "object", "created", "model", "choices", "usage"),
            "responses": ("id", "object", "created_at", "status", "model", "output", "usage"),
            "ollama": ("model", "created_at", "message", "done", "done_reason"),
            "completions": ("id", "object", "created", "model", "choices", "usage"),
            "generate": ("model", "created_at", "response", "done", "done_reason")}[trace.dialect]
    missing = [key for key in keys if key not in body]
    return f"no {missing}" if missing else None

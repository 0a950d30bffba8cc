"""The right answers of the control gateway: a shape's expectation as each dialect's frames, written here
a second time, apart from the code that is tested. Frames are (event name or None, value)."""

import json

from readings import LINES

STOP_WORDS = {"anthropic": {"end": "end_turn", "length": "max_tokens"},
              "openai": {"end": "stop", "tool_use": "tool_calls", "refusal": "content_filter"},
              "completions": {"end": "stop", "refusal": "content_filter"},
              "ollama": {"tool_use": "stop", "end": "stop", "refusal": "stop"}}


def usage_of(expect):
    return {"input": 7, "cached": 0, "output": 3, **expect.get("usage", {})}


def stop_word(dialect, expect):
    stop = expect.get("stop", "end")
    if dialect == "anthropic" and expect.get("stop_sequence"):
        return "stop_sequence"
    return STOP_WORDS[dialect].get(stop, stop)


def anthropic(expect, error=None):
    usage = usage_of(expect)
    counts = {"input_tokens": usage["input"] - usage["cached"], "cache_creation_input_tokens": 0,
              "cache_read_input_tokens": usage["cached"]}
    values = [{"type": "message_start", "message": {
        "id": "msg_1", "type": "message", "role": "assistant", "model": "conf", "content": [],
        "stop_reason": None, "stop_sequence": None, "usage": {**counts, "output_tokens": 0}}}]
    blocks = []
    if expect.get("thinking"):
        blocks.append(({"type": "thinking", "thinking": "", "signature": ""},
                       [{"type": "thinking_delta", "thinking": expect["thinking"]}]))
    if expect.get("text"):
        blocks.append(({"type": "text", "text": ""}, [{"type": "text_delta", "text": expect["text"]}]))
    for number, (name, arguments) in enumerate(expect.get("tools", [])):
        blocks.append(({"type": "tool_use", "id": f"toolu_{number}", "name": name, "input": {}},
                       [{"type": "input_json_delta", "partial_json": json.dumps(arguments)}]))
    for index, (block, deltas) in enumerate(blocks):
        values.append({"type": "content_block_start", "index": index, "content_block": block})
        values += [{"type": "content_block_delta", "index": index, "delta": delta} for delta in deltas]
        values.append({"type": "content_block_stop", "index": index})
    if error:
        values.append({"type": "error", "error": {"type": "overloaded_error", "message": error}})
    else:
        values.append({"type": "message_delta", "delta": {"stop_reason": stop_word("anthropic", expect),
                                                          "stop_sequence": expect.get("stop_sequence")},
                       "usage": {**counts, "output_tokens": usage["output"]}})
        values.append({"type": "message_stop"})
    return [(value["type"], value) for value in values]


def openai(expect, error=None):
    def chunk(delta, finish=None):
        return {"id": "c1", "object": "chat.completion.chunk", "created": 1790000000, "model": "conf",
                "choices": [{"index": 0, "delta": delta, "finish_reason": finish}]}
    values = [chunk({"role": "assistant", "content": ""})]
    if expect.get("thinking"):
        values.append(chunk({"reasoning_content": expect["thinking"]}))
    if expect.get("text"):
        values.append(chunk({"refusal" if expect.get("refusal") else "content": expect["text"]}))
    for index, (name, arguments) in enumerate(expect.get("tools", [])):
        values.append(chunk({"tool_calls": [{"index": index, "id": f"call_{index}", "type": "function",
                                             "function": {"name": name, "arguments": ""}}]}))
        values.append(chunk({"tool_calls": [{"index": index,
                                             "function": {"arguments": json.dumps(arguments)}}]}))
    if error:
        return [(None, value) for value in values] + [(None, {"error": {"message": error, "type": "x"}})]
    values.append(chunk({}, "stop" if expect.get("refusal") else stop_word("openai", expect)))
    if not expect.get("no_usage"):
        values.append({**chunk({}), "choices": [], "usage": openai_usage(expect)})
    return [(None, value) for value in values] + [(None, "[DONE]")]


def openai_usage(expect):
    usage = usage_of(expect)
    output = usage["output"] * len(expect.get("answers", [1]))
    return {"prompt_tokens": usage["input"], "completion_tokens": output,
            "total_tokens": usage["input"] + output,
            "prompt_tokens_details": {"cached_tokens": usage["cached"]}}


def response_object(expect, items, status):
    usage = usage_of(expect)
    told = expect.get("refusal")  # in its place, which completes an answer
    reason = None if told else {"length": "max_output_tokens", "refusal": "content_filter"}.get(expect.get("stop"))
    return {"id": "resp_1", "object": "response", "created_at": 1790000000, "model": "conf",
            "status": status, "output": items, "incomplete_details": {"reason": reason} if reason else None,
            "usage": {"input_tokens": usage["input"], "output_tokens": usage["output"],
                      "total_tokens": usage["input"] + usage["output"],
                      "input_tokens_details": {"cached_tokens": usage["cached"]},
                      "output_tokens_details": {"reasoning_tokens": 0}}}


def response_items(expect):
    items = []
    if expect.get("thinking"):
        items.append({"type": "reasoning", "id": "rs", "summary": [
            {"type": "summary_text", "text": expect["thinking"]}]})
    if expect.get("text"):
        part = {"type": "output_text", "text": expect["text"], "annotations": []}
        if expect.get("refusal"):
            part = {"type": "refusal", "refusal": expect["refusal"]}
        items.append({"type": "message", "id": "m", "role": "assistant", "status": "completed",
                      "content": [part]})
    for index, (name, arguments) in enumerate(expect.get("tools", [])):
        items.append({"type": "function_call", "id": f"fc{index}", "call_id": f"call_{index}", "name": name,
                      "arguments": json.dumps(arguments), "status": "completed"})
    return items


def responses(expect, error=None):
    items = response_items(expect)
    begun = {**response_object(expect, [], "in_progress"), "usage": None}
    values = [{"type": "response.created", "response": begun},
              {"type": "response.in_progress", "response": begun}]
    for index, item in enumerate(items):
        values.append({"type": "response.output_item.added", "output_index": index, "item": {
            **item, "content": [], "arguments": ""}})
        parts = {"message": ("response.content_part.added", "response.output_text.delta",
                             "response.output_text.done", "response.content_part.done"),
                 "function_call": ("response.function_call_arguments.delta",
                                   "response.function_call_arguments.done"),
                 "reasoning": ("response.reasoning_summary_text.delta",
                               "response.reasoning_summary_text.done")}[item["type"]]
        said = item.get("arguments")
        if not said:
            part = (item.get("content") or item.get("summary"))[0]
            said = part.get("text") or part["refusal"]
            if part["type"] == "refusal":
                parts = [kind.replace("output_text", "refusal") for kind in parts]
        for kind in parts:
            values.append({"type": kind, "output_index": index, "item_id": item["id"],
                           ("delta" if kind.endswith("delta") else "text"):
                           "" if kind.endswith("added") else said})
        values.append({"type": "response.output_item.done", "output_index": index, "item": item})
    if error:
        values.append({"type": "response.failed", "response": {"error": {"message": error}}})
    else:
        cut = expect.get("stop") in ("length", "refusal") and not expect.get("refusal")
        end = "incomplete" if cut else "completed"
        values.append({"type": f"response.{end}", "response": response_object(expect, items, end)})
    return [(value["type"], {**value, "sequence_number": n}) for n, value in enumerate(values)]


def ollama(expect, error=None):
    def line(message, **more):
        return {"model": "conf", "created_at": "2026-11-01T00:00:00Z",
                "message": {"role": "assistant", "content": "", **message}, "done": False, **more}
    values = []
    if expect.get("thinking"):
        values.append(line({"thinking": expect["thinking"]}))
    if expect.get("text"):
        values.append(line({"content": expect["text"]}))
    for name, arguments in expect.get("tools", []):
        values.append(line({"tool_calls": [{"function": {"name": name, "arguments": arguments}}]}))
    values.append({"error": error} if error else line({}, **last_line(expect)))
    return [(None, value) for value in values]


def text_choice(text, index, finish=None):
    return {"text": text, "index": index, "logprobs": None, "finish_reason": finish}


def completions(expect, error=None):
    def chunk(*choices):
        return {"id": "cmpl-1", "object": "text_completion", "created": 1790000000, "model": "conf",
                "choices": list(choices)}
    values = []
    for index, text in enumerate(expect.get("answers", [expect.get("text", "")])):
        if text:
            values.append(chunk(text_choice(text, index)))
        if not error:
            values.append(chunk(text_choice("", index, stop_word("completions", expect))))
    if error:
        return [(None, value) for value in values] + [(None, {"error": {"message": error, "type": "x"}})]
    if not expect.get("no_usage"):
        values.append({**chunk(), "usage": openai_usage(expect)})
    return [(None, value) for value in values] + [(None, "[DONE]")]


def generate(expect, error=None):
    def line(text, **more):
        return {"model": "conf", "created_at": "2026-11-01T00:00:00Z", "response": text, "done": False, **more}
    values = [line("", thinking=expect["thinking"])] if expect.get("thinking") else []
    if expect.get("text"):
        values.append(line(expect["text"]))
    values.append({"error": error} if error else line("", **last_line(expect)))
    return [(None, value) for value in values]


def last_line(expect):
    usage = usage_of(expect)
    return {"done": True, "done_reason": stop_word("ollama", expect), "total_duration": 9000000,
            "load_duration": 1000000, "prompt_eval_count": usage["input"], "prompt_eval_duration": 2000000,
            "eval_count": usage["output"], "eval_duration": 5000000}


def loaded(dialect, why):
    """The answer to a request without a prompt."""
    empty = {"response": ""} if dialect == "generate" else {"message": {"role": "assistant", "content": ""}}
    return {"model": "conf", "created_at": "2026-11-01T00:00:00Z", **empty, "done": True, "done_reason": why}


STREAMS = {"anthropic": anthropic, "openai": openai, "responses": responses, "ollama": ollama,
           "completions": completions, "generate": generate}


def whole(dialect, expect):
    """An unstreamed answer."""
    tools, text, usage = expect.get("tools", []), expect.get("text", ""), usage_of(expect)
    if dialect == "anthropic":
        blocks = [{"type": "text", "text": text}] if text else []
        blocks += [{"type": "tool_use", "id": f"toolu_{n}", "name": name, "input": arguments}
                   for n, (name, arguments) in enumerate(tools)]
        return {"id": "msg_1", "type": "message", "role": "assistant", "model": "conf", "content": blocks,
                "stop_reason": stop_word(dialect, expect), "stop_sequence": None,
                "usage": {"input_tokens": usage["input"] - usage["cached"],
                          "cache_read_input_tokens": usage["cached"], "output_tokens": usage["output"]}}
    if dialect == "openai":
        calls = [{"id": f"call_{n}", "type": "function",
                  "function": {"name": name, "arguments": json.dumps(arguments)}}
                 for n, (name, arguments) in enumerate(tools)]
        told = expect.get("refusal")
        message = {"role": "assistant", "content": None if told else text, "refusal": told, "tool_calls": calls}
        finish = "stop" if told else stop_word(dialect, expect)
        return {"id": "c1", "object": "chat.completion", "created": 1790000000, "model": "conf",
                "choices": [{"index": 0, "message": message, "finish_reason": finish}],
                "usage": openai_usage(expect)}
    if dialect == "responses":
        return response_object(expect, response_items(expect), "completed")
    if dialect == "completions":
        answers = [text_choice(said, index, stop_word(dialect, expect))
                   for index, said in enumerate(expect.get("answers", [text]))]
        return {"id": "cmpl-1", "object": "text_completion", "created": 1790000000, "model": "conf",
                "choices": answers, "usage": openai_usage(expect)}
    if dialect == "generate":
        return {**generate(expect)[-1][1], "response": text}
    calls = [{"function": {"name": name, "arguments": arguments}} for name, arguments in tools]
    return {**ollama(expect)[-1][1], "message": {"role": "assistant", "content": text, "tool_calls": calls}}


def error_body(dialect, message):
    if dialect == "anthropic":
        return {"type": "error", "error": {"type": "api_error", "message": message}}
    return {"error": message if dialect in LINES else {"message": message, "type": "x"}}

"""For each check a gateway that breaks it: (check, dialect, upstream, scenario, how). A scenario is a
shape's name, then /ASK or /whole. `how` are FakeGateway's faults (a tuple) and changes (functions)."""

import copy
import json


def values(frames, kind=None):
    return [value for _, value in frames if isinstance(value, dict) and (kind is None or value.get("type") == kind)]


def deltas(frames):
    return [choice["delta"] for value in values(frames) for choice in value.get("choices", [])]


def calls(frames):
    return [call for delta in deltas(frames) for call in delta.get("tool_calls", [])]


def edit(work):
    """A change that works on the frames in place."""
    def change(frames):
        frames = copy.deepcopy(frames)
        result = work(frames)
        return frames if result is None else result
    return {"frames": change}


def refusal_as_text(frames):
    for value in values(frames):
        for choice in value.get("choices", []):
            if "refusal" in choice["delta"]:
                choice["delta"]["content"] = choice["delta"].pop("refusal")
            if choice["finish_reason"] == "stop":
                choice["finish_reason"] = "content_filter"


def without(kind):
    return edit(lambda frames: [frame for frame in frames if frame[0] != kind])


def twice(kind):
    return edit(lambda frames: [frame for frame in frames for _ in range(2 if frame[0] == kind else 1)])


def put(kind, key, new):
    """In every frame of that type (None: every frame), `key` (a path) becomes `new`."""
    def work(frames):
        for value in values(frames, kind):
            *path, last = key.split(".")
            for step in path:
                value = value[int(step) if step.isdigit() else step]
            value[last] = new
    return edit(work)


def insert(position, *frames_to_add):
    return edit(lambda frames: frames[:position] + list(frames_to_add) + frames[position:])


def ask(work):
    """Changes the request for the upstream in place."""
    return {"request": lambda body: work(body) and None}


def ask_put(key, new):
    return {"request": lambda body: {**body, key: new}}


def ask_drop(key):
    return {"request": lambda body: {k: v for k, v in body.items() if k != key}}


def head_drop(*names):
    return {"headers": lambda head: {k: v for k, v in head.items() if k not in names}}


def whole_put(key, new):
    return {"body": lambda body: {**body, key: new}}


def empty_text(frames):
    start = {"type": "content_block_start", "index": 0, "content_block": {"type": "text", "text": ""}}
    stop = {"type": "content_block_stop", "index": 0}
    for value in values(frames):
        if "index" in value:
            value["index"] += 1
    return frames[:1] + [(v["type"], v) for v in (start, stop)] + frames[1:]


def rename_ids(body):
    for message in body["messages"]:
        for block in message["content"] if isinstance(message["content"], list) else []:
            for key in ("id", "tool_use_id"):
                if key in block:
                    block[key] = block[key] + ".a:b"


def reorder(body):
    """The user's words get between the calls and their results."""
    messages = body["messages"]
    messages.insert(3, messages.pop())


def unpaired(body):
    for message in body["messages"]:
        if message["role"] == "tool":
            message["tool_call_id"] = "call_9"


def add_thinking(body):
    body["messages"][1]["content"].insert(0, {"type": "thinking", "thinking": "PRIVATE-THOUGHT", "signature": ""})


def forgive(body):
    body["messages"][4]["content"] = "not found"


def bare_call(frames):
    calls(frames)[0]["index"] = None
    calls(frames)[1]["index"] = None


def rename_again(frames):
    calls(frames)[1]["function"]["name"] = "look"


def shift_calls(frames):
    for call in calls(frames):
        call["index"] += 1


def cut_arguments(frames):
    for call in calls(frames):
        call["function"]["arguments"] = call["function"]["arguments"][:-1]


def no_role(frames):
    del deltas(frames)[0]["role"]


def finish_early(frames):
    values(frames)[0]["choices"][0]["finish_reason"] = "stop"


def finish_on_error(frames):
    values(frames)[0]["choices"][0]["finish_reason"] = "stop"
    return frames


def text_of_arguments(frames):
    for value in values(frames):
        for call in value["message"].get("tool_calls", []):
            call["function"]["arguments"] = json.dumps(call["function"]["arguments"])


def done_early(frames):
    values(frames)[0]["done"] = True


def late_text(frames):
    """Text behind the finish_reason."""
    frames.insert(2, frames[0])


def choice_put(key, new):
    """In the first choice of the first chunk."""
    def work(frames):
        values(frames)[0]["choices"][0][key] = new
    return edit(work)


def reason_again(frames):
    frames.insert(2, frames[1])


def no_reason(frames):
    values(frames)[1]["choices"][0]["finish_reason"] = None


def prompts_mixed(frames):
    """The answers come under each other's index."""
    for value in values(frames):
        for choice in value["choices"]:
            choice["index"] = 3 - choice["index"]


def one_answers_usage(frames):
    values(frames)[-1]["usage"]["completion_tokens"] = 4


def context_first(frames):
    values(frames)[0]["context"] = [1, 2]


A, C, R, O = ("anthropic", "openai"), ("openai", "openai"), ("responses", "openai"), ("ollama", "openai")
P = ("anthropic", "anthropic")
L, G, GO = ("completions", "openai"), ("generate", "openai"), ("generate", "ollama")
USAGE_CHUNK = {"id": "cmpl-1", "object": "text_completion", "created": 1790000000, "model": "conf", "choices": [],
               "usage": {"prompt_tokens": 1, "completion_tokens": 1, "total_tokens": 2}}
EMPTY = {"type": "content_block_delta", "index": 0, "delta": {"type": "text_delta", "text": "Hello, "}}

CONTROLS = [
    ("E1", *C, "text", ("refuse",), {}),
    ("E2", *A, "text", (), insert(2, ("content_block_delta", EMPTY))),
    ("E3", *C, "thinking", (), edit(lambda f: deltas(f)[1].pop("reasoning_content") and None)),
    ("S1", *A, "tool_first", (), without("message_start")),
    ("S1", *A, "tool_first", (), twice("message_start")),
    ("S1", *C, "tool_first", (), edit(no_role)),
    ("S1", *R, "tool_first", (), twice("response.created")),
    ("S2", *A, "text_then_tools", (), twice("content_block_stop")),
    ("S2", *A, "text_then_tools", (), without("content_block_stop")),
    ("S2", *R, "text_then_tools", (), without("response.output_item.done")),
    ("S2o", *C, "tool_first", (), edit(rename_again)),
    ("S3", *A, "tool_first", (), put("content_block_start", "index", 1)),
    ("S3", *C, "tool_first", (), edit(shift_calls)),
    ("S3", *R, "tool_first", (), put("response.output_item.added", "output_index", 1)),
    ("S4", *A, "tool_first", (), edit(empty_text)),
    ("S4", *R, "text", (), put("response.output_text.done", "text", "")),
    ("S5", *A, "tool_whole", (), without("content_block_delta")),
    ("S5", *C, "tool_split", (), edit(cut_arguments)),
    ("S5b", *C, "tool_broken", ("fabricate",), {}),
    ("S6", *A, "tool_with_stop", (), put("message_delta", "delta.stop_reason", "end_turn")),
    ("S6", *C, "text", (), edit(lambda f: values(f)[-2]["choices"][0].update(finish_reason="tool_calls"))),
    ("S7", *A, "text", (), put("message_delta", "usage", {"input_tokens": 0, "output_tokens": 0})),
    ("S7", *O, "text", (), put(None, "eval_count", 0)),
    ("S8", *A, "text", (), put("message_start", "message.usage.input_tokens", 0)),
    ("S9", *A, "error_after", ("fabricate",), {}),
    ("S9", *C, "cut_after", ("fabricate",), {}),
    ("S9", *A, "status_400", (), {"error": lambda body: {"oh": "no"}}),
    ("S9", *A, "cut_after", (), without("error")),
    ("S9b", *A, "error_before", (), put("error", "error.type", "invalid_request_error")),
    ("S9b", *C, "error_before", ("refuse_all",), edit(lambda f: f[:1])),
    ("S10", *A, "text", (), {"headers": lambda head: {**head, "content-encoding": "gzip"}}),
    ("S10", *O, "text", (), {"headers": lambda head: {**head, "content-type": "text/plain"}}),
    ("S10b", *C, "gate", ("buffer",), {}),
    ("S10c", *C, "silence", ("silent",), {}),
    ("S11", *C, "endless", ("stay",), {}),
    ("S12", *C, "error_after", (), edit(lambda f: f[:1] + f[1:2] * 2 + f[2:])),
    ("F1", *A, "text", (), insert(1, ("ping", "no JSON"))),
    ("F1", *O, "text", (), insert(0, (None, "no JSON"))),
    ("A1", *A, "text", (), edit(lambda f: [(None, value) for _, value in f])),
    ("A2", *A, "text", (), put("message_start", "message.usage", {"input_tokens": 5})),
    ("A3", *A, "text", (), without("message_stop")),
    ("A3", *A, "text", (), put("message_delta", "usage", None)),
    ("A4", *A, "tool_first", (), put("content_block_start", "content_block.input", {"path": "a/b"})),
    ("A5", *A, "text", (), put("content_block_delta", "delta", {"type": "input_json_delta", "partial_json": ""})),
    ("A6", *P, "thinking", (), {"raw": lambda data: data.replace(b"EqQB", b"eQqB")}),
    ("C1", *C, "tool_first", (), edit(bare_call)),
    ("C2", *C, "text", (), edit(finish_early)),
    ("C3", *C, "text", (), edit(lambda f: values(f)[0].update(id="other"))),
    ("C4", *C, "text", (), edit(lambda f: f[:-2] + f[-1:])),
    ("C5", *C, "text", (), edit(lambda f: f[:-1])),
    ("C6", *C, "error_after", (), edit(finish_on_error)),
    ("R1", *R, "text", (), put("response.completed", "sequence_number", 0)),
    ("R1", *R, "text", (), edit(lambda f: [(None, value) for _, value in f])),
    ("R2", *R, "text", (), without("response.in_progress")),
    ("R2", *R, "length", (), put("response.incomplete", "type", "response.completed")),
    ("R3", *R, "text", (), without("response.output_text.done")),
    ("R4", *R, "text", (), put("response.completed", "response.output", [])),
    ("R4", *R, "text", (), put("response.completed", "response.usage", None)),
    ("O1", *O, "text", (), put(None, "created_at", "")),
    ("O2", *O, "text", (), edit(done_early)),
    ("O3", *O, "tool_first", (), edit(text_of_arguments)),
    ("O4", *O, "error_after", (), put(None, "done", True)),
    ("W1", *C, "text/whole", (), whole_put("choices", [])),
    ("W2", *C, "text/whole", (), {"body": lambda body: {k: v for k, v in body.items() if k != "created"}}),
    ("M1", *A, "usage_cached", (), put("message_delta", "usage", {"input_tokens": 1250, "output_tokens": 3,
                                                                  "cache_read_input_tokens": 1000})),
    ("M2", "anthropic", "openai", "length", (), put("message_delta", "delta.stop_reason", "end_turn")),
    ("M3", *C, "status_429", (), head_drop("retry-after")),
    ("M3", *C, "status_429", ("refuse_all",), {}),
    ("M3", *C, "status_400", (), {"error": lambda body: {"error": {"message": "bad"}}}),
    ("M4", *A, "text/agent_turn", (), ask(lambda body: body["messages"].pop(0))),
    ("M4", *A, "text/agent_turn", (), ask(lambda body: body["messages"].pop(5))),
    ("M5", *A, "text/agent_turn", (), ask_put("tools", [])),
    ("M6", *A, "tool_first/forced_serial", (), ask_drop("tool_choice")),
    ("M6", *A, "tool_first/named_tool", (), ask_put("tool_choice", "required")),
    ("M7", *A, "tool_first/forced_serial", (), ask_drop("parallel_tool_calls")),
    ("M8", *A, "text/agent_turn", (), ask(reorder)),
    ("M8", *A, "text/agent_turn", (), ask(unpaired)),
    ("M9", *A, "text/agent_turn", (), ask(forgive)),
    ("M10", *P, "text/agent_turn", (), ask(add_thinking)),
    ("M10", *A, "text/agent_turn", (), ask(lambda b: b["messages"][2].update(content="PRIVATE-THOUGHT"))),
    ("M11", "openai", "anthropic", "text/agent_turn", (), ask(rename_ids)),
    ("M12", *A, "text/image", (), ask(lambda body: body["messages"][0]["content"].pop())),
    ("M13", *A, "text/agent_turn", (), ask_drop("max_completion_tokens")),
    ("M13", *A, "text/agent_turn", (), ask_drop("stop")),
    ("M14", "openai", "anthropic", "text/no_limit", (), ask_drop("max_tokens")),
    ("M15", *A, "json/schema", (), ask_drop("response_format")),
    ("M16", *A, "text", (), ask_drop("stream_options")),
    ("M17", "openai", "ollama", "text", (), ask_drop("options")),
    ("M18", *A, "text/billing_header", (),
     ask(lambda body: body["messages"][0].update(content="x-anthropic-billing-header: cc"))),
    ("M19", *C, "tool_first/allowed_tools", (), ask_put("tool_choice", "required")),
    ("M19", *C, "tool_first/allowed_tools", (),
     ask(lambda body: body["tool_choice"]["allowed_tools"].update(mode="auto"))),
    ("T1", *C, "text", (), head_drop("x-request-id")),
    ("P1", *P, "text", ("rewrite",), {}),
    ("P2", *P, "text", (), {"raw": lambda data: data.replace(b"\\u00f6", b"\xc3\xb6")}),
    ("P3", *P, "text", (), {"forward": lambda head: {**head, "anthropic-beta": "other"}}),
    ("P4", *P, "text", (), head_drop("anthropic-ratelimit-requests-remaining")),
    ("P5", *P, "text", ("leak",), {}),
    ("P6", *P, "status_529", (), {"error": lambda body: {**body, "request_id": "mine"}}),
    # The same rules in the dialects of raw text.
    ("E1", *L, "text", ("refuse",), {}),
    ("E2", *L, "text", (), edit(lambda f: f[:1] + f)),
    ("E2", *G, "text", (), edit(lambda f: f[:1] + f)),
    ("E3", *G, "thinking", (), edit(lambda f: f[1:])),
    ("E2", *L, "thinking", (), choice_put("text", "Let me see.Yes.")),
    ("S7", *L, "text", (), edit(lambda f: values(f)[-1].update(usage=None))),
    ("S7", *G, "text", (), put(None, "eval_count", 0)),
    ("S9", *L, "error_after", ("fabricate",), {}),
    ("S9", *G, "cut_after", ("fabricate",), {}),
    ("S9", *L, "status_400", (), {"error": lambda body: {"error": "no"}}),
    ("S9", *G, "status_400", (), {"error": lambda body: {"error": {"message": "no"}}}),
    ("S9", *L, "ends_early", (), edit(lambda f: f[:-1])),
    ("S9b", *L, "error_before", (), edit(lambda f: f[:0])),
    ("S9b", *G, "error_before", (), edit(lambda f: f[:0])),
    ("S10", *G, "text", (), {"headers": lambda head: {**head, "content-type": "text/event-stream"}}),
    ("S10b", *L, "gate", ("buffer",), {}),
    ("S10b", *G, "gate", ("buffer",), {}),
    ("S10c", *L, "silence", ("silent",), {}),
    ("S10c", *G, "silence", ("silent",), {}),
    ("S11", *L, "endless", ("stay",), {}),
    ("S11", *G, "endless", ("stay",), {}),
    ("S12", *L, "error_after", (), edit(lambda f: f[:1] + f)),
    ("S12", *G, "error_after", (), edit(lambda f: f[:1] + f)),
    ("F1", *L, "text", (), edit(lambda f: [(None, "no JSON")] + f)),
    ("F1", *G, "text", (), insert(0, (None, "no JSON"))),
    ("C4", *L, "text", (), edit(lambda f: f[:-2] + f[-1:])),
    ("C5", *L, "text", (), edit(lambda f: f[:-1])),
    ("C6", *L, "error_after", (), choice_put("finish_reason", "stop")),
    ("O2", *G, "text", (), edit(done_early)),
    ("O2", *G, "text", (), edit(lambda f: values(f)[-1].pop("done_reason") and None)),
    ("O4", *G, "error_after", (), put(None, "done", True)),
    ("W1", *L, "text/whole", (), whole_put("choices", [])),
    ("W1", *G, "text/whole", (), whole_put("response", "")),
    ("W2", *L, "text/whole", (), {"body": lambda body: {k: v for k, v in body.items() if k != "usage"}}),
    ("W2", *G, "text/whole", (), {"body": lambda body: {k: v for k, v in body.items() if k != "created_at"}}),
    ("M1", *L, "usage_cached", (), edit(lambda f: values(f)[-1]["usage"].pop("prompt_tokens_details") and None)),
    ("M2", *L, "length", (), edit(lambda f: values(f)[1]["choices"][0].update(finish_reason="stop"))),
    ("M2", *G, "length", (), put(None, "done_reason", "stop")),
    ("M3", *G, "status_429", (), head_drop("retry-after")),
    ("M4", *G, "text/system", (), ask(lambda body: body["messages"].pop(0))),
    ("M12", *G, "text/image", (), ask(lambda body: body["messages"][0]["content"].pop())),
    ("M13", *L, "text/limits", (), ask_drop("stop")),
    ("M13", *G, "text/limits", (), ask_drop("max_tokens")),
    ("M13", *L, "text/one_stop", (), ask_put("stop", ["E", "N", "D"])),
    ("M14", "generate", "anthropic", "text/no_limit", (), ask_drop("max_tokens")),
    ("M15", *G, "json/schema", (), ask_drop("response_format")),
    ("M17", "completions", "ollama", "text", (), ask(lambda body: body["options"].pop("num_ctx"))),
    # What is theirs alone, and what asks.json came to ask with them.
    ("L1", *L, "text", (), put(None, "object", "chat.completion.chunk")),
    ("L1", *L, "text", (), put(None, "id", "chatcmpl-1")),
    ("L1", *L, "text", (), edit(lambda f: values(f)[0].update(id="cmpl-2"))),
    ("L2", *L, "text", (), choice_put("delta", {"content": "Hello"})),
    ("L2", *L, "text", (), choice_put("text", None)),
    ("L2", *L, "text", (), edit(lambda f: values(f)[0]["choices"][0].pop("logprobs"))),
    ("L2", *L, "text/whole", (), whole_put("choices", [{"message": {"content": "Hello"}}])),
    ("L3", *L, "text", (), edit(late_text)),
    ("L3", *L, "text", (), edit(reason_again)),
    ("L3", *L, "text", (), edit(no_reason)),
    ("L4", *L, "said_back/several", (), edit(prompts_mixed)),
    ("L4", *L, "said_back/several", (), edit(one_answers_usage)),
    ("L4", *L, "said_back/several", (), edit(lambda f: f[:4] + f[-2:])),
    ("L5", *L, "text/no_usage", (), edit(lambda f: f[:-1] + [(None, USAGE_CHUNK)] + f[-1:])),
    ("L5", *C, "text/no_usage", (), put(None, "usage", {"prompt_tokens": 1})),
    ("L6", "completions", "anthropic", "text/no_limit", (), ask_put("max_tokens", 4096)),
    ("L7", *L, "text/raw", (), ask(lambda body: body.update(prompt=body["prompt"].strip()))),
    ("L7", "completions", "anthropic", "text/raw", (), ask_put("system", "Go on with the text.")),
    ("L7", *GO, "text/raw", (), ask_drop("raw")),
    ("L8", *L, "text/suffix", ("drop",), {}),
    ("L8", *G, "text/context", ("drop",), {}),
    ("L8", *G, "text/suffix", (), {"error": lambda body: {"error": "no"}}),
    ("G1", *G, "text", (), put(None, "message", {"role": "assistant"})),
    ("G1", *G, "text", (), put(None, "created_at", "")),
    ("G1", *G, "text/whole", (), whole_put("response", None)),
    ("G2", *GO, "text", (), put(None, "eval_duration", 0)),
    ("G2", *G, "text", (), put(None, "total_duration", "9ms")),
    ("G2", *O, "text", (), put(None, "total_duration", 0)),
    ("G3", *G, "text", (), put(None, "context", "1 2")),
    ("G3", *G, "text", (), edit(context_first)),
    ("G4", *G, "text/raw_with_system", ("drop",), {}),
    ("G4", *G, "text/raw_with_system", (), {"error": lambda body: {"error": "no"}}),
    ("G5", *GO, "text/load", (), whole_put("done_reason", "stop")),
    ("G5", *O, "text/unload", (), whole_put("done", False)),
    ("M20", *G, "json/any_json", (), ask_drop("response_format")),
    ("M21", *GO, "thinking/thinks_hard", (), ask_put("think", True)),
    ("M21", *GO, "text/thinks_not", (), ask_drop("think")),
    ("M22", *L, "text/settings", (), ask_drop("seed")),
    ("M23", *GO, "text/stays", (), ask_drop("keep_alive")),
    ("M24", "openai", "openai", "refused_in_its_place", (), edit(refusal_as_text)),
]

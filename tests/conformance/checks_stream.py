"""The twelve stream invariants, in every dialect that can break them, and that the content is right."""

from checks import check
from readings import LINES, error_text
from shapes import DIALECTS

SSE = ("anthropic", "openai", "responses")  # of these, completions have no start
NO_REASONING = ("completions",)  # dialects that have no place for it
SILENT_S_MAX = 11


def good(trace):
    return trace.good


def has_tools(trace):
    return trace.good and bool(trace.shape.expect.get("tools"))


def fault(trace):
    return trace.streamed and "fault" in trace.shape.flags


@check("E1", "a request that the upstream answers is answered with 200", "",
       lambda t: not t.may_be_refused)
def answered(trace):
    if trace.response.status != 200:
        return f"{trace.response.status} {trace.response.body[:160]!r}"
    return None if trace.case.seen else "the upstream was not asked"


@check("E2", "the client gets the text that the upstream gave, nothing more, nothing twice", "",
       lambda t: t.good and t.is_plain_answer)
def same_text(trace):
    want = trace.shape.expect.get("text", "")
    if "leave" in trace.shape.flags:
        return None if trace.reading.text.startswith(want) else f"{trace.reading.text!r}"
    return None if trace.reading.text == want else f"{trace.reading.text!r}, not {want!r}"


@check("E3", "reasoning arrives as the dialect's reasoning, not lost and not as text", "mapping: thinking",
       lambda t: t.good and t.shape.expect.get("thinking"),
       [dialect for dialect in DIALECTS if dialect not in NO_REASONING])
def same_thinking(trace):
    want = trace.shape.expect["thinking"]
    return None if trace.reading.thinking == want else f"{trace.reading.thinking!r}, not {want!r}"


@check("S1", "the message starts once and first, whatever the upstream's first chunk is",
       "invariant 1: CLIProxyAPI #561, Bifrost #4556", good, SSE)
def starts_once(trace):
    if trace.dialect == "openai":
        deltas = [choice.get("delta", {}) for value in trace.events() for choice in value["choices"]]
        return None if deltas and deltas[0].get("role") == "assistant" else "no role in the first delta"
    start = {"anthropic": "message_start", "responses": "response.created"}[trace.dialect]
    kinds = [value.get("type") for value in trace.events()]
    while kinds and kinds[0] == "ping":
        kinds.pop(0)
    if not kinds or kinds[0] != start:
        return f"{kinds[:1]} comes first"
    return None if kinds.count(start) == 1 else f"{start} comes {kinds.count(start)} times"


def _block_marks(trace):
    """("open" or "delta" or "close", index) of the dialects that have blocks."""
    names = {"anthropic": {"content_block_start": "open", "content_block_stop": "close",
                           "content_block_delta": "delta"},
             "responses": {"response.output_item.added": "open", "response.output_item.done": "close"}}
    key = "index" if trace.dialect == "anthropic" else "output_index"
    for value in trace.events():
        kind = value.get("type", "")
        mark = names[trace.dialect].get(kind)
        if mark is None and trace.dialect == "responses" and kind.endswith(".delta"):
            mark = "delta"
        if mark:
            yield mark, value.get(key)


@check("S2", "a block is opened once and closed once, and the next one starts after that",
       "invariant 2: LiteLLM #37273 (tools ran twice), 9router", good, ("anthropic", "responses"))
def one_after_the_other(trace):
    is_open, closed = None, set()
    for mark, index in _block_marks(trace):
        if mark == "open" and (is_open is not None or index in closed):
            return f"block {index} is opened, block {is_open} is open and {sorted(closed)} were closed"
        if mark != "open" and index != is_open:
            return f"{mark} of block {index} while {is_open} is open"
        if mark == "close":
            closed.add(index)
        is_open = {"open": index, "delta": is_open, "close": None}[mark]
    left = "leave" in trace.shape.flags
    return None if is_open is None or left else f"block {is_open} is never closed"


@check("S2o", "a tool call is opened once: id and name come once for an index", "invariant 2", has_tools,
       ("openai",))
def calls_open_once(trace):
    opened = set()
    for call in _openai_calls(trace):
        name = (call.get("function") or {}).get("name")
        if call.get("index") in opened and name:
            return f"call {call.get('index')} is named twice"
        if call.get("index") not in opened and not (call.get("id") and name):
            return f"call {call.get('index')} begins without id or name"
        opened.add(call.get("index"))
    return None


def _openai_calls(trace):
    for value in trace.events():
        for choice in value.get("choices") or []:
            yield from (choice.get("delta") or {}).get("tool_calls") or []


@check("S3", "indices are 0, 1, 2, also when text goes on after something else", "invariant 3: Manifest", good, SSE)
def indices_rise(trace):
    if trace.dialect == "openai":
        indices = list(dict.fromkeys(call.get("index") for call in _openai_calls(trace)))
    else:
        indices = [index for mark, index in _block_marks(trace) if mark == "open"]
    return None if indices == list(range(len(indices))) else f"{indices}"


@check("S4", "no empty text block", "invariant 4: LiteLLM #34692", good, ("anthropic", "responses"))
def no_empty_text(trace):
    if trace.dialect == "responses":
        empty = [value for value in trace.events("response.output_text.done") if not value.get("text")]
        return "an empty output_text" if empty else None
    texts = {}
    for value in trace.events("content_block_start", "content_block_delta"):
        if value.get("content_block", {}).get("type") == "text":
            texts[value["index"]] = ""
        elif value["index"] in texts:
            texts[value["index"]] += value.get("delta", {}).get("text", "")
    empty = [index for index, text in texts.items() if not text]
    return f"text block {empty[0]} is empty" if empty else None


@check("S5", "tool calls arrive in order, and their arguments join to the very JSON that was meant",
       "invariant 5: LiteLLM #25561, #25836, #29491", has_tools)
def arguments_join(trace):
    want = [(name, arguments) for name, arguments in trace.shape.expect["tools"]]
    got = [(tool.name, tool.parsed()) for tool in trace.reading.tools]
    if got != want:
        return f"{[(tool.name, tool.arguments) for tool in trace.reading.tools]}, not {want}"
    # Only an Anthropic call may come without a byte of arguments: its input is {} from the start.
    bare = trace.dialect != "anthropic" and any(not tool.arguments for tool in trace.reading.tools)
    return "arguments are an empty string, which is no JSON" if bare else None


@check("S5b", "a call whose arguments are no JSON never ends as a call to be run", "invariant 5",
       lambda t: t.streamed and "broken_tool" in t.shape.flags)
def broken_call(trace):
    return "the stream ends as if all were well" if trace.reading.finished else None


@check("S6", "the stop reason says tool use exactly when there is a call", "invariant 6: LiteLLM #34692, Ollama",
       good, ("anthropic", "openai", "responses"))
def stop_fits(trace):
    if "leave" in trace.shape.flags:
        return None
    calls, says = bool(trace.shape.expect.get("tools")), trace.reading.stop == "tool_use"
    return None if calls == says else f"stop reason {trace.reading.stop!r}, {len(trace.reading.tools)} calls"


@check("S7", "the last word on usage is the upstream's, also when it comes after the finish",
       "invariant 7: 9router reports 0",
       lambda t: t.good and t.shape.expect.get("usage") and t.is_plain_answer)
def usage_is_right(trace):
    want = trace.shape.expect["usage"]
    got = {key: trace.reading.usage.get(key) for key in ("input", "output")}
    return None if all(got[key] == want[key] for key in got) else f"{trace.reading.usage}, not {want}"


@check("S8", "message_start tells the size of the prompt, as an estimate if need be", "invariant 8", good,
       ("anthropic",))
def start_has_input(trace):
    usage = trace.events("message_start")[0]["message"]["usage"]
    size = sum(usage.get(key) or 0 for key in ("input_tokens", "cache_read_input_tokens",
                                                "cache_creation_input_tokens"))
    return None if size > 0 else "input_tokens is 0"


def how_it_ends(trace):
    return "ends without a word" if trace.response.complete else "breaks off without a word"


@check("S9", "a failure ends in the dialect's error, and never looks like a whole answer",
       "invariant 9: Manifest's fabricated end_turn", fault)
def failure_is_told(trace):
    if trace.reading.finished:
        return f"ends as if all were well, with {trace.reading.text!r}"
    if trace.response.status == 200:
        return None if trace.reading.error else how_it_ends(trace)
    form = {"anthropic": lambda v: v["type"] == "error" and v["error"]["type"] and v["error"]["message"],
            "openai": lambda v: v["error"]["message"], "responses": lambda v: v["error"]["message"],
            "completions": lambda v: v["error"]["message"]}.get(
                trace.dialect, lambda v: v["error"] if isinstance(v["error"], str) else "")
    body = trace.reading.frames[0][1] if trace.reading.frames else {}
    return None if form(body) else f"not the dialect's error: {trace.response.body[:120]!r}"


RETRYABLE = {"overloaded_error", "api_error", "rate_limit_error", "timeout_error"}


@check("S9b", "a failure before any content is retried, or the client is told to", "invariant 9: 529 in streams",
       lambda t: fault(t) and t.shape.name == "error_before")
def early_failure_is_retried(trace):
    if len(trace.case.seen) > 1 or trace.response.status in (429, 500, 502, 503, 504, 529):
        return None
    if trace.response.status != 200:
        return f"status {trace.response.status}: clients give up"
    if trace.dialect != "anthropic":
        return None if trace.reading.error else "no error"
    kinds = [value["error"].get("type") for value in trace.events("error")]
    return None if kinds and kinds[0] in RETRYABLE else f"error types {kinds}"


@check("S10", "a stream is not compressed, and has the dialect's content type", "invariant 10: Manifest", good)
def plain_stream(trace):
    want = "application/x-ndjson" if trace.dialect in LINES else "text/event-stream"
    if trace.response.headers.get("content-encoding", "identity") != "identity":
        return f"content-encoding {trace.response.headers['content-encoding']}"
    kind = trace.response.headers.get("content-type", "")
    return None if kind.startswith(want) else f"content-type {kind!r}"


@check("S10b", "each piece is passed on at once, not when the answer is complete", "invariant 10",
       lambda t: t.good and "gate" in t.shape.flags)
def flushed(trace):
    return None if trace.case.gate_opened else "the first piece came after the upstream had gone on"


@check("S10c", f"a client hears something at least every {SILENT_S_MAX} s while the upstream is silent",
       "invariant 10: OpenClaw gives up on a silent stream", lambda t: t.streamed and "silence" in t.shape.flags)
def kept_alive(trace):
    times = [0.0] + [at for at, _ in trace.response.arrivals]
    gap = max(after - before for before, after in zip(times, times[1:])) if times[1:] else 0
    return None if times[1:] and gap < SILENT_S_MAX else f"{gap:.0f} s without a byte"


@check("S11", "a client that leaves takes the upstream request with it", "invariant 11",
       lambda t: t.streamed and "leave" in t.shape.flags)
def cancelled(trace):
    return None if trace.case.seen and trace.case.seen[-1].left else "the upstream was read to its end"


@check("S12", "after content nothing is repeated: no second request, no text from the start again",
       "invariant 12", lambda t: fault(t) and "before_content" not in t.shape.flags)
def nothing_twice(trace):
    want = trace.shape.expect.get("text", "")
    if not want.startswith(trace.reading.text):
        return f"the client has {trace.reading.text!r} of {want!r}"
    if trace.reading.has_content and len(trace.case.seen) > 1:
        return f"{len(trace.case.seen)} requests, though content was sent"
    return None


def http_error_text(trace):
    """The message a client shows."""
    return trace.reading.error or error_text((trace.reading.frames or [(None, {})])[0][1])

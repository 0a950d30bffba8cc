"""What is said in one dialect and has to be said in another: usage, stop reasons, errors, and the
request that reaches the upstream."""

import re

from checks import check
from checks_stream import http_error_text
from readings import LINES

LOCAL = ("openai", "ollama")


def wants(key):
    return lambda trace: key in trace.wants and trace.case.seen


@check("M1", "cached tokens: apart from input_tokens in Anthropic's count, inside it everywhere else",
       "mapping: usage; agentgateway 75b4e6c", lambda t: t.shape.name == "usage_cached" and t.response.status == 200)
def cached_usage(trace):
    want, got = trace.shape.expect["usage"], trace.reading.usage
    if got.get("input") != want["input"]:
        return f"input {got.get('input')}, not {want['input']}"
    tells = trace.dialect not in LINES  # they have no field for it
    return f"cached {got.get('cached')}" if tells and got.get("cached") != want["cached"] else None


STOPPED = {"length", "context_full", "refusal", "refused_at_once", "refused_in_its_place", "stop_sequence"}


@check("M2", "stop reasons: length, refusal, the stop sequence that was hit", "mapping: stop",
       lambda t: t.good and t.shape.name in STOPPED)
def stop_is_mapped(trace):
    want = trace.shape.expect["stop"]
    if trace.dialect in LINES and want == "refusal":
        want = "end"  # Ollama has no word for it
    if trace.reading.stop != want:
        return f"{trace.reading.stop!r}, not {want!r}"
    sequence = trace.shape.expect.get("stop_sequence", "")
    tells = trace.dialect == "anthropic"
    return f"stop_sequence {trace.reading.stop_sequence!r}" if tells and \
        trace.reading.stop_sequence != sequence else None


@check("M3", "an HTTP error keeps what it means: 429, 5xx, 400 with its message; and retry-after",
       "mapping: errors; SDKs and agents obey retry-after", lambda t: t.streamed and "status" in t.shape.flags)
def status_is_kept(trace):
    want, status = trace.shape.expect, trace.response.status
    kinds = {429: status == 429, 503: status in (503, 529), 502: 500 <= status <= 599, 400: status == 400}
    if not kinds[want["status"]]:
        return f"status {status} for {want['status']}"
    after = want.get("retry_after")
    if after and trace.response.headers.get("retry-after") != after:
        return f"retry-after {trace.response.headers.get('retry-after')}"
    message = want.get("message", "")
    return None if message in http_error_text(trace) else f"the message became {http_error_text(trace)!r}"


@check("M4", "system text stays: at the start as system, later ones somewhere", "mapping: system", wants("system"))
def system_is_kept(trace):
    asked, text = trace.asked, trace.ask["wants"]["system"]
    if text not in asked.system:
        return f"the system text is {asked.system!r}"
    everything = "\n".join([asked.system, asked.later_system, *asked.texts])
    lost = [text for text in trace.ask["wants"].get("texts", []) if text not in everything]
    return f"lost: {lost[0]!r}" if lost else None


@check("M5", "tools arrive with their schemas", "mapping: tools", wants("tools"))
def tools_arrive(trace):
    asked = trace.asked
    names = [name for name, _ in asked.tools]
    if names != trace.ask["wants"]["tools"]:
        return f"{names}"
    schema = dict(asked.tools)["look"]
    return None if (schema or {}).get("properties") == {"path": {"type": "string"}} else f"{schema}"


@check("M6", "tool_choice is mapped: any, one by name", "mapping: tools", wants("choice"),
       upstreams=("anthropic", "openai"))
def choice_is_mapped(trace):
    want = trace.ask["wants"]["choice"]
    return None if trace.asked.choice == want else f"{trace.asked.choice!r}, not {want!r}"


@check("M7", "disable_parallel_tool_use and parallel_tool_calls: false are each other", "mapping: tools",
       wants("parallel"), upstreams=("anthropic", "openai"))
def parallel_is_mapped(trace):
    return "parallel calls are allowed" if trace.asked.parallel else None


@check("M8", "calls and results arrive whole and paired, results right behind their calls", "mapping: tool results",
       wants("calls"))
def results_follow(trace):
    asked, want = trace.asked, trace.ask["wants"]
    if [[name, arguments] for _, name, arguments in asked.calls] != want["calls"]:
        return f"calls {asked.calls}"
    texts = [text for text, _ in want["results"]]
    if len(asked.results) != 2 or any(text not in got for text, (_, got, _) in zip(texts, asked.results)):
        return f"results {asked.results}"
    first = asked.order.index("call")
    if asked.order[first:first + 4] != ["call", "call", "result", "result"]:
        return f"the order is {asked.order}"
    paired = [call[0] for call in asked.calls] == [result[0] for result in asked.results]
    return None if paired or trace.upstream == "ollama" else \
        f"ids {[call[0] for call in asked.calls]} and {[result[0] for result in asked.results]}"


@check("M9", "a failed tool result still reads as failed", "mapping: is_error", wants("results"),
       ("anthropic",))
def failure_is_kept(trace):
    _, text, marked = trace.asked.results[1]
    return None if marked or text != "not found" else "nothing says that the tool failed"


@check("M10", "another model's reasoning is not sent to Claude as thinking, nor to anyone as text",
       "mapping: thinking", wants("secret"))
def no_foreign_thinking(trace):
    asked, secret = trace.asked, trace.ask["wants"]["secret"]
    if any(secret in text for text in asked.texts):
        return "it is in the text"
    return "it is a thinking block" if asked.thoughts else None


@check("M11", "tool ids sent to Claude have only A-Z a-z 0-9 _ -", "Claude API: refuses others", wants("calls"),
       upstreams=("anthropic",))
def ids_are_plain(trace):
    odd = [identity for identity, _, _ in trace.asked.calls
           if not re.fullmatch(r"[A-Za-z0-9_-]{1,128}", identity or "")]
    return f"{odd[0]!r}" if odd else None


@check("M12", "an image arrives as the very same bytes", "mapping: images", wants("image"))
def image_arrives(trace):
    return None if trace.asked.images == [trace.ask["wants"]["image"]] else f"{trace.asked.images}"


@check("M13", "the token limit and stop sequences arrive", "mapping", wants("max_tokens"))
def limits_arrive(trace):
    asked, want = trace.asked, trace.ask["wants"]
    if asked.max_tokens != want["max_tokens"]:
        return f"the limit is {asked.max_tokens}"
    # The Responses dialect cannot ask for stop sequences.
    tells = trace.dialect != "responses"
    return f"stop {asked.stop}" if tells and asked.stop != want["stop"] else None


@check("M14", "max_tokens is always set for Claude", "Claude API: required",
       lambda t: t.ask["name"] == "no_limit" and t.case.seen, upstreams=("anthropic",))
def always_a_limit(trace):
    return None if isinstance(trace.asked.max_tokens, int) else "no max_tokens"


@check("M15", "a wish for a JSON schema arrives as the upstream's own", "SDK helpers parse the text", wants("schema"))
def schema_arrives(trace):
    schema, want = trace.asked.schema or {}, trace.ask["wants"]["schema"]
    return None if schema.get("properties") == want["properties"] else f"{schema}"


@check("M16", "a stream's usage is asked for (stream_options.include_usage)", "invariant 7",
       lambda t: t.streamed and t.case.seen, upstreams=("openai",))
def usage_is_asked_for(trace):
    body = trace.case.seen[-1].body
    asked = not body.get("stream") or (body.get("stream_options") or {}).get("include_usage")
    return None if asked else f"stream_options is {body.get('stream_options')}"


@check("M17", "Ollama is told the context size (num_ctx), else it cuts the system prompt in silence",
       "mapping: Ollama", lambda t: t.case.seen and t.dialect not in LINES, upstreams=("ollama",))
def context_is_set(trace):
    options = trace.case.seen[-1].body.get("options") or {}
    return None if options.get("num_ctx") else "no options.num_ctx"


@check("M18", "Claude Code's billing header is not put into another model's prompt", "it differs in every session and spoils the cached prefix",
       wants("billing"), ("anthropic",), LOCAL)
def billing_is_stripped(trace):
    there = trace.ask["wants"]["billing"].encode() in trace.case.seen[-1].raw
    return "it is in the prompt" if there else None


@check("M19", "allowed_tools: only those are offered, and one is required where that was said",
       "OpenAI API reference, tool_choice", wants("allowed"), ("openai", "responses"))
def allowed_tools_are_kept(trace):
    asked, want = trace.asked, trace.ask["wants"]["allowed"]
    names = [name for name, _ in asked.tools]
    if names != want:
        return f"{names} are offered"
    tells = trace.upstream != "ollama"  # has no tool_choice
    return f"the choice is {asked.choice!r}" if tells and asked.choice != "any" else None


@check("T1", "every answer has request-id and x-request-id", "SDKs: _request_id", lambda t: t.response.status)
def ids_are_there(trace):
    missing = [name for name in ("request-id", "x-request-id") if not trace.response.headers.get(name)]
    return f"no {' and no '.join(missing)}" if missing else None

"""OpenAI's legacy completions and Ollama's generate: what is theirs alone, in the answer and in what
reaches the upstream. The rules they share with the chat dialects are in the other checks_*.py."""

from checks import check
from checks_forms import CHUNKS, finished, whole
from checks_mapping import wants
from checks_stream import http_error_text
from readings import LINES

COMPLETIONS, GENERATE = ("completions",), ("generate",)
DEFAULT_LIMIT = 16


def answers(trace):
    return finished(trace) or whole(trace)


def choices(trace):
    return [choice for value in trace.events() for choice in value.get("choices") or []]


# --- OpenAI completions --------------------------------------------------------------------------

@check("L1", "answers and chunks are text_completion, under one id that begins with cmpl-", "OpenAI reference", answers,
       COMPLETIONS)
def is_text_completion(trace):
    ids = {value.get("id") for value in trace.events()}
    kinds = {value.get("object") for value in trace.events()}
    named = len(ids) == 1 and str(*ids).startswith("cmpl-")
    return None if named and kinds == {"text_completion"} else f"{ids} {kinds}"


@check("L2", "a choice has text, index, logprobs and finish_reason, and nothing of chat",
       "OpenAI SDK: CompletionChoice; clients read choices[0].text", answers, COMPLETIONS)
def choice_is_full(trace):
    for choice in choices(trace):
        full = isinstance(choice["text"], str) and isinstance(choice["index"], int)
        if not full or not {"logprobs", "finish_reason"} <= choice.keys() or {"delta", "message"} & choice.keys():
            return f"{choice}"
    return None if choices(trace) else "no choices"


@check("L3", "each choice of a stream has one finish_reason, and no text follows it", "OpenAI reference", finished, COMPLETIONS)
def choice_finishes_once(trace):
    over = set()
    for choice in choices(trace):
        if choice["index"] in over and (choice["text"] or choice["finish_reason"]):
            return f"choice {choice['index']} goes on after its finish_reason"
        if choice["finish_reason"]:
            over.add(choice["index"])
    begun = {choice["index"] for choice in choices(trace)}
    return None if begun == over else f"{sorted(begun - over)} have no finish_reason"


@check("L4", "n and lists of prompts: one choice for each answer, the prompts in order, usage for all of them",
       "OpenAI reference: n, prompt", lambda t: "answers" in t.wants and t.response.status == 200, COMPLETIONS)
def several_answers(trace):
    want, usage = trace.wants["answers"], trace.shape.expect["usage"]
    if trace.reading.answers != want:
        return f"{trace.reading.answers}, not {want}"
    if not trace.reading.finished:
        return "not every choice has a finish_reason"
    output = trace.reading.usage.get("output")
    return None if output == usage["output"] * len(want) else f"usage {trace.reading.usage} for {len(want)} answers"


@check("L5", "without include_usage a stream has no usage, and no chunk without choices", "OpenAI reference; clients read choices[0]",
       lambda t: finished(t) and "no_usage" in t.wants, CHUNKS)
def usage_only_when_asked(trace):
    told = [value for value in trace.events() if value.get("usage") or not value.get("choices")]
    return f"{str(told[0])[:120]}" if told else None


@check("L6", "without max_tokens the limit is 16, as OpenAI has it", "OpenAI reference: max_tokens",
       lambda t: t.ask["name"] == "no_limit" and t.case.seen, COMPLETIONS)
def default_limit(trace):
    body = trace.case.seen[-1].body
    same_api = "prompt" in body and trace.upstream == "openai"  # whose own default it is
    limit = trace.asked.max_tokens
    return None if limit == DEFAULT_LIMIT or (same_api and limit is None) else f"the limit is {limit}"


# --- Ollama generate -----------------------------------------------------------------------------

@check("G1", "each line has model, created_at, done and a response of text, and nothing of chat", "Ollama's API; ollama-js",
       answers, GENERATE)
def response_lines(trace):
    for value in trace.events():
        full = value["model"] and value["created_at"] and isinstance(value["response"], str)
        if not full or not isinstance(value["done"], bool) or "message" in value:
            return f"{str(value)[:120]}"
    return None


DURATIONS = ("total_duration", "load_duration", "prompt_eval_duration", "eval_duration")


@check("G2", "durations are whole nanoseconds, and the upstream's own where it tells them",
       "Ollama's API: tokens/s is eval_count / eval_duration", lambda t: answers(t) and t.shape.name == "text" and
       t.is_plain_answer, LINES)
def durations(trace):
    last = trace.events()[-1]
    wrong = [key for key in DURATIONS if key in last and not (isinstance(last[key], int) and last[key] >= 0)]
    if wrong:
        return f"{wrong[0]} {last[wrong[0]]!r}"
    if not last.get("total_duration"):
        return "no total_duration"
    told = {"load_duration": 1000000, "prompt_eval_duration": 2000000, "eval_duration": 5000000}
    lost = [key for key, value in told.items() if last.get(key) != value]
    return f"{lost[0]} {last.get(lost[0])}, not {told[lost[0]]}" if lost and trace.upstream == "ollama" else None


@check("G3", "a context, where there is one, is a list of integers on the last line", "Ollama's API: context (deprecated)",
       answers, GENERATE)
def context_is_numbers(trace):
    lines = trace.events()
    if any("context" in value for value in lines[:-1]):
        return "it is on a line that is not the last"
    context = lines[-1].get("context", [])
    numbers = isinstance(context, list) and all(isinstance(token, int) for token in context)
    return None if numbers else f"{str(context)[:80]}"


@check("G4", "raw with a system text, a template or a context is refused with 400, in Ollama's words",
       "Ollama's API: raw", lambda t: "refused" in t.wants, GENERATE)
def raw_stands_alone(trace):
    if trace.response.status != 400:
        return f"status {trace.response.status}"
    said = http_error_text(trace)
    return None if trace.wants["refused"] in said else f"{said!r}"


@check("G5", "without a prompt the model is loaded or unloaded: one empty answer, done, that says which",
       "Ollama's API: load, unload", lambda t: "done_reason" in t.wants, LINES)
def loads(trace):
    if trace.upstream != "ollama" and trace.wants["done_reason"] == "unload" and trace.response.status == 400:
        return None if http_error_text(trace) else "refused without a word"  # other servers have no such thing
    lines = trace.events()
    if len(lines) != 1:
        return f"{len(lines)} lines"
    if trace.response.status != 200:
        return f"status {trace.response.status}"
    said = (lines[0]["done"], lines[0]["done_reason"], trace.reading.text)
    return None if said == (True, trace.wants["done_reason"], "") else f"{said}"


# --- what reaches the upstream -------------------------------------------------------------------

@check("L7", "a prompt that brings its own template arrives as it is, without another around it",
       "OpenAI reference: prompt; Ollama's API: raw", wants("prompt"), ("completions", "generate"))
def prompt_is_raw(trace):
    want, body = trace.wants["prompt"].replace("CASE", trace.case.name), trace.case.seen[-1].body
    if trace.upstream == "ollama" and "prompt" in body and not body.get("raw"):
        return "raw is not set"
    got = trace.asked.system + "".join(trace.asked.texts)
    return None if got == want else f"{got!r}, not {want!r}"


@check("L8", "a field that cannot be honoured is refused, or a header names it: it is not dropped without a word",
       "the caller would take the answer for what was asked", lambda t: "field" in t.wants and t.response.status)
def nothing_dropped(trace):
    name, sent = trace.wants["field"], trace.ask[trace.dialect]
    if 400 <= trace.response.status < 500:
        return None if name in http_error_text(trace) else f"refused, without naming it: {http_error_text(trace)!r}"
    if trace.response.status != 200:
        return f"status {trace.response.status}"
    if any(name in value for value in trace.response.headers.values()):
        return None
    passed_on = trace.case.seen and trace.case.seen[-1].body.get(name) == sent[name]
    return None if passed_on else "it is dropped without a word"


@check("M20", "a wish for JSON of any shape arrives as the upstream's own", "OpenAI: json_object; Ollama: \"json\"", wants("any_json"),
       upstreams=("openai", "ollama"))
def any_json_arrives(trace):
    return None if trace.asked.any_json else "nothing asks for JSON"


@check("M21", "think arrives at Ollama as it was said; how much, at a model that takes levels", "Ollama's API: think", wants("think"), LINES, ("ollama",))
def think_arrives(trace):
    got = trace.case.seen[-1].body.get("think")
    return None if got == trace.wants["think"] else f"think is {got!r}"


@check("M22", "temperature, top_p and seed arrive", "mapping: sampling", wants("sampling"), upstreams=("openai", "ollama"))
def sampling_arrives(trace):
    got, want = trace.asked.sampling, trace.wants["sampling"]
    return None if got == want else f"{got}, not {want}"


@check("M23", "keep_alive arrives at Ollama", "Ollama's API: keep_alive", wants("keep_alive_s"), LINES, ("ollama",))
def keep_alive_arrives(trace):
    got, want = trace.case.seen[-1].body.get("keep_alive"), trace.wants["keep_alive_s"]
    return None if got in (want, f"{want}s", f"{want // 60}m") else f"keep_alive is {got!r}"


@check("M24", "a refusal that is told as one stays one", "OpenAI SDK: helpers parse any other text as what was asked for",
       lambda t: t.good and "refusal" in t.shape.expect, ("openai", "responses"), ("openai",))
def refusal_stays(trace):
    got, want = trace.reading.refusal, trace.shape.expect["refusal"]
    return None if got == want else f"{got!r} is told as one, not {want!r}"

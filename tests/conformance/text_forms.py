"""The shapes as the endpoints for raw text send them: OpenAI's legacy /v1/completions and Ollama's
/api/generate. They are written once, as chat (shapes/*.json); what chat alone can say has no such form."""

import json


class NoTextForm(Exception):
    """A tool call, a refusal apart from the text, parts, or bytes that are no JSON by themselves."""


def text_items(kind, items):
    """The items of a stream; None where one of them has no such form. Claude has no such endpoint."""
    try:
        return [_item(kind, item) for item in items]
    except NoTextForm:
        return None


def text_whole(kind, body):
    """The body of an unstreamed answer; None where it has no such form."""
    try:
        return _value(kind, body, "message")
    except NoTextForm:
        return None


def _item(kind, item):
    if isinstance(item, str):
        return _string(kind, item)
    if "do" in item:
        return {**item, "item": _item(kind, item["item"])} if "item" in item else item
    return _value(kind, item, "delta")


def _string(kind, text):
    """Raw bytes stay what they are, but for the objects in them. Escapes stay escapes."""
    out, at, decoder = "", 0, json.JSONDecoder()
    while (start := text.find("{", at)) >= 0:
        try:
            value, end = decoder.raw_decode(text, start)
        except ValueError as broken:
            raise NoTextForm(text) from broken
        out += text[at:start] + json.dumps(_value(kind, value, "delta"))
        at = end
    return out + text[at:]


def _value(kind, value, place):
    if kind == "openai":
        return _openai(value, place)
    if kind == "ollama":
        return _ollama(value)
    raise NoTextForm(kind)


def _openai(value, place):
    if "choices" not in value:
        return value
    choices = []
    for choice in value["choices"] or []:
        said = choice.get(place)
        if not isinstance(said, dict):
            raise NoTextForm(choice)
        text = _text(said, "content")
        rest = {key: more for key, more in choice.items() if key not in (place, "index")}
        choices.append({"text": text, "index": choice.get("index", 0), "logprobs": None, **rest})
    head = {"id": "cmpl-conf", "object": "text_completion"}
    return {**value, **head, "choices": choices if value["choices"] else value["choices"]}


def _ollama(value):
    if "message" not in value:
        return value
    said = value["message"]
    if not isinstance(said, dict):
        raise NoTextForm(value)
    rest = {key: more for key, more in value.items() if key != "message"}
    thinking = {"thinking": said["thinking"]} if said.get("thinking") else {}
    return {"response": _text(said, "content"), **thinking, **rest}


def _text(said, key):
    calls = any(said.get(name) for name in ("tool_calls", "function_call", "refusal"))
    text = said.get(key) or ""
    if calls or not isinstance(text, str):
        raise NoTextForm(said)
    return text


def last_words(body):
    """The last word of each prompt, of a conversation that of its last message, as often as `n` asks."""
    prompts = body.get("prompt") or ""
    if "messages" in body:
        content = (body["messages"] or [{}])[-1].get("content") or ""
        prompts = content if isinstance(content, str) else content[-1].get("text", "")
    prompts = [prompts] if isinstance(prompts, str) else prompts
    return [(prompt.split() or [""])[-1] for prompt in prompts for _ in range(body.get("n") or 1)]


def said_back(value, words):
    """`value` with <WORD> replaced; of several answers each choice comes for each of them."""
    if not isinstance(value, dict) or "<WORD>" not in json.dumps(value) and len(words) < 2:
        return value
    if len(words) < 2 or "choices" not in value:
        return _with_word(value, words[0])
    choices = [{**_with_word(choice, word), "index": index}
               for index, word in enumerate(words) for choice in value["choices"]]
    said = {**value, "choices": choices}
    if said.get("usage"):
        output = said["usage"]["completion_tokens"] * len(words)
        total = said["usage"]["prompt_tokens"] + output
        said["usage"] = {**said["usage"], "completion_tokens": output, "total_tokens": total}
    return said


def _with_word(value, word):
    return json.loads(json.dumps(value).replace("<WORD>", word))

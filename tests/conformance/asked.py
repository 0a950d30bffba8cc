"""What an upstream was asked, read the same way for every kind of upstream."""

import json
from dataclasses import dataclass, field


@dataclass
class Asked:
    system: str = ""      # system text before the conversation
    later_system: str = ""
    texts: list = field(default_factory=list)    # of users and assistants
    calls: list = field(default_factory=list)    # (id, name, arguments)
    results: list = field(default_factory=list)  # (id, text, marked as an error)
    order: list = field(default_factory=list)    # "text", "call", "result", as they come
    images: list = field(default_factory=list)
    thoughts: list = field(default_factory=list)  # reasoning, with its signature or None
    tools: list = field(default_factory=list)    # (name, schema)
    choice: str = "auto"  # auto, any, none, named:NAME
    parallel: bool = True
    max_tokens: int = None
    stop: list = field(default_factory=list)
    schema: dict = None
    any_json: bool = False  # JSON of whatever shape
    sampling: dict = field(default_factory=dict)  # temperature, top_p, seed


def read_asked(kind, body):
    if "prompt" in body:
        return _raw_text(kind, body)
    return {"anthropic": _anthropic, "openai": _openai, "ollama": _ollama}[kind](body)


SAMPLING = ("temperature", "top_p", "seed")


def _sampling(settings):
    return {key: settings[key] for key in SAMPLING if settings.get(key) is not None}


def _raw_text(kind, body):
    """Asked at the endpoint for raw text: OpenAI's legacy one or Ollama's generate."""
    where = body.get("options") or {} if kind == "ollama" else body
    asked = Asked(system=body.get("system") or "", stop=where.get("stop") or [],
                  max_tokens=where.get("num_predict" if kind == "ollama" else "max_tokens"),
                  sampling=_sampling(where), images=body.get("images") or [])
    asked.stop = [asked.stop] if isinstance(asked.stop, str) else asked.stop
    prompts = body["prompt"] if isinstance(body["prompt"], list) else [body["prompt"]]
    for prompt in prompts:
        _say(asked, prompt)
    asked.schema = body.get("format") if isinstance(body.get("format"), dict) else None
    asked.any_json = body.get("format") == "json"
    return asked


def _flat(content):
    """Text of a string or of parts."""
    if isinstance(content, str):
        return content
    return "\n".join(part.get("text", "") for part in content or [] if isinstance(part, dict))


def _say(asked, text):
    if text:
        asked.texts.append(text)
        asked.order.append("text")


def _anthropic(body):
    asked = Asked(system=_flat(body.get("system")), max_tokens=body.get("max_tokens"),
                  stop=body.get("stop_sequences") or [])
    for message in body.get("messages", []):
        content = message.get("content")
        if message.get("role") == "system":
            asked.later_system += _flat(content)
            continue
        for block in [{"type": "text", "text": content}] if isinstance(content, str) else content or []:
            _anthropic_block(asked, block)
    for tool in body.get("tools") or []:
        asked.tools.append((tool.get("name"), tool.get("input_schema")))
    choice = body.get("tool_choice") or {}
    asked.choice = {"any": "any", "none": "none", "tool": f"named:{choice.get('name')}"}.get(
        choice.get("type"), "auto")
    asked.parallel = not choice.get("disable_parallel_tool_use")
    asked.schema = ((body.get("output_config") or {}).get("format") or body.get("output_format")
                    or {}).get("schema")
    return asked


def _anthropic_block(asked, block):
    kind = block.get("type")
    if kind == "text":
        _say(asked, block.get("text"))
    elif kind == "tool_use":
        asked.calls.append((block.get("id"), block.get("name"), block.get("input")))
        asked.order.append("call")
    elif kind == "tool_result":
        asked.results.append((block.get("tool_use_id"), _flat(block.get("content")),
                              bool(block.get("is_error"))))
        asked.order.append("result")
    elif kind == "image":
        asked.images.append((block.get("source") or {}).get("data"))
    elif kind in ("thinking", "redacted_thinking"):
        asked.thoughts.append((block.get("thinking"), block.get("signature") or None))


def _openai(body):
    asked = Asked(max_tokens=body.get("max_completion_tokens") or body.get("max_tokens"),
                  sampling=_sampling(body))
    stop = body.get("stop") or []
    asked.stop = [stop] if isinstance(stop, str) else stop
    _openai_messages(asked, body.get("messages", []), json.loads)
    for tool in body.get("tools") or []:
        function = tool.get("function") or {}
        asked.tools.append((function.get("name"), function.get("parameters")))
    choice = body.get("tool_choice")
    if isinstance(choice, dict) and choice.get("type") == "allowed_tools":
        allowed = choice.get("allowed_tools") or {}
        names = [(tool.get("function") or {}).get("name") for tool in allowed.get("tools") or []]
        asked.tools = [tool for tool in asked.tools if tool[0] in names]
        asked.choice = "any" if allowed.get("mode") == "required" else "auto"
    elif isinstance(choice, dict):
        asked.choice = f"named:{(choice.get('function') or {}).get('name')}"
    else:
        asked.choice = {"required": "any", "none": "none"}.get(choice, "auto")
    asked.parallel = body.get("parallel_tool_calls") is not False
    response_format = body.get("response_format") or {}
    asked.schema = (response_format.get("json_schema") or {}).get("schema")
    asked.any_json = response_format.get("type") == "json_object"
    return asked


def _openai_messages(asked, messages, read_arguments):
    begun = False
    for message in messages:
        role, content = message.get("role"), message.get("content")
        if role in ("system", "developer"):
            if begun:
                asked.later_system += _flat(content)
            else:
                asked.system += _flat(content)
            continue
        begun = True
        if role == "tool":
            asked.results.append((message.get("tool_call_id"), _flat(content), False))
            asked.order.append("result")
            continue
        _say(asked, _flat(content))
        for part in content if isinstance(content, list) else []:
            if part.get("type") == "image_url":
                asked.images.append((part.get("image_url") or {}).get("url", "").partition("base64,")[2])
        asked.images += message.get("images") or []
        for call in message.get("tool_calls") or []:
            function = call.get("function") or {}
            asked.calls.append((call.get("id"), function.get("name"),
                                read_arguments(function.get("arguments"))))
            asked.order.append("call")


def _ollama(body):
    options = body.get("options") or {}
    asked = Asked(max_tokens=options.get("num_predict"), stop=options.get("stop") or [],
                  sampling=_sampling(options))
    _openai_messages(asked, body.get("messages", []), lambda arguments: arguments)
    for tool in body.get("tools") or []:
        function = tool.get("function") or {}
        asked.tools.append((function.get("name"), function.get("parameters")))
    asked.any_json = body.get("format") == "json"
    asked.schema = body.get("format") if isinstance(body.get("format"), dict) else None
    return asked

"""Checks a Messages request as strictly as the API does. Raises errors.ApiError on the first fault.

Sources: the published API reference, and the fields that real clients were recorded to send."""

import json
import re

from errors import ApiError, invalid

MODELS = {
    "claude-fable-5-1": "Claude Fable 5.1", "claude-opus-5-5": "Claude Opus 5.5",
    "claude-opus-5": "Claude Opus 5", "claude-opus-4-8": "Claude Opus 4.8",
    "claude-opus-4-7": "Claude Opus 4.7", "claude-opus-4-6": "Claude Opus 4.6",
    "claude-opus-4-5": "Claude Opus 4.5", "claude-sonnet-5-5": "Claude Sonnet 5.5",
    "claude-sonnet-5": "Claude Sonnet 5", "claude-sonnet-4-6": "Claude Sonnet 4.6",
    "claude-sonnet-4-5": "Claude Sonnet 4.5", "claude-haiku-5-5": "Claude Haiku 5.5",
    "claude-haiku-4-5": "Claude Haiku 4.5",
}
TOP_LEVEL = {
    "model", "messages", "max_tokens", "system", "stream", "stop_sequences", "temperature", "top_p",
    "top_k", "tools", "tool_choice", "metadata", "thinking", "service_tier", "container",
    "context_management", "mcp_servers", "output_config", "output_format", "inference_geo",
    "safeguards", "speed", "diagnostics", "billing_policy", "cache_control",
}
COUNT_TOP_LEVEL = {"model", "messages", "system", "tools", "tool_choice", "thinking",
                     "context_management", "mcp_servers", "output_config", "output_format",
                     "safeguards", "speed", "cache_control"}
USER_BLOCKS = {"text", "image", "document", "tool_result", "search_result", "container_upload"}
ASSISTANT_BLOCKS = {"text", "thinking", "redacted_thinking", "tool_use", "server_tool_use",
                    "web_search_tool_result", "code_execution_tool_result", "mcp_tool_use",
                    "mcp_tool_result"}
TOOL_NAME = re.compile(r"^[a-zA-Z0-9_-]{1,128}$")
TOOL_ID = re.compile(r"^[a-zA-Z0-9_-]+$")
CACHE_BREAKPOINTS_MAX = 4


def known_model(model):
    base = re.sub(r"-\d{8}$", "", model)
    return base if base in MODELS else None


def parse_body(body):
    try:
        value = json.loads(body.decode("utf-8"))
    except (UnicodeDecodeError, json.JSONDecodeError, RecursionError) as bad:
        raise invalid(f"The request body is not valid JSON: {bad}") from bad
    if not isinstance(value, dict):
        raise invalid("Input should be a valid dictionary")
    return value


def check_headers(headers, api_key=None):
    """Returns nothing. Any key is taken unless one was given to the simulator."""
    bearer = headers.get("authorization", "")
    key = headers.get("x-api-key", "")
    if not key and bearer.lower().startswith("bearer "):
        key = bearer[7:].strip()
    if not key:
        raise ApiError(401, "x-api-key header is required")
    if api_key is not None and key != api_key:
        raise ApiError(401, "invalid x-api-key")
    version = headers.get("anthropic-version", "")
    if not version:
        raise invalid("anthropic-version: header is required")
    if not re.fullmatch(r"\d{4}-\d{2}-\d{2}", version):
        raise invalid(f"anthropic-version: \"{version}\" is not a valid version")


def check_request(value, counting=False, betas=""):
    """value: the parsed body of POST /v1/messages (or of count_tokens); betas: its anthropic-beta."""
    for name in value:
        if name == "thread" and not counting and "message-threads-" in betas:
            _check_thread(value[name])
        elif name not in (COUNT_TOP_LEVEL if counting else TOP_LEVEL):
            raise invalid(f"{name}: Extra inputs are not permitted")
    required = ["model", "messages"] if counting else ["model", "max_tokens", "messages"]
    for name in required:
        if name not in value:
            raise invalid(f"{name}: Field required")
    if not isinstance(value["model"], str) or not value["model"]:
        raise invalid("model: Input should be a valid string")
    if not counting:
        _check_max_tokens(value["max_tokens"])
    _check_scalars(value)
    _check_tools(value)
    _check_thinking(value, betas)
    breakpoints = []  # their lifetimes, in the order of the prompt
    for tool in value.get("tools", []):
        _note_breakpoint(tool, breakpoints)
    _check_system(value.get("system"), breakpoints)
    _check_messages(value["messages"], breakpoints)
    _check_breakpoints(breakpoints)
    if known_model(value["model"]) is None:
        raise ApiError(404, f"model: {value['model']}")


def _check_thread(thread):
    """None is held here, so none should be asked for."""
    if thread is not None:
        raise invalid("thread: the simulator holds no conversations")


def _check_max_tokens(tokens):
    if isinstance(tokens, bool) or not isinstance(tokens, int):
        raise invalid("max_tokens: Input should be a valid integer")
    if tokens < 1:
        raise invalid("max_tokens: Input should be greater than or equal to 1")


def _check_scalars(value):
    if "stream" in value and not isinstance(value["stream"], bool):
        raise invalid("stream: Input should be a valid boolean")
    for name, top in (("temperature", 1), ("top_p", 1)):
        if name in value and (isinstance(value[name], bool)
                              or not isinstance(value[name], (int, float))
                              or not 0 <= value[name] <= top):
            raise invalid(f"{name}: range: 0..{top}")
    stops = value.get("stop_sequences", [])
    if not isinstance(stops, list) or any(not isinstance(stop, str) for stop in stops):
        raise invalid("stop_sequences: Input should be a valid list")
    if any(not stop.strip() for stop in stops):
        raise invalid("stop_sequences: each stop sequence must contain non-whitespace")
    metadata = value.get("metadata")
    if metadata is not None:
        if not isinstance(metadata, dict):
            raise invalid("metadata: Input should be a valid dictionary")
        for name in metadata:
            if name != "user_id":
                raise invalid(f"metadata.{name}: Extra inputs are not permitted")


def _check_tools(value):
    tools = value.get("tools", [])
    if not isinstance(tools, list):
        raise invalid("tools: Input should be a valid list")
    names = set()
    for index, tool in enumerate(tools):
        where = f"tools.{index}"
        if not isinstance(tool, dict):
            raise invalid(f"{where}: Input should be a valid dictionary")
        name = tool.get("name", "")
        is_custom = tool.get("type", "custom") == "custom"
        if is_custom and (not isinstance(name, str) or not TOOL_NAME.match(name)):
            raise invalid(f"{where}.custom.name: String should match pattern '{TOOL_NAME.pattern}'")
        if is_custom and not (isinstance(tool.get("input_schema"), dict)
                              and tool["input_schema"].get("type") == "object"):
            raise invalid(f"{where}.custom.input_schema.type: Field required")
        if name in names:
            raise invalid("tools: Tool names must be unique.")
        names.add(name)
    choice = value.get("tool_choice")
    if choice is None:
        return
    if not isinstance(choice, dict) or choice.get("type") not in ("auto", "any", "tool", "none"):
        raise invalid("tool_choice: Input tag should be one of 'auto', 'any', 'tool', 'none'")
    if not tools and choice["type"] != "none":
        raise invalid("tool_choice: may only be specified while providing tools")
    if choice["type"] == "tool" and choice.get("name") not in names:
        raise invalid(f"tool_choice: Tool '{choice.get('name')}' not found in provided tools")


def _check_thinking(value, betas):
    thinking = value.get("thinking")
    if thinking is None:
        return
    if not isinstance(thinking, dict) or thinking.get("type") not in (
            "enabled", "disabled", "adaptive", "between_tools"):
        raise invalid("thinking.type: Input tag is not one of the expected tags")
    if thinking["type"] != "enabled":
        return
    budget = thinking.get("budget_tokens")
    if not isinstance(budget, int) or budget < 1024:
        raise invalid("thinking.enabled.budget_tokens: Input should be greater than or equal to 1024")
    # Between tool calls the budget is of the whole turn, and max_tokens of one answer in it.
    interleaved = "interleaved-thinking-" in betas and value.get("tools")
    if "max_tokens" in value and budget >= value["max_tokens"] and not interleaved:
        raise invalid("`max_tokens` must be greater than `thinking.budget_tokens`.")


def _note_breakpoint(holder, breakpoints):
    if holder.get("cache_control"):
        breakpoints.append(holder["cache_control"].get("ttl", "5m"))


def _check_breakpoints(breakpoints):
    if len(breakpoints) > CACHE_BREAKPOINTS_MAX:
        raise invalid("A maximum of 4 blocks with cache_control may be provided. "
                      f"Found {len(breakpoints)}.")
    if breakpoints != sorted(breakpoints):  # "1h" is before "5m"
        raise invalid("a ttl='1h' cache_control block must not come after a ttl='5m' cache_control block. "
                      "Note that blocks are processed in the following order: `tools`, `system`, `messages`.")


def _check_system(system, breakpoints):
    if system is None or isinstance(system, str):
        return
    if not isinstance(system, list):
        raise invalid("system: Input should be a valid string or list")
    for index, block in enumerate(system):
        if not isinstance(block, dict) or block.get("type") != "text":
            raise invalid(f"system.{index}: only text blocks are supported")
        _check_text(block, f"system.{index}", "system")
        _note_breakpoint(block, breakpoints)


def _check_text(block, where, what):
    if not isinstance(block.get("text"), str):
        raise invalid(f"{where}.text: Field required")
    if not block["text"]:
        raise invalid(f"{what}: text content blocks must be non-empty")
    if not block["text"].strip():
        raise invalid(f"{what}: text content blocks must contain non-whitespace text")


def _check_messages(messages, breakpoints):
    if not isinstance(messages, list):
        raise invalid("messages: Input should be a valid list")
    if not messages:
        raise invalid("messages: at least one message is required")
    for index, message in enumerate(messages):
        _check_message(message, f"messages.{index}", breakpoints)
    first = next((m for m in messages if m["role"] != "system"), None)
    if first is None or first["role"] != "user":
        raise invalid("messages: first message must use the \"user\" role")
    last = messages[-1]
    if last["role"] == "assistant":
        text = last["content"] if isinstance(last["content"], str) else (
            last["content"][-1].get("text", "") if last["content"] else "")
        if text != text.rstrip():
            raise invalid("messages: final assistant content cannot end with trailing whitespace")
    _check_tool_pairs(messages)


def _check_message(message, where, breakpoints):
    if not isinstance(message, dict):
        raise invalid(f"{where}: Input should be a valid dictionary")
    role = message.get("role")
    if role not in ("user", "assistant", "system"):
        raise invalid(f"{where}.role: Input should be 'user', 'assistant' or 'system'")
    for name in message:
        if name not in ("role", "content", "output_config"):
            raise invalid(f"{where}.{name}: Extra inputs are not permitted")
    content = message.get("content")
    if isinstance(content, str):
        if not content and role != "assistant":
            raise invalid(f"{where}: {role} messages must have non-empty content")
        return
    if not isinstance(content, list):
        raise invalid(f"{where}.content: Field required")
    if not content and role == "user":  # Claude Code sends a system message only for its output_config
        raise invalid(f"{where}: {role} messages must have non-empty content")
    allowed = {"user": USER_BLOCKS, "assistant": ASSISTANT_BLOCKS, "system": {"text"}}[role]
    for index, block in enumerate(content):
        _check_block(block, f"{where}.content.{index}", allowed)
        _note_breakpoint(block, breakpoints)


def _check_block(block, where, allowed):
    if not isinstance(block, dict):
        raise invalid(f"{where}: Input should be a valid dictionary")
    kind = block.get("type")
    if kind not in allowed:
        raise invalid(f"{where}: Input tag '{kind}' found using 'type' does not match any of the "
                      f"expected tags: {', '.join(sorted(allowed))}")
    if kind == "text":
        _check_text(block, where, "messages")
    elif kind == "tool_use":
        _require_strings(block, where, "id", "name")
        if not TOOL_ID.match(block["id"]):
            raise invalid(f"{where}.tool_use.id: String should match pattern '{TOOL_ID.pattern}'")
        if not isinstance(block.get("input"), dict):
            raise invalid(f"{where}.tool_use.input: Input should be a valid dictionary")
    elif kind == "tool_result":
        _require_strings(block, where, "tool_use_id")
        inner = block.get("content", "")
        if not isinstance(inner, (str, list)):
            raise invalid(f"{where}.tool_result.content: Input should be a valid string or list")
        for index, part in enumerate(inner if isinstance(inner, list) else []):
            _check_block(part, f"{where}.tool_result.content.{index}",
                         {"text", "image", "document", "search_result", "tool_reference"})
    elif kind == "image":
        source = block.get("source")
        if not isinstance(source, dict) or source.get("type") not in ("base64", "url", "file"):
            raise invalid(f"{where}.image.source: Field required")
    elif kind == "thinking":
        _require_strings(block, where, "thinking", "signature")


def _require_strings(block, where, *names):
    for name in names:
        if not isinstance(block.get(name), str):
            raise invalid(f"{where}.{block['type']}.{name}: Field required")


def _ids(message, kind, name):
    if message is None or isinstance(message["content"], str):
        return []
    return [block[name] for block in message["content"] if block["type"] == kind]


def merge_turns(messages):
    """Consecutive messages of one role count as one; system messages are set aside."""
    merged = []
    for message in messages:
        if message["role"] == "system":
            continue
        content = message["content"]
        blocks = [{"type": "text", "text": content}] if isinstance(content, str) else content
        if merged and merged[-1]["role"] == message["role"]:
            merged[-1]["content"] = merged[-1]["content"] + blocks
        else:
            merged.append({"role": message["role"], "content": blocks})
    return merged


def _check_tool_pairs(messages):
    merged = merge_turns(messages)
    for index, message in enumerate(merged):
        before = merged[index - 1] if index > 0 else None
        asked = _ids(before, "tool_use", "id") if before and before["role"] == "assistant" else []
        answered = _ids(message, "tool_result", "tool_use_id")
        for tool_id in answered:
            if tool_id not in asked:
                raise invalid(f"messages.{index}: unexpected `tool_use_id` found in `tool_result` "
                              f"blocks: {tool_id}. Each `tool_result` block must have a "
                              "corresponding `tool_use` block in the previous message.")
        if len(set(answered)) != len(answered):
            raise invalid(f"messages.{index}: each tool_use must have a single result.")
        _check_all_answered(index - 1, asked, message, answered)
    last = merged[-1]
    if last["role"] == "assistant":
        _check_all_answered(len(merged) - 1, _ids(last, "tool_use", "id"), last, [])


def _check_all_answered(index, asked, message, answered):
    missing = [tool_id for tool_id in asked if tool_id not in answered]
    if missing:
        raise invalid(f"messages.{index}: `tool_use` ids were found without `tool_result` blocks "
                      f"immediately after: {', '.join(missing)}. Each `tool_use` block must have a "
                      "corresponding `tool_result` block in the next message.")
    if not asked:
        return
    if message["content"][0]["type"] != "tool_result":
        raise invalid(f"messages.{index + 1}: `tool_result` blocks must come first in the message.")

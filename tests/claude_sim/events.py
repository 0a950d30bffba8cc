"""An answer as the Messages API writes it: one JSON object, or server-sent events."""

import json

SIGNATURE = "c2ltdWxhdGVk"  # "simulated", base64


def whole_block(block):
    text = "".join(block["pieces"])
    if block["type"] == "text":
        return {"type": "text", "text": text}
    if block["type"] == "thinking":
        return {"type": "thinking", "thinking": text, "signature": SIGNATURE}
    return {"type": "tool_use", "id": block["id"], "name": block["name"], "input": block["input"]}


def message(message_id, model, blocks, reason, stop, usage):
    return {"id": message_id, "type": "message", "role": "assistant", "model": model,
            "content": [whole_block(block) for block in blocks if block["pieces"]],
            "stop_reason": reason, "stop_sequence": stop, "usage": usage}


def sse(event):
    return f"event: {event['type']}\ndata: {json.dumps(event)}\n\n".encode()


def empty_block(block):
    if block["type"] == "text":
        return {"type": "text", "text": ""}
    if block["type"] == "thinking":
        return {"type": "thinking", "thinking": "", "signature": ""}
    return {"type": "tool_use", "id": block["id"], "name": block["name"], "input": {}}


def delta(block, piece):
    if block["type"] == "text":
        return {"type": "text_delta", "text": piece}
    if block["type"] == "thinking":
        return {"type": "thinking_delta", "thinking": piece}
    return {"type": "input_json_delta", "partial_json": piece}


def stream(message_id, model, blocks, reason, stop, usage):
    """Yields (event, is_token): every event of the stream in order."""
    start = message(message_id, model, [], None, None, {**usage, "output_tokens": 1})
    yield {"type": "message_start", "message": start}, False
    yield {"type": "ping"}, False
    index = 0
    for block in blocks:
        if not block["pieces"]:
            continue
        yield {"type": "content_block_start", "index": index,
               "content_block": empty_block(block)}, False
        for piece in block["pieces"]:
            yield {"type": "content_block_delta", "index": index,
                   "delta": delta(block, piece)}, True
        if block["type"] == "thinking":
            yield {"type": "content_block_delta", "index": index,
                   "delta": {"type": "signature_delta", "signature": SIGNATURE}}, False
        yield {"type": "content_block_stop", "index": index}, False
        index += 1
    # usage of message_delta is cumulative: it repeats the input counts and carries the whole output.
    totals = {name: usage[name] for name in ("input_tokens", "cache_creation_input_tokens",
                                             "cache_read_input_tokens", "output_tokens",
                                             "server_tool_use") if name in usage}
    yield {"type": "message_delta", "delta": {"stop_reason": reason, "stop_sequence": stop},
           "usage": totals}, False
    yield {"type": "message_stop"}, False

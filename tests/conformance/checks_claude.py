"""Messages to the Claude API: what has to be the very same bytes on both sides."""

import re

from checks import check
from shapes import stream_bytes
from text_forms import last_words, said_back

ONLY = {"dialects": ("anthropic",), "upstreams": ("anthropic",)}
BETAS = "context-management-2025-06-27,effort-2025-11-24"
VERSION = "2026-10-21"


def _without_model(body):
    return re.sub(rb'"model"\s*:\s*"[^"]*"', b'"model":""', body, count=1)


@check("P1", "a request's body is forwarded byte for byte, but for the model's name",
       "cached prefixes and signed thinking depend on it", lambda t: t.case.seen and t.ask["name"] != "agent_turn", **ONLY)
def body_is_same(trace):
    # Without a signature a thinking block cannot be Claude's; agent_turn has one, so it may be taken out.
    seen = trace.case.seen[-1].raw
    return None if _without_model(seen) == _without_model(trace.sent) else f"{seen[:200]!r}"


@check("P2", "the stream's bytes are the upstream's, every one", "cached prefixes and signed thinking depend on it",
       lambda t: t.good and "leave" not in t.shape.flags, **ONLY)
def stream_is_same(trace):
    words = last_words(trace.case.seen[-1].body)
    want = stream_bytes("anthropic", [said_back(item, words) for item in trace.case.items])
    got = trace.response.body
    at = next((i for i, (a, b) in enumerate(zip(want, got)) if a != b), min(len(want), len(got)))
    return None if got == want else f"differs at byte {at}: {got[at:at + 40]!r}, not {want[at:at + 40]!r}"


@check("P3", "anthropic-version and anthropic-beta are forwarded", "code.claude.com/docs/en/llm-gateway-protocol", lambda t: t.case.seen, **ONLY)
def versions_are_forwarded(trace):
    seen = trace.case.seen[-1].headers
    if seen.get("anthropic-version") != VERSION:
        return f"anthropic-version {seen.get('anthropic-version')}"
    there = set(re.split(r",\s*", seen.get("anthropic-beta", "")))  # a gateway may need one more
    return None if set(BETAS.split(",")) <= there else f"anthropic-beta {seen.get('anthropic-beta')}"


@check("P4", "request-id, retry-after and anthropic-ratelimit-* come back", "SDKs and agents obey them",
       lambda t: t.shape.name in ("status_429", "text") and t.streamed, **ONLY)
def headers_come_back(trace):
    want = {"request-id": "req_conf", "anthropic-ratelimit-requests-remaining": "77"}
    if trace.shape.name == "status_429":
        want = {"request-id": "req_conf_429", "anthropic-ratelimit-requests-remaining": "0",
                "anthropic-ratelimit-requests-reset": "2030-01-01T00:00:00Z", "retry-after": "7"}
    for name, value in want.items():
        if trace.response.headers.get(name) != value:
            return f"{name}: {trace.response.headers.get(name)}"
    return None


@check("P5", "the caller's key does not go to Claude", "", lambda t: t.case.seen, **ONLY)
def key_stays(trace):
    key = trace.headers.get("x-api-key") or trace.headers.get("authorization", "").removeprefix("Bearer ")
    sent = [name for name, value in trace.case.seen[-1].headers.items() if key and key in value]
    return f"it is in {sent[0]}" if sent else None


@check("P6", "Claude's error bodies come back as they are", "Claude Code reads \"prompt is too long\"",
       lambda t: t.streamed and t.shape.name in ("status_429", "status_529", "status_400"), **ONLY)
def error_is_same(trace):
    want = trace.shape.streams["anthropic"][0]
    got = trace.reading.frames[0][1] if trace.reading.frames else {}
    if trace.response.status != want["status"]:
        return f"status {trace.response.status}"
    return None if got == want["body"] else f"{trace.response.body[:200]!r}"

"""The recorded shapes and asks (shapes/*.json, asks.json), and the exact bytes an upstream sends for
them. A shape's list holds raw strings, sent as they are; objects, written as one event or line of the
upstream's dialect; and {"do": ...}, which is something to do (upstream.py). <LONG> stands for LONG."""

import json
import pathlib
from dataclasses import dataclass, field

from text_forms import text_items, text_whole

HERE = pathlib.Path(__file__).resolve().parent
UPSTREAMS = ("anthropic", "openai", "ollama")
DIALECTS = ("anthropic", "openai", "responses", "ollama", "completions", "generate")
TEXT_UPSTREAMS = ("openai", "ollama")  # those that also have an endpoint for raw text
LONG = "".join(f"{number} and " for number in range(10_000))  # 89 KB, no part of which looks like another


@dataclass
class Shape:
    name: str
    about: str
    source: str
    expect: dict
    flags: list = field(default_factory=list)
    streams: dict = field(default_factory=dict)  # upstream -> items
    whole: dict = field(default_factory=dict)    # upstream -> body of an unstreamed answer
    text_streams: dict = field(default_factory=dict)  # the same for raw text (text_forms.py)
    text_whole: dict = field(default_factory=dict)

    @property
    def fails(self):
        return bool(self.expect.get("failure"))

    @property
    def ask(self):
        return "with_tools" if self.expect.get("tools") or "tool" in self.name else "plain"

    def plays(self, upstream, dialect):
        """Completions are raw text, which the upstreams that have an endpoint for it are asked for."""
        raw = dialect == "completions" and upstream in TEXT_UPSTREAMS
        return upstream in (self.text_streams if raw else self.streams)


def load_shapes():
    shapes = []
    for path in sorted((HERE / "shapes").glob("*.json")):
        for entry in json.loads(path.read_text(encoding="utf-8").replace("<LONG>", LONG)):
            streams = {kind: entry[kind] for kind in UPSTREAMS if kind in entry}
            whole = entry.get("whole", {})
            shapes.append(Shape(entry["name"], entry["about"], entry["source"], entry["expect"],
                                entry.get("flags", []), streams, whole, _in_text(streams, text_items),
                                _in_text(whole, text_whole)))
    return {shape.name: shape for shape in shapes}


def _in_text(forms, convert):
    converted = {kind: convert(kind, forms[kind]) for kind in TEXT_UPSTREAMS if kind in forms}
    return {kind: form for kind, form in converted.items() if form is not None}


def load_asks():
    return {entry["name"]: entry for entry in json.loads((HERE / "asks.json").read_text(encoding="utf-8"))}


def dump(value):
    return json.dumps(value, ensure_ascii=False, separators=(",", ":"))


def complete(kind, value, whole=False):
    """The fields that say nothing here, and that every real answer has."""
    if kind == "openai" and "error" not in value:
        head = {"id": "chatcmpl-conf", "object": "chat.completion" + ("" if whole else ".chunk"),
                "created": 1790000000, "model": "conf"}
        return {**head, **value}
    if kind == "ollama" and "error" not in value:
        return {"model": "conf", "created_at": "2026-11-01T00:00:00.123456789Z", **value}
    return value


def item_bytes(kind, item):
    if isinstance(item, str):
        return item.encode()
    text = dump(complete(kind, item))
    if kind == "ollama":
        return f"{text}\n".encode()
    name = f"event: {item['type']}\n" if kind == "anthropic" else ""
    return f"{name}data: {text}\n\n".encode()


def stream_bytes(kind, items):
    """All that is sent, for the byte-for-byte checks and the cut sweep."""
    return b"".join(item_bytes(kind, item) for item in items
                    if isinstance(item, str) or "do" not in item)


def body_for(ask, dialect, case, model, stream):
    """The request body an ask makes in a dialect; None where the dialect cannot ask that."""
    if dialect not in ask:
        return None
    text = json.dumps(ask[dialect], ensure_ascii=False).replace("CASE", case)
    body = {"model": model, **json.loads(text), "stream": stream}
    if dialect in ("openai", "completions") and stream and "no_usage" not in ask.get("wants", {}):
        body["stream_options"] = {"include_usage": True}
    return body

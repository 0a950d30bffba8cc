"""The upstreams, played by the suite: servers that look like the Claude API, an OpenAI-compatible
server and Ollama, and send recorded bytes. Which recording is meant is written in the request: the
user's text begins with a case's name (case-000012), so that requests may overlap and be repeated."""

import asyncio
import json
import pathlib
import re
import sys
from dataclasses import dataclass, field

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1] / "claude_sim"))
import http1  # noqa: E402
from shapes import complete, dump, item_bytes  # noqa: E402
from text_forms import last_words, said_back  # noqa: E402

BODY_BYTES_MAX = 8 << 20
GATE_S = 5       # how long a gated stream waits for the client
ENDLESS_S = 10   # how long an endless stream goes on for a gateway that does not hang up
CHAT_PATHS = {"anthropic": "/v1/messages", "openai": "/v1/chat/completions", "ollama": "/api/chat"}
TEXT_PATHS = {"openai": "/v1/completions", "ollama": "/api/generate"}


@dataclass
class Seen:
    """One request that arrived for a case."""
    headers: dict
    raw: bytes
    left: bool = False  # the gateway hung up before the end
    path: str = ""

    @property
    def body(self):
        return json.loads(self.raw)


@dataclass
class Case:
    """What to play when a request names this case, and what then happened."""
    name: str
    items: list
    whole: dict = None
    text_items: list = None  # the same for raw text, where there is such a form
    text_whole: dict = None
    dribble: bool = False
    cut_at: int = None   # cut the stream after so many bytes
    told: tuple = ()     # (shape, ask, upstream), for the control, which knows the right answers
    seen: list = field(default_factory=list)
    gate: asyncio.Event = field(default_factory=asyncio.Event)
    gate_opened: bool = False
    over: asyncio.Event = field(default_factory=asyncio.Event)  # an endless stream has ended


class Upstream:
    def __init__(self, kind, cases):
        self.kind, self.cases = kind, cases
        self.unknown = []   # paths asked for beside the chat endpoint
        self.writers = set()  # of open connections

    async def start(self, host, port):
        self.server = await asyncio.start_server(self.connection, host, port,
                                                 limit=http1.HEAD_BYTES_MAX)
        self.port = self.server.sockets[0].getsockname()[1]
        return self

    async def stop(self):
        self.server.close()
        for writer in list(self.writers):
            writer.close()
        while self.writers:
            await asyncio.sleep(0.01)

    async def connection(self, reader, writer):
        self.writers.add(writer)
        try:
            while True:
                request = await http1.read_request(reader, BODY_BYTES_MAX)
                if request is None or not await self.answer(request, reader, writer):
                    break
        except (ConnectionError, asyncio.IncompleteReadError, http1.BadRequest):
            pass
        finally:
            self.writers.discard(writer)
            writer.close()

    async def answer(self, request, reader, writer):
        """True when the connection can be used again."""
        responder = http1.Responder(writer, request.method == "HEAD")
        # Some gateways are given a base URL that ends in /v1, some add it themselves.
        path = request.path.replace("/v1/v1/", "/v1/")
        as_text = path == TEXT_PATHS.get(self.kind)
        if request.method != "POST" or not (as_text or path == CHAT_PATHS[self.kind]):
            self.unknown.append(f"{request.method} {path}")
            await self.answer_other(path, responder)
            return True
        named = re.findall(rb"case-\d{6}", request.body)
        case = self.cases.get(named[-1].decode()) if named else None
        if self.kind == "ollama" and not named:  # to load the model, or to unload it
            why = "unload" if json.loads(request.body).get("keep_alive") == 0 else "load"
            empty = {"response": ""} if as_text else {"message": {"role": "assistant", "content": ""}}
            await self.send(responder, 200, complete("ollama", {**empty, "done": True, "done_reason": why}))
            return True
        if case is None or (as_text and case.text_items is None):
            await self.send(responder, 404, {"error": {"message": "no such case"}})
            return True
        seen = Seen(request.headers, request.body, path=path)
        case.seen.append(seen)
        return await Play(self.kind, case, seen, reader, responder).run()

    async def answer_other(self, path, responder):
        model = {"id": "conf-openai", "object": "model", "created": 1790000000, "owned_by": "suite",
                 "max_model_len": 32768, "architecture": {"input_modalities": ["text", "image"]}}
        shown = {"capabilities": ["completion", "tools", "vision", "thinking"],
                 # one that may be told how much to think
                 "model_info": {"general.architecture": "gptoss", "gptoss.context_length": 32768},
                 "details": {"family": "llama", "format": "gguf"}, "template": "{{ .Prompt }}"}
        tag = {"name": "conf-ollama", "model": "conf-ollama", "size": 1, "digest": "0" * 64,
               "modified_at": "2026-11-01T00:00:00Z", "details": shown["details"]}
        known = {"/v1/models": {"object": "list", "data": [model]}, "/health": {"status": "ok"},
                 "/api/version": {"version": "0.20.0"}, "/api/tags": {"models": [tag]},
                 "/api/show": shown, "/api/ps": {"models": [tag]}}
        if self.kind == "ollama" and path == "/":
            await responder.whole(200, {"content-type": "text/plain"}, b"Ollama is running")
            return
        mine = path in known and path.startswith("/api") == (self.kind == "ollama")
        await self.send(responder, 200 if mine else 404, known[path] if mine else {"error": "not found"})

    @staticmethod
    async def send(responder, status, value, headers=None):
        text = value if isinstance(value, str) else dump(value)
        await responder.whole(status, {"content-type": "application/json", **(headers or {})},
                              text.encode())


class Play:
    """Sends one case to one request."""

    def __init__(self, kind, case, seen, reader, responder):
        self.kind, self.case, self.seen = kind, case, seen
        self.reader, self.responder = reader, responder
        as_text = seen.path == TEXT_PATHS.get(kind)
        self.items = case.text_items if as_text else case.items
        self.whole = case.text_whole if as_text else case.whole
        self.words = last_words(seen.body)
        self.sent = 0

    async def run(self):
        first = self.items[0]
        if isinstance(first, dict) and first.get("do") == "status":
            await Upstream.send(self.responder, first["status"], first["body"], first["headers"])
            return True
        # Ollama streams unless it is told not to; the others only when they are told to.
        if self.whole and not self.seen.body.get("stream", self.kind == "ollama"):
            await Upstream.send(self.responder, 200, complete(self.kind, said_back(self.whole, self.words), True),
                                {"request-id": "req_conf"})
            return True
        kind = "application/x-ndjson" if self.kind == "ollama" else "text/event-stream"
        await self.responder.begin_stream({"content-type": kind, "request-id": "req_conf",
                                           "anthropic-ratelimit-requests-remaining": "77"})
        for item in self.items:
            if not await self.step(item):
                return False
        await self.responder.end_stream()
        return True

    async def step(self, item):
        """One item; False when the connection is to be closed."""
        what = item.get("do") if isinstance(item, dict) else None
        if what is None:
            return await self.put(item_bytes(self.kind, said_back(item, self.words)))
        if what == "gate":
            try:
                await asyncio.wait_for(self.case.gate.wait(), GATE_S)
                self.case.gate_opened = True
            except asyncio.TimeoutError:
                pass
        elif what == "silence":
            await asyncio.sleep(item["seconds"])
        elif what == "endless":
            await self.endless(item_bytes(self.kind, item["item"]))
            return False
        return what != "cut"

    async def put(self, data):
        if self.case.cut_at is not None:
            data = data[:max(0, self.case.cut_at - self.sent)]
        self.sent += len(data)
        pieces = [data[at:at + 1] for at in range(len(data))] if self.case.dribble else [data]
        for piece in pieces:
            if piece:
                await self.responder.chunk(piece)
            if self.case.dribble:
                await asyncio.sleep(0)  # a segment of its own, as far as a program can ask for that
        return self.case.cut_at is None or self.sent < self.case.cut_at

    async def endless(self, data):
        """Sends until the gateway hangs up. A read that ends says so even when nothing is sent."""
        hung_up = asyncio.create_task(self.reader.read(1))
        try:
            for _ in range(ENDLESS_S * 20):
                await self.responder.chunk(data)
                done, _ = await asyncio.wait([hung_up], timeout=0.05)
                if done:
                    self.seen.left = True
                    return
        except ConnectionError:
            self.seen.left = True
        finally:
            hung_up.cancel()
            self.case.over.set()

"""The control of the suite: a gateway that knows the right answers, because it has the shapes too, and
that can break one thing on purpose. It is really asked over HTTP and really asks the upstream; only the
translating is looked up. A check that lets its broken twin pass is blind (controls_test.py)."""

import asyncio
import json
import re

import http1
from client import Response, read_response
from fake_writers import STREAMS, error_body, loaded, whole
from readings import LINES
from runner import PATHS
from shapes import dump
from upstream import BODY_BYTES_MAX, CHAT_PATHS, TEXT_PATHS

PING_S = 4
PINGS = {"anthropic": b'event: ping\ndata: {"type":"ping"}\n\n', "openai": b": wait\n\n",
         "responses": b": wait\n\n", "completions": b": wait\n\n",
         "generate": b'{"model":"conf","created_at":"2026-11-01T00:00:00Z","response":"","done":false}\n',
         "ollama": b'{"model":"conf","created_at":"2026-11-01T00:00:00Z","message":{"role":"assistant",'
                   b'"content":""},"done":false}\n'}
DIALECT_OF = {path: dialect for dialect, path in PATHS.items()}
KEPT = ("retry-after", "request-id")
FRAMES_TO_TEXT = {"anthropic": 3, "openai": 2, "responses": 5, "ollama": 1, "completions": 1,
                  "generate": 1}


class FakeGateway:
    """What can be broken: `faults`, names that the code below asks for; `frames`, called with the list of
    (event name, value) before it is written; `request`, called with the body for the upstream;
    `forward`, called with the headers for Claude; `raw`, with each piece of Claude's bytes; `body`, with an
    unstreamed answer; `headers`, with the head's. Each changes its argument or returns another."""

    def __init__(self, suite, faults=(), **changes):
        self.suite, self.faults, self.changes = suite, set(faults), changes
        self.tasks = set()  # asyncio itself forgets a connection's task when the client has left

    def changed(self, name, value):
        change = self.changes.get(name)
        result = change(value) if change else None
        return value if result is None else result

    async def start(self):
        self.server = await asyncio.start_server(self.connection, "127.0.0.1", 0,
                                                 limit=http1.HEAD_BYTES_MAX)
        return f"http://127.0.0.1:{self.server.sockets[0].getsockname()[1]}"

    async def connection(self, reader, writer):
        task = asyncio.current_task()
        self.tasks.add(task)
        try:
            request = await http1.read_request(reader, BODY_BYTES_MAX)
            if request is not None:
                await Exchange(self, request, reader, writer).run()
        except (ConnectionError, asyncio.IncompleteReadError):
            pass
        finally:
            self.tasks.discard(task)
            writer.close()


class Exchange:
    """One request of a client."""

    def __init__(self, gateway, request, reader, writer):
        self.gateway, self.request, self.reader = gateway, request, reader
        self.faults, self.changed = gateway.faults, gateway.changed
        self.responder = http1.Responder(writer)
        self.dialect = DIALECT_OF[request.path]
        self.sent = json.loads(request.body)
        self.streamed = self.sent.get("stream")
        named = re.findall(r"case-\d{6}", request.body.decode())
        self.case = gateway.suite.cases[named[-1]] if named else None  # without: to load the model
        self.shape, self.ask, self.kind = self.case.told if named else (None, {}, None)
        self.wants = self.ask.get("wants", {})
        self.passes = self.dialect == self.kind == "anthropic"
        self.begun = False
        self.written = 0  # frames
        self.held = b""   # of an event that is not whole yet

    async def run(self):
        if "refuse" in self.faults:
            return await self.whole(500, error_body(self.dialect, "no"))
        if self.case is None:
            answer = loaded(self.dialect, "unload" if self.sent.get("keep_alive") == 0 else "load")
            return await self.whole(200, self.changed("body", answer))
        refused = self.wants.get("refused") or self.wants.get("field")
        if refused and "drop" not in self.faults:
            return await self.whole(400, self.changed("error", error_body(self.dialect, f"{refused}: no")))
        up = Response()
        reader, writer = await asyncio.open_connection(
            "127.0.0.1", self.gateway.suite.upstreams[self.kind].port)
        writer.write(self.upstream_request())
        asking = asyncio.create_task(self.ask_upstream(reader, up))
        left = asyncio.create_task(self.reader.read(1))
        try:
            await self.relay(up, asking, left)
        finally:
            if "stay" in self.faults:
                await asking
            asking.cancel()
            left.cancel()
            writer.close()
        return None

    def upstream_request(self):
        headers = {"host": "upstream"}
        if self.passes:
            names = ("anthropic-version", "anthropic-beta")
            headers.update({name: self.request.headers[name] for name in names})
            headers = self.changed("forward", headers)
            if "leak" in self.faults:
                headers["x-api-key"] = self.request.headers["x-api-key"]
        if self.passes and self.ask["name"] != "agent_turn":
            body = self.request.body
            if "rewrite" in self.faults:
                body = json.dumps(json.loads(body)).encode()
        else:
            body = dump(self.changed("request", self.upstream_body())).encode()
        headers["content-length"] = len(body)
        path = TEXT_PATHS[self.kind] if self.asks_as_text() else CHAT_PATHS[self.kind]
        lines = [f"POST {path} HTTP/1.1"] + [f"{k}: {v}" for k, v in headers.items()]
        return ("\r\n".join(lines) + "\r\n\r\n").encode() + body

    def asks_as_text(self):
        raw = self.dialect == "completions" or self.sent.get("raw")
        return bool(raw) and self.kind in TEXT_PATHS

    def text_body(self):
        """What a client of completions or generate asks, as raw text; for Claude as a user's."""
        options = self.sent.get("options") or self.sent
        limit = options.get("max_tokens") or options.get("num_predict") or 16
        stop = options.get("stop") or []
        stop = [stop] if isinstance(stop, str) else stop
        prompt = self.sent["prompt"]
        one = prompt if isinstance(prompt, str) else prompt[-1]
        sampling = {key: options[key] for key in ("temperature", "top_p", "seed") if key in options}
        if self.kind == "anthropic":
            return {"max_tokens": limit, "stop_sequences": stop, "messages": [{"role": "user", "content": one}]}
        if self.kind == "ollama":
            return {"raw": True, "prompt": one, "options": {"num_predict": limit, "stop": stop, **sampling}}
        return {"prompt": prompt, "n": self.sent.get("n", 1), "max_tokens": limit, "stop": stop, **sampling}

    def upstream_body(self):
        """The ask as the upstream's own dialect has it in asks.json, less what must not be sent there."""
        asks = self.gateway.suite.asks
        own = self.text_body() if self.dialect == "completions" or self.sent.get("raw") else None
        text = dump(own or self.ask.get(self.kind) or asks["plain"][self.kind]).replace("CASE", self.case.name)
        body = {"model": "conf", **json.loads(text), "stream": bool(self.streamed)}
        if self.ask["name"] == "billing_header":
            body["messages"].insert(0, {"role": "system", "content": "You are an agent."})
        if self.kind == "ollama":
            body.setdefault("options", {})["num_ctx"] = 8192
        if self.kind == "openai":
            body["stream_options"] = {"include_usage": True}
        for message in body.get("messages", []):
            if message["role"] == "tool" and message["content"] == "not found":
                message["content"] = "Error: not found"
            if message["role"] == "assistant" and isinstance(message["content"], list):
                message["content"] = [b for b in message["content"] if b["type"] != "thinking"]
        return body

    async def ask_upstream(self, reader, up):
        def grew(piece):
            up.body += piece
            return True
        try:
            await read_response(reader, up, grew)
        except (asyncio.IncompleteReadError, ConnectionError):
            pass

    async def relay(self, up, asking, left):
        now = asyncio.get_running_loop().time  # not turns of this loop, which are long on a busy machine
        seen, quiet_since = 0, now()
        while not asking.done():
            await asyncio.wait([asking, left], timeout=0.01, return_when=asyncio.FIRST_COMPLETED)
            if left.done() and "stay" not in self.faults:
                return
            if up.status == 200 and self.streamed and "buffer" not in self.faults:
                await self.begin(up)
                if len(up.body) > seen:
                    await self.more(up.body[seen:], up)
                    seen, quiet_since = len(up.body), now()
                elif now() - quiet_since > PING_S and "silent" not in self.faults and not self.passes:
                    quiet_since = now()
                    await self.responder.chunk(PINGS[self.dialect])
        await self.finish(up, up.body[seen:])

    async def begin(self, up):
        if not self.begun:
            kind = "application/x-ndjson" if self.dialect in LINES else "text/event-stream"
            await self.responder.begin_stream(self.changed("headers", self.head(up, kind)))
            self.begun = True

    def head(self, up, kind):
        kept = {k: v for k, v in up.headers.items() if k in KEPT or k.startswith("anthropic-")}
        return {"content-type": kind, "request-id": "r1", "x-request-id": "r1", **kept}

    async def more(self, piece, up):
        if self.passes:
            self.held += piece
            whole_events = self.held.rfind(b"\n\n") + 2 if b"\n\n" in self.held else 0
            if whole_events:
                await self.responder.chunk(self.changed("raw", self.held[:whole_events]))
                self.held = self.held[whole_events:]
        elif not self.written and (b"First." in up.body or b"More." in up.body):
            await self.write(self.frames()[:FRAMES_TO_TEXT[self.dialect]])

    @property
    def expect(self):
        return {**self.shape.expect, **self.wants} if {"answers", "no_usage"} & self.wants.keys() \
            else self.shape.expect

    def frames(self):
        return self.changed("frames", STREAMS[self.dialect](self.expect))

    async def write(self, frames, start=0):
        for name, value in frames[start:]:
            text = value if isinstance(value, str) else dump(value)
            if self.dialect in LINES:
                await self.responder.chunk(f"{text}\n".encode())
            else:
                await self.responder.chunk((f"event: {name}\n" if name else "").encode() +
                                           f"data: {text}\n\n".encode())
        self.written = max(self.written, len(frames))

    async def finish(self, up, rest):
        if up.status != 200:
            return await self.refused(up)
        if not self.streamed:
            if self.passes:
                return await self.whole(200, json.loads(up.body), up)
            return await self.whole(200, self.changed("body", whole(self.dialect, self.expect)), up)
        await self.begin(up)
        short = not up.complete or self.shape.name == "ends_early"
        if self.passes:
            await self.more(rest, up)
            if short:
                await self.write(STREAMS[self.dialect]({}, "cut")[-1:])
            elif self.held:
                await self.responder.chunk(self.held)
        elif (self.shape.fails or short) and "fabricate" not in self.faults:
            expect = {"text": self.shape.expect.get("text", "")} if self.shape.fails else {}
            await self.write(self.changed("frames", STREAMS[self.dialect](expect, "the upstream failed")))
        else:
            await self.write(self.frames(), self.written)
        await self.responder.end_stream()
        return None

    async def refused(self, up):
        body = json.loads(up.body) if up.body.startswith(b"{") else {}
        if not self.passes or not body:
            error = body.get("error", "the upstream failed")
            body = error_body(self.dialect, error["message"] if isinstance(error, dict) else error)
        return await self.whole(400 if "refuse_all" in self.faults else up.status,
                                self.changed("error", body), up)

    async def whole(self, status, body, up=None):
        await self.responder.whole(status, self.changed("headers", self.head(up or Response(),
                                                                            "application/json")),
                                   dump(body).encode())

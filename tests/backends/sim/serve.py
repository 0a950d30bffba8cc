"""Runs one simulated server in a thread of the test: scripted answers, faults, a log of what came in.

What the real server refuses is refused (see the kinds); what it takes without a word although it makes
no sense to send it goes into `complaints`, which a test expects to be empty."""

import asyncio
import collections
import json
import pathlib
import sys
import threading
import time
from dataclasses import dataclass

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[2] / "claude_sim"))
import http1  # noqa: E402

from script import Refusal, Script  # noqa: E402

BODY_BYTES_MAX = 32 << 20


@dataclass
class Seen:
    """One request. `left_at`: when the client closed before the answer was complete (monotonic s)."""
    method: str
    path: str
    headers: dict
    body: bytes
    status: int = 0
    left_at: float = 0.0
    done: bool = False

    def json(self):
        return json.loads(self.body)


class Simulator:
    """`kind` is one of the classes in openai_kinds.py and ollama_kind.py."""

    def __init__(self, kind, port=0):
        self.kind = kind
        kind.complaints = self.complaints = []
        self.script = Script()
        self.coming = collections.deque()  # scripts of the next answers, before `script`
        self.requests = []
        self.loading = False
        self.port = port
        self.loop = asyncio.new_event_loop()
        self.thread = None

    @property
    def url(self):
        return f"http://127.0.0.1:{self.port}"

    def start(self):
        ready = threading.Event()
        self.thread = threading.Thread(target=self.run, args=(ready,), daemon=True)
        self.thread.start()
        if not ready.wait(10):
            raise AssertionError("the simulator did not start")
        return self

    def run(self, ready):
        asyncio.set_event_loop(self.loop)
        self.server = self.loop.run_until_complete(
            asyncio.start_server(self.connection, "127.0.0.1", self.port, limit=http1.HEAD_BYTES_MAX))
        self.port = self.server.sockets[0].getsockname()[1]
        ready.set()
        self.loop.run_forever()

    def stop(self):
        """Closes the listener and every open connection: to a client the machine has gone."""
        if self.thread is None:
            return

        async def end():
            self.server.close()
            open_tasks = asyncio.all_tasks() - {asyncio.current_task()}
            for task in open_tasks:
                task.cancel()
            await asyncio.gather(*open_tasks, return_exceptions=True)
            self.loop.stop()

        self.loop.call_soon_threadsafe(lambda: self.loop.create_task(end()))
        self.thread.join(10)
        self.loop.close()
        self.thread = None

    def chats(self):
        """The requests for an answer so far; probes and listings are left out."""
        return [seen for seen in list(self.requests) if seen.path in self.kind.chat_paths]

    async def connection(self, reader, writer):
        try:
            while True:
                request = await http1.read_request(reader, BODY_BYTES_MAX)
                if request is None:
                    return
                await self.one(request, reader, writer)
                if writer.transport.is_closing() or request.headers.get("connection") == "close":
                    return
        except (ConnectionError, asyncio.IncompleteReadError, asyncio.CancelledError, http1.BadRequest):
            pass
        finally:
            writer.transport.abort()

    async def one(self, request, reader, writer):
        seen = Seen(request.method, request.path, request.headers, request.body)
        self.requests.append(seen)
        responder = Responder(writer, request.method == "HEAD", seen, self.kind.json_type)
        work = asyncio.ensure_future(self.answer(request, responder))
        gone = asyncio.ensure_future(reader.read(1))  # our clients send no second request before the answer
        try:
            await asyncio.wait({work, gone}, return_when=asyncio.FIRST_COMPLETED)
            if not work.done():
                seen.left_at = time.monotonic()
                work.cancel()
                raise ConnectionError
            await work
            seen.done = True
        finally:
            gone.cancel()
            work.cancel()
            await asyncio.gather(gone, work, return_exceptions=True)

    async def answer(self, request, responder):
        try:
            if self.loading and request.path not in self.kind.alive_paths:
                raise self.kind.loading()
            found = self.kind.plain(request)
            if found is not None:
                await responder.plain(*found)
                return
            value = self.kind.check(request)
            script = self.coming.popleft() if self.coming else self.script
            if script.status:
                raise self.kind.failure(script)
            await self.play(script, value, responder)
        except Refusal as no:
            await responder.plain(no.status, no.body, no.headers)

    async def play(self, script, value, responder):
        if not self.kind.streamed(value):
            if script.error_after >= 0:
                raise self.kind.failure(script)
            if script.stall_after >= 0:
                await asyncio.Event().wait()
            body = json.dumps(self.kind.whole(script, value)).encode()
            if script.cut_at >= 0:
                await responder.begin(200, self.kind.json_type, script.headers, len(body))
                await responder.send(body[:script.cut_at])
                responder.cut()
                return
            await responder.plain(200, body, script.headers)
            return
        await responder.begin(200, self.kind.stream_type, script.headers)
        pieces = sent = 0
        for frame, is_content in self.kind.frames(script, value):
            if is_content and pieces in (script.error_after, script.stall_after):
                break
            if 0 <= script.cut_at <= sent + len(frame):
                await responder.chunk(frame[:script.cut_at - sent])
                responder.cut()
                return
            await responder.chunk(frame)
            sent += len(frame)
            pieces += is_content
            await asyncio.sleep(0)
        if script.stall_after >= 0:
            await asyncio.Event().wait()
        if script.error_after >= 0 and self.kind.error_frames(script) is None:
            responder.cut()
            return
        for frame in self.kind.error_frames(script) if script.error_after >= 0 else ():
            await responder.chunk(frame)
        await responder.end()


class Responder(http1.Responder):
    def __init__(self, writer, is_head, seen, json_type):
        super().__init__(writer, is_head)
        self.seen, self.json_type = seen, json_type

    async def plain(self, status, body, headers=None):
        """`body`: an object is sent as JSON, text and bytes as they are."""
        own = {"content-type": self.json_type}
        if isinstance(body, str):
            own, body = {"content-type": "text/plain; charset=utf-8"}, body.encode()
        elif not isinstance(body, bytes):
            body = json.dumps(body).encode()
        self.seen.status = status
        await self.whole(status, {**own, **(headers or {})}, body)

    async def begin(self, status, content_type, headers, length=None):
        self.seen.status = status
        headers = {"content-type": content_type, **headers}
        if length is None:
            await self.begin_stream(headers)
            return
        self._head(status, {**headers, "content-length": str(length)})

    async def send(self, data):
        self.writer.write(data)
        await self.writer.drain()

    async def chunk(self, data):
        if data:
            await super().chunk(data)

    async def end(self):
        await self.end_stream()

    def cut(self):
        """What was written still goes out, then the connection closes without the end of the body."""
        self.writer.close()

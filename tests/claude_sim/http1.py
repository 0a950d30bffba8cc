"""A small HTTP/1.1 server on asyncio streams: just what the simulator needs, and full control over
what goes on the wire (half a response, a cut connection)."""

import asyncio
from dataclasses import dataclass, field

HEAD_BYTES_MAX = 64 * 1024
STATUS_TEXT = {200: "OK", 400: "Bad Request", 401: "Unauthorized", 403: "Forbidden",
               404: "Not Found", 405: "Method Not Allowed", 411: "Length Required",
               413: "Payload Too Large", 429: "Too Many Requests", 500: "Internal Server Error",
               503: "Service Unavailable", 504: "Gateway Timeout", 529: "Overloaded"}


class BadRequest(Exception):
    """The bytes are not HTTP that this server reads; the connection is closed after the answer."""


@dataclass
class Request:
    method: str
    path: str   # without the query
    query: str
    headers: dict = field(default_factory=dict)  # names in lower case
    body: bytes = b""
    body_too_large: bool = False


async def read_request(reader, body_bytes_max):
    """The next request, or None when the peer has closed the connection."""
    try:
        head = await reader.readuntil(b"\r\n\r\n")
    except asyncio.IncompleteReadError as ended:
        if ended.partial:
            raise BadRequest("the connection ended inside the head") from ended
        return None
    except asyncio.LimitOverrunError as over:
        raise BadRequest("the head is too long") from over
    lines = head.decode("latin-1").split("\r\n")
    parts = lines[0].split(" ")
    if len(parts) != 3 or not parts[2].startswith("HTTP/1."):
        raise BadRequest("malformed request line")
    path, _, query = parts[1].partition("?")
    request = Request(parts[0], path, query)
    for line in lines[1:]:
        if not line:
            continue
        name, colon, value = line.partition(":")
        if not colon or name != name.strip():
            raise BadRequest("malformed header line")
        request.headers[name.lower()] = value.strip()
    await _read_body(reader, request, body_bytes_max)
    return request


async def _read_body(reader, request, body_bytes_max):
    if request.headers.get("transfer-encoding", "").lower() == "chunked":
        await _read_chunks(reader, request, body_bytes_max)
        return
    try:
        length = int(request.headers.get("content-length", "0"))
    except ValueError as bad:
        raise BadRequest("malformed content-length") from bad
    if length < 0:
        raise BadRequest("negative content-length")
    if length > body_bytes_max:
        request.body_too_large = True
        return
    request.body = await reader.readexactly(length)


async def _read_chunks(reader, request, body_bytes_max):
    pieces, total = [], 0
    while True:
        size = int((await reader.readuntil(b"\r\n")).split(b";")[0], 16)
        if size == 0:
            while await reader.readuntil(b"\r\n") != b"\r\n":
                pass
            break
        total += size
        if total > body_bytes_max:
            request.body_too_large = True
            return
        pieces.append(await reader.readexactly(size))
        await reader.readexactly(2)
    request.body = b"".join(pieces)


class Responder:
    """Writes one response: whole(), or begin_stream(), chunk()..., end_stream()."""

    def __init__(self, writer, is_head=False):
        self.writer = writer
        self.is_head = is_head
        self.status = 0

    def _head(self, status, headers):
        self.status = status
        lines = [f"HTTP/1.1 {status} {STATUS_TEXT.get(status, 'Status')}"]
        lines += [f"{name}: {value}" for name, value in headers.items()]
        self.writer.write(("\r\n".join(lines) + "\r\n\r\n").encode("latin-1"))

    async def whole(self, status, headers, body):
        self._head(status, {**headers, "content-length": str(len(body))})
        if not self.is_head:
            self.writer.write(body)
        await self.writer.drain()

    async def begin_stream(self, headers):
        self._head(200, {**headers, "transfer-encoding": "chunked"})
        await self.writer.drain()

    async def chunk(self, data):
        self.writer.write(f"{len(data):x}\r\n".encode() + data + b"\r\n")
        await self.writer.drain()

    async def end_stream(self):
        self.writer.write(b"0\r\n\r\n")
        await self.writer.drain()

    def cut(self):
        """Drops the connection in the middle of the response."""
        self.writer.transport.abort()

"""An HTTP/1.1 client that keeps every byte: what a gateway sent, and whether it ended properly."""

import asyncio
import json
import urllib.parse
from dataclasses import dataclass, field

HEAD_BYTES_MAX = 64 * 1024
DEADLINE_S = 30


@dataclass
class Response:
    status: int = 0
    headers: dict = field(default_factory=dict)  # names in lower case
    body: bytes = b""
    complete: bool = False  # the response had its end
    arrivals: list = field(default_factory=list)  # (seconds since the request, bytes so far)


async def post(url, path, headers, body, on_bytes=None):
    """Sends one request. `on_bytes(body so far)` is asked at each piece; False hangs up."""
    data = body if isinstance(body, bytes) else json.dumps(body, ensure_ascii=False).encode()
    where = urllib.parse.urlsplit(url)
    reader, writer = await asyncio.open_connection(where.hostname, where.port, limit=HEAD_BYTES_MAX)
    response, started = Response(), asyncio.get_running_loop().time()
    lines = [f"POST {where.path.rstrip('/')}{path} HTTP/1.1", f"host: {where.netloc}",
             "content-type: application/json", f"content-length: {len(data)}",
             "connection: close", "accept-encoding: gzip, deflate, br"]
    lines += [f"{name}: {value}" for name, value in headers.items()]
    writer.write(("\r\n".join(lines) + "\r\n\r\n").encode() + data)

    def grew(piece):
        response.body += piece  # kept whole: the streams of this suite are short
        response.arrivals.append((asyncio.get_running_loop().time() - started, len(response.body)))
        return on_bytes is None or on_bytes(response.body) is not False

    try:
        await asyncio.wait_for(read_response(reader, response, grew), DEADLINE_S)
    except (asyncio.TimeoutError, asyncio.IncompleteReadError, ConnectionError):
        pass  # as far as it came; `complete` is false
    finally:
        writer.close()
    return response


async def read_response(reader, response, grew):
    """Fills `response` as it comes; `grew(piece)` is called at each piece of the body, False ends it."""
    head = (await reader.readuntil(b"\r\n\r\n")).decode("latin-1").split("\r\n")
    response.status = int(head[0].split(" ")[1])
    for line in head[1:]:
        name, colon, value = line.partition(":")
        if colon:
            response.headers[name.lower()] = value.strip()
    if response.headers.get("transfer-encoding", "").lower() == "chunked":
        while True:
            size = int((await reader.readuntil(b"\r\n")).split(b";")[0], 16)
            if size == 0:
                response.complete = True
                return
            piece = await reader.readexactly(size)
            await reader.readexactly(2)
            if not grew(piece):
                return
    length = response.headers.get("content-length")
    left = int(length) if length is not None else None
    while left is None or left > 0:
        piece = await reader.read(65536 if left is None else min(left, 65536))
        if not piece:
            break
        left = left if left is None else left - len(piece)
        if not grew(piece):
            return
    response.complete = left in (None, 0)

"""An upstream that answers with exact bytes, or breaks in an exact way, and knows when it was hung up on."""

import json
import socket
import struct
import threading
import time

HEAD = b"HTTP/1.1 200 OK\r\ncontent-type: text/event-stream\r\nconnection: close\r\n\r\n"


def event(kind, **fields):
    return f"event: {kind}\ndata: {json.dumps({'type': kind, **fields})}\n\n".encode()


PREAMBLE = event("message_start", message={
    "id": "msg_raw", "type": "message", "role": "assistant", "model": "claude-opus-5-5", "content": [],
    "stop_reason": None, "stop_sequence": None, "usage": {"input_tokens": 9, "output_tokens": 1}})
OPEN = event("content_block_start", index=0, content_block={"type": "text", "text": ""})
CLOSE = (event("content_block_stop", index=0)
         + event("message_delta", delta={"stop_reason": "end_turn", "stop_sequence": None},
                 usage={"output_tokens": 4})
         + event("message_stop"))


def text(piece):
    return event("content_block_delta", index=0, delta={"type": "text_delta", "text": piece})


def whole(words="fine"):
    return PREAMBLE + OPEN + text(words) + CLOSE


def refusal(status, *headers, body=b'{"type":"error","error":{"type":"api_error","message":"no"}}',
            kind="application/json"):
    lines = [f"HTTP/1.1 {status} X", f"content-type: {kind}", f"content-length: {len(body)}", *headers]
    return "\r\n".join(lines).encode() + b"\r\n\r\n" + body


class RawUpstream:
    """Serves `script(connection)` to every request; `closed_s` are the times at which clients hung up."""

    def __init__(self, script=None):
        self.script = script or (lambda connection: connection.sendall(HEAD + whole()))
        self.requests, self.closed_s = [], []
        self.listener = socket.create_server(("127.0.0.1", 0))
        self.url = f"http://127.0.0.1:{self.listener.getsockname()[1]}"
        threading.Thread(target=self._accept, daemon=True).start()

    def _accept(self):
        while True:
            try:
                connection, _ = self.listener.accept()
            except OSError:
                return
            threading.Thread(target=self._serve, args=(connection,), daemon=True).start()

    def _serve(self, connection):
        with connection:
            request = b""
            while b"\r\n\r\n" not in request:
                piece = connection.recv(65536)
                if not piece:
                    return
                request += piece
            head, _, body = request.partition(b"\r\n\r\n")
            length = next((int(line.split(b":")[1]) for line in head.split(b"\r\n")
                           if line.lower().startswith(b"content-length:")), 0)
            while len(body) < length:
                body += connection.recv(65536)
            self.requests.append(body)
            try:
                self.script(connection)
            except OSError:
                self.closed_s.append(time.monotonic())

    def wait_for_close(self, connection):
        """For scripts: until the gateway hangs up."""
        try:
            while connection.recv(65536):
                pass
        except OSError:
            pass
        self.closed_s.append(time.monotonic())

    def stop(self):
        # Wakes the thread in accept(): one that is stopped and continued there would go on with whatever
        # socket has the listener's number by then.
        self.listener.shutdown(socket.SHUT_RDWR)
        self.listener.close()


def reset(connection):
    connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    connection.close()

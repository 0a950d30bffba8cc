"""What a simulated model says next, and what goes wrong on the way."""

from dataclasses import dataclass, field


@dataclass
class Script:
    pieces: tuple = ("Hello", " from", " the", " simulator.")
    thinking: tuple = ()
    tools: tuple = ()               # (name, arguments)
    stop: str = "stop"              # or "length"
    input_tokens: int = 41          # all that was read, cached or not
    cached_tokens: int = 0
    output_tokens: int = 7
    headers: dict = field(default_factory=dict)

    # Faults. At most one is set.
    status: int = 0                 # answers this instead
    message: str = "simulated failure"
    error_after: int = -1           # pieces, then an error inside the 200 stream
    stall_after: int = -1           # pieces, then nothing until the client leaves
    cut_at: int = -1                # bytes of the body, then the connection drops
    empty: bool = False             # a stream that ends well and says nothing

    @property
    def text(self):
        return "".join(self.pieces)


class Refusal(Exception):
    """What the real server answers instead of an answer."""

    def __init__(self, status, body, headers=None):
        super().__init__(f"{status}: {body}")
        self.status, self.body, self.headers = status, body, headers or {}

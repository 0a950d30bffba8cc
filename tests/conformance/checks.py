"""What a check is, and how traces are judged by them. The checks themselves are in checks_*.py."""

from dataclasses import dataclass, field

from asked import read_asked
from readings import Reading
from shapes import DIALECTS, UPSTREAMS


@dataclass
class Trace:
    """One request through the gateway: what was sent, what came back, what the upstream saw."""
    dialect: str
    upstream: str
    shape: object            # shapes.Shape that the upstream played
    ask: dict                # of asks.json
    streamed: bool
    sent: bytes
    headers: dict            # as sent
    response: object         # client.Response
    reading: Reading
    case: object             # upstream.Case

    @property
    def name(self):
        ask = "" if self.ask["name"] in ("plain", "with_tools") else f"/{self.ask['name']}"
        return f"{self.shape.name}{ask}{'' if self.streamed else '/whole'}"

    @property
    def good(self):
        """A stream that should have gone well and began well."""
        return self.streamed and not self.shape.fails and self.response.status == 200

    @property
    def wants(self):
        """What the ask is about, beside the answer."""
        return self.ask.get("wants", {})

    @property
    def may_be_refused(self):
        """What not every server has ({"field"}, to unload) or nobody ("refused")."""
        return self.shape.fails or bool({"field", "refused", "done_reason"} & self.wants.keys())

    @property
    def is_plain_answer(self):
        """One answer to a prompt, with its usage."""
        return not {"answers", "no_usage", "done_reason"} & self.wants.keys()

    @property
    def asked(self):
        return read_asked(self.upstream, self.case.seen[-1].body)

    def events(self, *kinds):
        """Frames of the types named, or all, that are objects."""
        return [value for _, value in self.reading.frames
                if isinstance(value, dict) and (not kinds or value.get("type") in kinds)]


@dataclass
class Check:
    id: str
    text: str      # the rule, in one line
    source: str    # where it is from
    judge: object  # Trace -> None, or what is wrong
    when: object   # Trace -> does it apply?
    dialects: tuple = DIALECTS
    upstreams: tuple = UPSTREAMS


CHECKS = {}


def check(identity, text, source, when, dialects=DIALECTS, upstreams=UPSTREAMS):
    def register(judge):
        assert identity not in CHECKS, identity
        CHECKS[identity] = Check(identity, text, source, judge, when, tuple(dialects), tuple(upstreams))
        return judge
    return register


@dataclass
class Cell:
    """A check's result for one pair of dialect and upstream."""
    applied: int = 0
    problems: list = field(default_factory=list)  # "scenario: what is wrong"

    @property
    def mark(self):
        return "-" if not self.applied else "FAIL" if self.problems else "ok"


def judge_one(rule, trace):
    """What is wrong, or None. A trace so broken that the check stumbles over it fails the check."""
    try:
        return rule.judge(trace)
    except (KeyError, TypeError, AttributeError, ValueError, IndexError) as stumbled:
        return f"unreadable: {type(stumbled).__name__}: {stumbled}"


def judge_all(traces):
    """{check id: Cell} for the traces of one pair."""
    cells = {identity: Cell() for identity in CHECKS}
    for identity, rule in CHECKS.items():
        for trace in traces:
            fits = trace.dialect in rule.dialects and trace.upstream in rule.upstreams
            if not fits or not rule.when(trace):
                continue
            cells[identity].applied += 1
            problem = judge_one(rule, trace)
            if problem:
                cells[identity].problems.append(f"{trace.name}: {problem}")
    return cells

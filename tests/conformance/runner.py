"""Sends every scenario through a gateway, for each pair of dialect and upstream, and cuts streams at
every byte. The gateway is known by its URL only; the upstreams are ours (upstream.py)."""

import asyncio
import json
import random
import re
import sys
from dataclasses import dataclass, field

import checks_claude
import checks_forms   # noqa: F401  (these register themselves)
import checks_mapping  # noqa: F401
import checks_text  # noqa: F401
from checks_stream import how_it_ends
import client
import shapes
from checks import Cell, Trace, judge_all
from readings import read_stream, read_whole
from upstream import Case, Upstream

PATHS = {"anthropic": "/v1/messages", "openai": "/v1/chat/completions", "responses": "/v1/responses",
         "ollama": "/api/chat", "completions": "/v1/completions", "generate": "/api/generate"}
AT_ONCE = 4          # requests of one pair, but for faults, which are sent one by one
SETTLE_TRIES = 40    # after a fault the upstream may be shunned for a while: wait until it is not
SETTLE_S = 0.5
SWEEP_SHAPES = {"completions": "text", "generate": "thinking"}  # they have no tools
SWEEP_SHAPE = "text_then_tools"


@dataclass
class Target:
    """The gateway under test, as told by the target file (docs/conformance.md)."""
    url: str
    key: str = ""
    name: str = "gateway"
    dialects: dict = field(default_factory=dict)   # name -> {path, headers}
    upstreams: dict = field(default_factory=dict)  # name -> {model, headers}
    without: list = field(default_factory=list)    # [dialect, upstream] pairs that it does not offer

    @staticmethod
    def read(path, **changes):
        with open(path, encoding="utf-8") as file:
            return Target(**{**json.load(file), **{k: v for k, v in changes.items() if v}})

    def offers(self, dialect, upstream):
        return dialect in self.dialects and upstream in self.upstreams and \
            [dialect, upstream] not in self.without

    def path(self, dialect):
        return self.dialects[dialect].get("path", PATHS[dialect])

    def headers(self, dialect, upstream):
        own = {"x-api-key": self.key, "anthropic-version": checks_claude.VERSION,
               "anthropic-beta": checks_claude.BETAS} if dialect == "anthropic" \
            else {"authorization": f"Bearer {self.key}"}
        return {**own, **self.dialects[dialect].get("headers", {}), **self.upstreams[upstream].get("headers", {})}


@dataclass
class Scenario:
    shape: object
    ask: str
    streamed: bool = True
    cut_at: int = None


def scenarios(all_shapes, all_asks, dialect, upstream):
    """(calm ones, faults); the slow ones are sent by themselves (Suite.silences)."""
    here = [shape for shape in playable(all_shapes, all_asks, dialect, upstream) if "silence" not in shape.flags]
    calm = [Scenario(shape, shape.ask) for shape in here if "fault" not in shape.flags]
    calm += [Scenario(shape, shape.ask, False) for shape in here if upstream in shape.whole]
    for name, ask in all_asks.items():
        if dialect in ask and name not in ("plain", "with_tools"):
            forms = (True, False) if ask.get("both_ways") else (True,)
            calm += [Scenario(all_shapes[ask.get("shape", "text")], name, streamed) for streamed in forms]
    return calm, [Scenario(shape, shape.ask) for shape in here if "fault" in shape.flags]


def playable(all_shapes, all_asks, dialect, upstream):
    """The shapes that the upstream can play to what a client of that dialect can ask."""
    return [shape for shape in all_shapes.values()
            if shape.plays(upstream, dialect) and dialect in all_asks[shape.ask]]


class Suite:
    def __init__(self, target, ports=None, host="127.0.0.1"):
        self.target, self.ports, self.host = target, ports or {}, host
        self.shapes, self.asks, self.cases = shapes.load_shapes(), shapes.load_asks(), {}
        self.upstreams, self.mute = {}, set()

    async def start(self):
        for kind in shapes.UPSTREAMS:
            self.upstreams[kind] = await Upstream(kind, self.cases).start(
                self.host, self.ports.get(kind, 0))

    async def stop(self):
        for upstream in self.upstreams.values():
            await upstream.stop()

    async def send(self, dialect, upstream, scenario):
        """One scenario; its Trace."""
        shape, ask = scenario.shape, self.asks[scenario.ask]
        case = Case(f"case-{len(self.cases):06d}", shape.streams[upstream],
                    shape.whole.get(upstream), shape.text_streams.get(upstream), shape.text_whole.get(upstream),
                    "dribble" in shape.flags, scenario.cut_at, (shape, ask, upstream))
        self.cases[case.name] = case
        model = self.target.upstreams[upstream]["model"]
        body = json.dumps(shapes.body_for(ask, dialect, case.name, model, scenario.streamed),
                          ensure_ascii=False).encode()
        if ask["name"] == "plain" and dialect == "anthropic":
            body = _odd(body)
        headers = self.target.headers(dialect, upstream)

        def on_bytes(so_far):
            if b"First." in so_far:
                case.gate.set()
            return not ("leave" in shape.flags and b"More." in so_far)
        try:
            response = await client.post(self.target.url, self.target.path(dialect), headers, body, on_bytes)
        except OSError as refused:
            response = client.Response(body=str(refused).encode())
        if "leave" in shape.flags and case.seen:
            await case.over.wait()
        # To load a model Ollama gives one object, whatever was said of a stream.
        streamed = scenario.streamed and "done_reason" not in ask.get("wants", {})
        reading = (read_stream if streamed and response.status == 200 else read_whole)(dialect, response.body)
        return Trace(dialect, upstream, shape, ask, streamed, body, headers, response, reading, case)

    async def settle(self, dialect, upstream):
        """Faults make gateways careful. Goes on once a plain request is answered again; a pair that never
        answers one is waited for once only."""
        if (dialect, upstream) in self.mute:
            return
        for _ in range(SETTLE_TRIES):
            trace = await self.send(dialect, upstream, Scenario(self.shapes["text"], "plain"))
            if trace.response.status == 200:
                return
            await asyncio.sleep(SETTLE_S)
        self.mute.add((dialect, upstream))

    async def run_pair(self, dialect, upstream):
        calm, faults = scenarios(self.shapes, self.asks, dialect, upstream)
        limit = asyncio.Semaphore(AT_ONCE)

        async def limited(scenario):
            async with limit:
                return await self.send(dialect, upstream, scenario)
        traces = list(await asyncio.gather(*[limited(scenario) for scenario in calm]))
        for scenario in faults:
            traces.append(await self.send(dialect, upstream, scenario))
            await self.settle(dialect, upstream)
        return traces

    async def sweep(self, dialect, upstream, step, seed):
        """K1: the upstream's stream is cut after every `step`-th byte, from a random first one."""
        shape = self.shapes[SWEEP_SHAPES.get(dialect, SWEEP_SHAPE)]
        as_text = shape.text_streams.get(upstream) if dialect == "completions" else None
        size = len(shapes.stream_bytes(upstream, as_text or shape.streams[upstream]))
        first = random.Random(f"{seed}/{dialect}/{upstream}").randrange(step)
        cell = Cell()
        for at in range(first, size, step):
            trace = await self.send(dialect, upstream, Scenario(shape, shape.ask, True, at))
            cell.applied += 1
            problem = judge_cut(trace)
            if problem:
                cell.problems.append(f"cut after byte {at}: {problem}")
            await self.settle(dialect, upstream)
        return cell

    async def run(self, dialects, upstreams, step, seed, report=lambda line: None):
        """{(dialect, upstream): {check id: Cell}}; pairs that the target does not offer are left out."""
        pairs = [(dialect, upstream) for dialect in dialects for upstream in upstreams
                 if self.target.offers(dialect, upstream)]
        results = dict.fromkeys(pairs)
        slow = await self.silences(pairs)

        async def one_by_one(upstream):
            for pair in [pair for pair in pairs if pair[1] == upstream]:
                report(f"{pair[0]} x {pair[1]}")
                cells = judge_all(slow[pair] + await self.run_pair(*pair))
                if step:
                    cells["K1"] = await self.sweep(*pair, step, seed)
                results[pair] = cells
        # What fails at one upstream is nothing to the others, so they are asked side by side.
        await asyncio.gather(*[one_by_one(upstream) for upstream in upstreams])
        return results

    async def silences(self, pairs):
        """The shapes that take their time, for all pairs at once."""
        async def of_pair(dialect, upstream):
            await self.settle(dialect, upstream)  # the first request may start something
            return [await self.send(dialect, upstream, Scenario(shape, shape.ask))
                    for shape in playable(self.shapes, self.asks, dialect, upstream)
                    if "silence" in shape.flags]
        return dict(zip(pairs, await asyncio.gather(*[of_pair(*pair) for pair in pairs])))


def judge_cut(trace):
    """What is wrong with the answer to a stream that was cut; None when nothing is."""
    want, got = {"tools": [], **trace.shape.expect}, trace.reading
    calls = [[tool.name, tool.parsed()] for tool in got.tools]
    if got.finished:  # fine when the cut was behind all that counts
        return None if got.text == want["text"] and calls == want["tools"] else \
            f"ends as if all were well, with {got.text!r} and {calls}"
    if not want["text"].startswith(got.text):
        return f"the client has {got.text!r}"
    if trace.response.status == 200 and not got.error:
        return how_it_ends(trace)
    if got.has_content and len(trace.case.seen) > 1:
        return "asked again after content was sent"
    return None


def _odd(body):
    """The same JSON as few would write it: what a gateway that writes it anew would change."""
    return body.replace(b'"max_tokens": 300', b'"max_tokens" : 300 ,  "metadata":{"user_id":"\\u0061\\/b"}')


def dump_results(target, results, seed):
    rows = {f"{dialect} x {upstream}": {identity: {"result": cell.mark, "applied": cell.applied,
                                                  "problems": cell.problems}
                                       for identity, cell in cells.items()}
            for (dialect, upstream), cells in results.items()}
    return {"gateway": target.name, "seed": seed, "python": re.sub(r"\s.*", "", sys.version), "pairs": rows}

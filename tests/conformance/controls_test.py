"""The checks can fail: an honest gateway passes all of them, and each has a broken one that does not."""

import asyncio
import unittest

import runner
from checks import CHECKS, judge_one
from controls import CONTROLS
from fake_gateway import FakeGateway
from shapes import DIALECTS, UPSTREAMS

SEED = 1
SWEEP_STEP = 61


def target(url):
    return runner.Target(url, "sk-of-the-caller", "control", {dialect: {} for dialect in DIALECTS},
                         {kind: {"model": "conf"} for kind in UPSTREAMS})


async def with_gateway(work, faults=(), **changes):
    suite = runner.Suite(None)
    await suite.start()
    gateway = FakeGateway(suite, faults, **changes)
    suite.target = target(await gateway.start())
    try:
        return await work(suite)
    finally:
        gateway.server.close()
        await suite.stop()


def scenario(suite, name):
    shape, _, rest = name.partition("/")
    shape = suite.shapes[shape]
    return runner.Scenario(shape, rest if rest and rest != "whole" else shape.ask, rest != "whole")


async def broken(identity, dialect, upstream, name, faults, changes):
    """What the check says of the broken gateway; None when it is blind."""
    async def work(suite):
        trace = await suite.send(dialect, upstream, scenario(suite, name))
        if not CHECKS[identity].when(trace):
            raise AssertionError(f"{identity} does not apply to {name} of {dialect} x {upstream}")
        return judge_one(CHECKS[identity], trace)
    return await with_gateway(work, faults, **changes)


async def all_broken():
    limit = asyncio.Semaphore(8)

    async def limited(control):
        async with limit:
            return await broken(*control)
    return await asyncio.gather(*[limited(control) for control in CONTROLS], return_exceptions=True)


class ControlsTest(unittest.TestCase):
    def test_an_honest_gateway_passes_every_check(self):
        results = asyncio.run(with_gateway(
            lambda suite: suite.run(DIALECTS, UPSTREAMS, SWEEP_STEP, SEED)))
        problems = {f"{pair} {identity}": cell.problems for pair, cells in results.items()
                    for identity, cell in cells.items() if cell.problems}
        self.assertEqual(problems, {})
        never = [identity for identity in [*CHECKS, "K1"]
                 if not any(cells[identity].applied for cells in results.values())]
        self.assertEqual(never, [], "checks that nothing was judged by")

    def test_every_check_notices_a_gateway_that_breaks_it(self):
        self.assertEqual(sorted(CHECKS), sorted({control[0] for control in CONTROLS}))
        for control, said in zip(CONTROLS, asyncio.run(all_broken())):
            with self.subTest(" ".join(control[:4])):
                self.assertIsInstance(said, str, f"not noticed: {said!r}")

    def test_the_sweep_notices_an_end_that_is_made_up(self):
        lossy = {"openai": lambda frames: frames[:2] + frames[-3:], "completions": lambda frames: frames[1:],
                 "generate": lambda frames: frames[:1] + frames[-1:]}
        for dialect, frames in lossy.items():
            with self.subTest(dialect):
                cell = asyncio.run(with_gateway(
                    lambda suite, dialect=dialect: suite.sweep(dialect, "openai", SWEEP_STEP, SEED),
                    ("fabricate",), frames=frames))
                self.assertEqual(len(cell.problems), cell.applied)
                self.assertGreater(cell.applied, 5)


if __name__ == "__main__":
    unittest.main()

"""Starts Tophand with the suite's upstreams as its Claude and its backends."""

import asyncio
import pathlib
import sys

import runner

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1] / "e2e"))
from harness import Stage  # noqa: E402

CONFIG = """
[[backends]]
name = "conf-openai"
kind = "openai"
url = "http://127.0.0.1:{openai}"
models = ["conf-openai"]
concurrency = 16
[[backends]]
name = "conf-ollama"
kind = "ollama"
url = "http://127.0.0.1:{ollama}"
models = ["conf-ollama"]
concurrency = 16
"""


def target_for(gateway):
    return runner.Target(
        gateway.url, gateway.key, "Tophand", {dialect: {} for dialect in runner.PATHS},
        {"anthropic": {"model": "claude-haiku-5-5", "headers": {"x-tophand-priority": "high"}},
         "openai": {"model": "conf-openai"}, "ollama": {"model": "conf-ollama"}})


async def score(dialects, upstreams, step, seed, report=print):
    """(target, results) of Tophand. The gateway's own log is printed when it ends badly."""
    suite, stage = runner.Suite(None), Stage()
    await suite.start()
    try:
        ports = {kind: upstream.port for kind, upstream in suite.upstreams.items()}
        gateway = await asyncio.to_thread(stage.gateway, f"http://127.0.0.1:{ports['anthropic']}",
                                          config=CONFIG.format(**ports))
        suite.target = target_for(gateway)
        return suite.target, await suite.run(dialects, upstreams, step, seed, report)
    finally:
        await suite.stop()
        await asyncio.to_thread(stage.close)

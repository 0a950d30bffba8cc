"""A gateway with simulated backends beside it, and what the tests of this folder share."""

import pathlib
import sys

HERE = pathlib.Path(__file__).resolve().parent
for folder in (HERE / "sim", HERE.parent / "e2e"):
    sys.path.insert(0, str(folder))

import ollama_kind  # noqa: E402
import openai_kinds  # noqa: E402
from harness import Stage, run_tophand, wait_until  # noqa: E402, F401 - run_tophand is for the tests
from serve import Simulator  # noqa: E402

KINDS = {**openai_kinds.KINDS, **ollama_kind.KINDS}
MODELS = {"ollama": "sim:7b"}  # of a simulator of that kind; the others have sim-7b


def start_simulator(kind, port=0, **options):
    return Simulator(KINDS[kind](**options), port).start()


def model_of(kind):
    return MODELS.get(kind, "sim-7b")


class Rig(Stage):
    """Backends are declared first, then the gateway starts."""

    def __init__(self):
        super().__init__()
        self.config = ""

    def simulator_of(self, kind, name, settings=None, **options):
        """Starts a simulator and declares it as a backend of that name."""
        simulator = start_simulator(kind, **options)
        self.running.append(simulator)
        self.declare(kind, name, simulator.url, settings)
        return simulator

    def declare(self, kind, name, url, settings=None):
        self.config += f'[[backends]]\nname = "{name}"\nkind = "{kind}"\nurl = "{url}"\n'
        for key, value in (settings or {}).items():
            self.config += f"{key} = {value}\n"

    def open(self, claude_url=None, **more):
        self.gateway_ = self.gateway(claude_url, config=self.config, **more)
        return self.gateway_

    def wait_for(self, *names):
        """Until every one of these models is listed."""
        def listed():
            models = {model["id"] for model in self.gateway_.call("GET", "/v1/models").json()["data"]}
            return set(names) <= models
        wait_until(listed, f"models {names} in the list", 30)


class EveryKind:
    """For a test case: one gateway before a simulator of each kind, for all of its tests."""

    @classmethod
    def setUpClass(cls):
        cls.rig = Rig()
        try:
            cls.simulators = {kind: cls.rig.simulator_of(kind, "b-" + kind) for kind in KINDS}
            cls.gateway = cls.rig.open()
            cls.rig.wait_for(*(cls.name(kind) for kind in KINDS))
        except BaseException:
            cls.rig.close()
            raise

    @classmethod
    def tearDownClass(cls):
        cls.rig.close()

    @staticmethod
    def name(kind):
        return f"b-{kind}/{model_of(kind)}"

"""`tophand backends` and the backend checks of `tophand doctor`: one that is well, one that is gone, one that lacks
a model it was said to have."""

import json
import socket
import unittest

from rig import Rig, run_tophand


def closed_port():
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        return taken.getsockname()[1]


class CliTest(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.rig = Rig()
        cls.addClassCleanup(cls.rig.close)
        cls.rig.simulator_of("vllm", "well")
        cls.gone = f"http://127.0.0.1:{closed_port()}"
        cls.rig.declare("ollama", "gone", cls.gone)
        cls.rig.simulator_of("llama-server", "lacking", {"models": '["sim-7b", "unheard-of"]'})
        cls.gateway = cls.rig.open()
        cls.rig.wait_for("well/sim-7b", "lacking/sim-7b")

    def tophand(self, *arguments, code=0):  # code None: any
        done = run_tophand(*arguments, "--config", str(self.gateway.config), "--data", str(self.gateway.data),
                           env=self.gateway.env)
        if code is not None:
            self.assertEqual(done.returncode, code, done.stdout + done.stderr)
        return done.stdout

    def test_backends_shows_how_each_is(self):
        lines = self.tophand("backends").splitlines()
        rows = {line.split()[0]: line.split() for line in lines[1:4]}
        self.assertEqual(rows["well"][1], "vllm")
        self.assertEqual(rows["well"][3:6], ["up", "1", "0/4"])
        self.assertEqual(rows["gone"][2:4], [self.gone, "down"])
        self.assertEqual(rows["lacking"][3], "up")
        notes = "\n".join(lines[4:])
        self.assertRegex(notes, "gone is down: .*(refused|reach)")
        self.assertIn("lacking does not list unheard-of", notes)
        self.assertIn("well: sim-7b", notes)

    def test_backends_as_json(self):
        told = {backend["name"]: backend for backend in json.loads(self.tophand("backends", "--json"))}
        self.assertEqual({name: backend["up"] for name, backend in told.items()},
                         {"well": True, "gone": False, "lacking": True})
        self.assertEqual([model["name"] for model in told["well"]["models"]], ["sim-7b"])
        self.assertEqual(told["lacking"]["missing"], ["unheard-of"])
        self.assertTrue(told["gone"]["reason"])

    def test_doctor_says_what_is_wrong_and_how_to_mend_it(self):
        checks = {check["name"]: check for check in json.loads(self.tophand("doctor", "--json", code=None))["checks"]
                  if check["name"].startswith("backend ")}
        self.assertEqual(set(checks), {"backend well", "backend gone", "backend lacking"})
        self.assertEqual(checks["backend well"]["status"], "ok")
        self.assertNotEqual(checks["backend gone"]["status"], "ok")
        self.assertIn("start it", checks["backend gone"]["mend"])
        self.assertIn("unheard-of", checks["backend lacking"]["found"])


if __name__ == "__main__":
    unittest.main()

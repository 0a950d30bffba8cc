"""A worker lives no longer than the gateway that started it, however that one ends."""

import os
import pathlib
import signal
import subprocess
import tempfile
import unittest

import tiny_model
from harness import Stage, TOPHAND, environment, wait_until


def is_alive(pid):
    """A process that nobody has waited for yet (Z) is as good as gone."""
    try:
        return pathlib.Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except FileNotFoundError:
        return False


class WorkerOfAKilledGateway(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.stage = Stage()
        cls.addClassCleanup(cls.stage.close)

    def test_ends_with_it(self):
        gateway = self.stage.gateway()
        worker = gateway.worker_pid()
        self.assertTrue(is_alive(worker))
        gateway.process.send_signal(signal.SIGKILL)
        gateway.process.wait(10)
        wait_until(lambda: not is_alive(worker), "the worker's end", 10)

    def test_is_told_by_the_gateway_whom_to_outlive(self):
        gateway = self.stage.gateway()
        words = pathlib.Path(f"/proc/{gateway.worker_pid()}/cmdline").read_text().split("\0")
        self.assertEqual(words[words.index("--parent") + 1], str(gateway.process.pid))


class WorkerThatStartsTooLate(unittest.TestCase):
    """The gateway may be gone before the worker could ask to be told of its end."""

    def setUp(self):
        folder = tempfile.TemporaryDirectory()
        self.addCleanup(folder.cleanup)
        self.model = pathlib.Path(folder.name) / "tiny.gguf"
        self.socket = pathlib.Path(folder.name) / "engine.sock"
        tiny_model.make(self.model)

    def start(self, parent):
        process = subprocess.Popen([TOPHAND, "engine", "--model", self.model, "--socket", self.socket,
                                    "--parent", str(parent)], env=environment(), stderr=subprocess.PIPE, text=True)
        self.addCleanup(process.stderr.close)
        self.addCleanup(process.wait)
        self.addCleanup(process.kill)
        return process

    def test_ends_at_once_when_its_gateway_is_gone(self):
        gone = subprocess.Popen(["true"])
        gone.wait()
        process = self.start(gone.pid)
        self.assertEqual(process.wait(10), 1)
        self.assertIn(f"process {gone.pid}, which started this one, has ended", process.stderr.read())
        self.assertFalse(self.socket.exists())

    def test_serves_when_its_gateway_is_there(self):
        process = self.start(os.getpid())
        wait_until(self.socket.exists, "the worker's socket", 30)
        self.assertIsNone(process.poll())

"""A worker lives no longer than the gateway that started it, however that one ends, and one that hangs is noticed."""

import json
import os
import pathlib
import signal
import subprocess
import tempfile
import time
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


class WorkerThatHangs(unittest.TestCase):
    """A stopped process keeps its sockets and its pid, and says nothing."""

    HANGS_S = 20  # it is noticed in six seconds; the machine that tests may be slow

    @classmethod
    def setUpClass(cls):
        cls.stage = Stage()
        cls.addClassCleanup(cls.stage.close)
        cls.gateway = cls.stage.gateway()

    def stop_worker(self):
        pid = self.gateway.worker_pid()
        os.kill(pid, signal.SIGSTOP)
        return pid

    def ask(self, **more):
        return {"model": self.gateway.model, "prompt": "Say something.", **more}

    def test_while_idle_is_started_again(self):
        pid = self.stop_worker()
        begun = time.monotonic()
        other = self.gateway.worker_pid(but=pid)
        self.assertLess(time.monotonic() - begun, self.HANGS_S)
        self.assertFalse(is_alive(pid))
        self.assertNotEqual(other, pid)

    def test_lets_a_request_wait_for_the_next_one(self):
        self.stop_worker()
        answer = self.gateway.post("/api/generate", self.ask(stream=False, options={"num_predict": 2}))
        self.assertEqual(answer.status, 200, answer.body)
        self.assertTrue(answer.json()["done"])

    def stop_in_stream(self, pid):
        """The rest of a stream whose worker was stopped after its first line; None when it was over by then."""
        connection, response = self.gateway.open("POST", "/api/generate", self.ask(
            options={"num_predict": 100_000, "repeat_penalty": 1.5, "temperature": 1.5}))
        self.assertIn(b"response", response.readline())
        os.kill(pid, signal.SIGSTOP)
        last = json.loads(response.read().splitlines()[-1])
        connection.close()
        if last.get("done"):
            os.kill(pid, signal.SIGCONT)
            return None
        return last

    def test_ends_a_stream_that_it_had_begun_with_an_error(self):
        pid = self.gateway.worker_pid()
        begun = time.monotonic()
        last = next(filter(None, (self.stop_in_stream(pid) for _ in range(50))))
        self.assertLess(time.monotonic() - begun, 2 * self.HANGS_S)
        self.assertIn("error", last)
        self.gateway.worker_pid(but=pid)

    def test_is_not_one_that_computes_for_long(self):
        """Twelve seconds of embeddings, beside processes that take the processors away."""
        pid = self.gateway.worker_pid()
        busy = [subprocess.Popen(["sh", "-c", "while :; do :; done"]) for _ in range(2 * (os.cpu_count() or 1))]
        for process in busy:
            self.addCleanup(process.wait)
            self.addCleanup(process.kill)
        until = time.monotonic() + 12
        while time.monotonic() < until:
            answer = self.gateway.post("/api/embed", {"model": self.gateway.model, "input": ["word " * 2000] * 64})
            self.assertEqual(answer.status, 200, answer.body[:200])
        self.assertEqual(self.gateway.worker_pid(), pid)


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

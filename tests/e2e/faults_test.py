"""What goes wrong, and what the client sees then: workers killed, upstreams failing in every way, clients
that leave. The gateway's own process lives through all of it."""

import http.client
import json
import os
import pathlib
import signal
import unittest

import streams
import tiny_model
from harness import Stage, run_tophand, wait_until

MODEL = "claude-opus-5-5"


def ask(text, **fields):
    return {"model": MODEL, "max_tokens": 300, "messages": [{"role": "user", "content": text}], **fields}


class UpstreamTest(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.stage = Stage()
        cls.addClassCleanup(cls.stage.close)
        cls.simulator = cls.stage.simulator("--token-ms", "2")
        cls.gateway = cls.stage.gateway(cls.simulator.url)

    def row(self, answer):
        rows = self.gateway.rows(answer.headers["x-request-id"])
        self.assertEqual(len(rows), 1, rows)
        return rows[0]

    def test_passes_on_refusals_before_the_answer_free_of_charge(self):
        cases = {429: "rate_limit_error", 500: "api_error", 529: "overloaded_error"}
        for status, kind in cases.items():
            for stream in (False, True):
                with self.subTest(status, stream=stream):
                    answer = self.gateway.post("/v1/messages", ask(f"[[fail {status} 7]]", stream=stream),
                                               priority="high")
                    self.assertEqual(answer.status, status, answer.body)
                    self.assertEqual(answer.json()["error"]["type"], kind)
                    row = self.row(answer)
                    self.assertEqual((row["cost_nano_usd"], row["outcome"]), (0, "failed"))

    def test_blames_the_operators_key_and_not_the_clients(self):
        answer = self.gateway.post("/v1/messages", ask("[[fail 403]]"), priority="high")
        self.assertEqual(answer.status, 502, answer.body)
        self.assertIn("ANTHROPIC_API_KEY", answer.json()["error"]["message"])
        self.assertEqual(self.row(answer)["cost_nano_usd"], 0)

    def test_passes_on_retry_after(self):
        answer = self.gateway.post("/v1/messages", ask("[[fail 429 7]]"), priority="high")
        self.assertEqual(answer.headers["retry-after"], "7")

    def test_says_so_in_the_dialect_of_the_client(self):
        answer = self.gateway.post("/v1/chat/completions",
                                   {"model": "claude", "messages": [{"role": "user",
                                                                     "content": "[[fail 529]]"}]})
        self.assertEqual(answer.status, 503, answer.body)
        self.assertIn("message", answer.json()["error"])
        answer = self.gateway.post("/api/chat", {"model": "claude", "messages": [
            {"role": "user", "content": "[[fail 500]]"}]})
        self.assertGreaterEqual(answer.status, 500)
        self.assertIsInstance(answer.json()["error"], str)

    def test_ends_a_stream_that_fails_with_the_dialects_error(self):
        for words in ("[[fail-mid overloaded_error]]", "[[cut]]"):
            with self.subTest(words, dialect="anthropic"):
                answer = self.gateway.post("/v1/messages", ask(words, stream=True), priority="high")
                summary = streams.check_anthropic(answer.body)
                self.assertTrue(summary.error)
                row = self.row(answer)
                self.assertEqual(row["outcome"], "partial")
                self.assertGreater(row["cost_nano_usd"], 0, "what was generated is charged")
                self.assertLessEqual(row["cost_nano_usd"], row["reserved_nano_usd"])
            turns = [{"role": "user", "content": words}]
            with self.subTest(words, dialect="openai"):
                summary = streams.check_openai(self.gateway.post(
                    "/v1/chat/completions", {"model": "claude", "stream": True, "messages": turns}).body)
                self.assertTrue(summary.error)
                self.assertTrue(summary.text, "what had come before is kept")
            with self.subTest(words, dialect="ollama"):
                summary = streams.check_ollama(self.gateway.post(
                    "/api/chat", {"model": "claude", "messages": turns}).body)
                self.assertTrue(summary.error)

    def test_settles_one_row_when_the_client_leaves(self):
        connection, response = self.gateway.open(
            "POST", "/v1/messages", ask("[[words 2000]]", max_tokens=4000, stream=True),
            {"x-tophand-priority": "high", "anthropic-version": "2023-06-01"})
        request_id = response.getheader("x-request-id")
        self.assertIn(b"event:", response.read(100))
        response.close()
        connection.close()
        rows = self.gateway.rows(request_id)
        self.assertEqual([(row["outcome"], row["attempt"]) for row in rows], [("cancelled", 1)])
        self.assertGreater(rows[0]["cost_nano_usd"], 0)
        self.assertLess(rows[0]["cost_nano_usd"], rows[0]["reserved_nano_usd"])

    def test_is_not_there_but_says_so(self):
        stage = Stage()
        try:
            gateway = stage.gateway("http://127.0.0.1:9")  # the discard port: nobody listens
            answer = gateway.post("/v1/messages", ask("x"), priority="high")
            self.assertIn(answer.status, (502, 503), answer.body)
            rows = gateway.rows(answer.headers["x-request-id"])
            self.assertEqual([row["cost_nano_usd"] for row in rows], [0])
        finally:
            stage.close()


class WorkerTest(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.stage = Stage()
        cls.addClassCleanup(cls.stage.close)
        cls.gateway = cls.stage.gateway()

    def local(self, **fields):
        body = {"model": "local", "max_tokens": 16, "messages": [{"role": "user", "content": "Hi"}]}
        return self.gateway.post("/v1/messages", {**body, **fields})

    def stream_until(self, number, act):
        """Starts a stream, calls act() after its first content, returns (request id, all its bytes)."""
        connection, response = self.gateway.open("POST", "/v1/messages", {
            "model": "local", "max_tokens": 400, "stream": True, "temperature": 0,
            "messages": [{"role": "user", "content": f"Story {number}."}]},
            {"anthropic-version": "2023-06-01"})
        self.assertEqual(response.status, 200)
        data = b""
        while b"content_block_delta" not in data:
            piece = response.read1(65536)
            if not piece:
                break
            data += piece
        act()
        data += response.read()
        connection.close()
        return response.getheader("x-request-id"), data

    def test_survives_a_worker_killed_in_the_middle_of_a_stream(self):
        gateway_pid, hit = self.gateway.process.pid, False
        for number in range(20):  # the tiny model is fast: now and then it is done before the kill
            pid = self.gateway.worker_pid()
            request_id, data = self.stream_until(number, lambda: os.kill(pid, signal.SIGKILL))
            summary = streams.check_anthropic(data)  # a whole stream or one that ends with an error
            hit = bool(summary.error)
            outcomes = [row["outcome"] for row in self.gateway.rows(request_id)]
            self.assertEqual(outcomes, ["partial" if hit else "done"])
            self.assertIsNone(self.gateway.process.poll())
            self.assertEqual(self.gateway.process.pid, gateway_pid)
            self.gateway.worker_pid(but=pid)  # a new one
            self.assertEqual(self.local().status, 200)
            if hit:
                break
        self.assertTrue(hit, "no kill fell into a stream")

    def test_stops_the_worker_when_the_client_leaves(self):
        connection, response = self.gateway.open("POST", "/v1/messages", {
            "model": "local", "max_tokens": 400, "stream": True,
            "messages": [{"role": "user", "content": "Story."}]}, {"anthropic-version": "2023-06-01"})
        response.read1(100)
        response.close()
        connection.close()
        rows = self.gateway.rows(response.getheader("x-request-id"))
        self.assertEqual(len(rows), 1)
        self.assertIn(rows[0]["outcome"], ("cancelled", "done"))
        self.assertEqual(self.local().status, 200)

    def test_restarts_a_worker_that_was_killed_while_idle(self):
        pid = self.gateway.worker_pid()
        os.kill(pid, signal.SIGKILL)
        wait_until(lambda: not os.path.exists(f"/proc/{pid}") or self.gateway.health(), "its end")
        answer = self.local()
        if answer.status != 200:  # the one request that met the corpse may fail, cleanly
            self.assertGreaterEqual(answer.status, 500)
        self.gateway.worker_pid()
        self.assertEqual(self.local().status, 200)

    def test_leaves_no_row_open_when_the_gateway_is_killed(self):
        stage = Stage()
        try:
            simulator = stage.simulator("--latency-ms", "60000")
            gateway = stage.gateway(simulator.url)
            connection = http.client.HTTPConnection("127.0.0.1", gateway.port, timeout=60)
            connection.request("POST", "/v1/messages", json.dumps(ask("x")).encode(),
                               {"x-api-key": gateway.key, "anthropic-version": "2023-06-01",
                                "x-tophand-priority": "high"})
            wait_until(simulator.requests, "the request upstream")
            gateway.process.kill()
            gateway.process.wait()
            connection.close()
            gateway.process.stdout.close()
            gateway.start()
            row = gateway.rows()[0]
            self.assertEqual(row["state"], "recovered")
            self.assertEqual(row["cost_nano_usd"], row["reserved_nano_usd"])
            self.assertGreater(row["cost_nano_usd"], 0)
        finally:
            stage.close()


class BrokenModelTest(unittest.TestCase):
    def test_lives_on_with_a_truncated_model(self):
        stage = Stage()
        try:
            path = os.path.join(stage.folder, "broken.gguf")
            tiny_model.make(pathlib.Path(path))
            whole = pathlib.Path(path).read_bytes()
            pathlib.Path(path).write_bytes(whole[:len(whole) // 2])
            pulled = run_tophand("pull", path, "--data", os.path.join(stage.folder, "probe"))
            if pulled.returncode == 0:
                simulator = stage.simulator()
                gateway = stage.gateway(simulator.url, model_file=pathlib.Path(path))
                answer = gateway.post("/v1/messages", {**ask("Hi"), "model": "local"})
                self.assertGreaterEqual(answer.status, 400)
                self.assertTrue(answer.json()["error"]["message"])
                self.assertEqual(gateway.post("/v1/messages", ask("x"), priority="high").status, 200)
                self.assertIsNone(gateway.process.poll())
            else:
                self.assertIn("broken.gguf", pulled.stderr)
        finally:
            stage.close()


if __name__ == "__main__":
    unittest.main()

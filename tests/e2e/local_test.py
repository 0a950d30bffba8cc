"""Local answers in every dialect, whole and streamed, and what happens to bad requests."""

import json
import socket
import unittest

import streams
from harness import Stage

PROMPT = [{"role": "user", "content": "Say something short."}]
LIMIT = 24

# dialect: (path, body, checker of the streamed bytes, words that must be in a whole answer)
DIALECTS = {
    "anthropic": ("/v1/messages", {"model": "local", "max_tokens": LIMIT, "messages": PROMPT},
                  streams.check_anthropic),
    "openai": ("/v1/chat/completions", {"model": "local", "max_tokens": LIMIT, "messages": PROMPT,
                                        "stream_options": {"include_usage": True}},
               streams.check_openai),
    "ollama chat": ("/api/chat", {"model": "local", "messages": PROMPT,
                                  "options": {"num_predict": LIMIT}}, streams.check_ollama),
    "ollama generate": ("/api/generate", {"model": "local", "prompt": "Say something short.",
                                          "options": {"num_predict": LIMIT}},
                        lambda data: streams.check_ollama(data, chat=False)),
}


def anthropic_input(usage):
    """input_tokens are the uncached ones only; what the worker still had in its cache is beside them."""
    return usage["input_tokens"] + usage.get("cache_read_input_tokens", 0)


def whole_counts(name, value):
    """(input tokens, output tokens) of a whole answer, with its shape checked."""
    if name == "anthropic":
        assert value["type"] == "message" and value["role"] == "assistant"
        assert all(block["type"] == "text" for block in value["content"])
        assert value["stop_reason"] in ("end_turn", "max_tokens")
        return anthropic_input(value["usage"]), value["usage"]["output_tokens"]
    if name == "openai":
        assert value["object"] == "chat.completion"
        choice = value["choices"][0]
        assert choice["message"]["role"] == "assistant" and choice["finish_reason"] in ("stop", "length")
        usage = value["usage"]
        assert usage["total_tokens"] == usage["prompt_tokens"] + usage["completion_tokens"]
        return usage["prompt_tokens"], usage["completion_tokens"]
    assert value["done"] is True and value["done_reason"] in ("stop", "length")
    assert isinstance(value["message"]["content"] if name == "ollama chat" else value["response"], str)
    return value["prompt_eval_count"], value["eval_count"]


class LocalTest(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.stage = Stage()
        cls.addClassCleanup(cls.stage.close)
        cls.gateway = cls.stage.gateway()
        cls.gateway.worker_pid()

    def error_of(self, answer):
        """The message of an error body in whichever dialect."""
        value = answer.json()
        error = value["error"]
        return error if isinstance(error, str) else error["message"]

    def test_answers_whole_in_every_dialect(self):
        for name, (path, body, _) in DIALECTS.items():
            with self.subTest(name):
                answer = self.gateway.post(path, {**body, "stream": False})
                self.assertEqual(answer.status, 200, answer.body)
                self.assertEqual(answer.headers["x-tophand-backend"], "local")
                self.assertEqual(answer.headers["x-tophand-model"], self.gateway.model)
                self.assertTrue(answer.headers["x-tophand-reason"])
                self.assertTrue(answer.headers["request-id"])
                self.assertEqual(answer.headers["x-request-id"], answer.headers["request-id"])
                put_in, given = whole_counts(name, answer.json())
                self.assertGreater(put_in, 0)
                self.assertTrue(0 <= given <= LIMIT, given)

    def test_streams_in_every_dialect_in_the_documented_order(self):
        for name, (path, body, check) in DIALECTS.items():
            with self.subTest(name):
                answer = self.gateway.post(path, {**body, "stream": True})
                self.assertEqual(answer.status, 200, answer.body)
                expected = "application/x-ndjson" if path.startswith("/api/") else "text/event-stream"
                self.assertIn(expected, answer.headers["content-type"])
                self.assertEqual(answer.headers["x-tophand-backend"], "local")
                summary = check(answer.body)
                self.assertEqual(summary.error, "")
                self.assertGreater(summary.input_tokens, 0)
                self.assertTrue(0 <= summary.output_tokens <= LIMIT)

    def test_gives_the_same_greedy_answer_whole_and_streamed(self):
        path, body, check = DIALECTS["openai"]
        body = {**body, "temperature": 0}
        whole = self.gateway.post(path, body).json()["choices"][0]["message"]["content"]
        streamed = check(self.gateway.post(path, {**body, "stream": True}).body)
        self.assertEqual(streamed.text, whole or "")

    def test_writes_one_row_an_answer_with_the_numbers_that_the_client_got(self):
        for name, (path, body, _) in DIALECTS.items():
            with self.subTest(name):
                answer = self.gateway.post(path, {**body, "stream": False})
                rows = self.gateway.rows(answer.headers["x-request-id"])
                self.assertEqual(len(rows), 1)
                row = rows[0]
                self.assertEqual((row["backend"], row["state"], row["outcome"]),
                                 ("local", "settled", "done"))
                self.assertEqual((row["input_tokens"], row["output_tokens"]),
                                 whole_counts(name, answer.json()))
                self.assertEqual((row["cost_nano_usd"], row["reserved_nano_usd"]), (0, 0))

    def test_refuses_without_a_right_key(self):
        for name, (path, body, _) in DIALECTS.items():
            for headers in ({}, {"authorization": "Bearer th-wrong"}, {"x-api-key": "th-wrong"},
                            {"authorization": "Basic eDp5"}):
                with self.subTest(name, headers=list(headers)):
                    answer = self.gateway.post(path, body, key=False, headers=headers)
                    self.assertEqual(answer.status, 401, answer.body)
                    self.assertIn("key", self.error_of(answer).lower())
        answer = self.gateway.post("/v1/messages", DIALECTS["anthropic"][1], key=False)
        self.assertEqual(answer.json()["error"]["type"], "authentication_error")

    def test_takes_the_key_in_both_headers(self):
        for headers in ({"x-api-key": self.gateway.key},
                        {"authorization": f"bearer {self.gateway.key}"}):
            self.assertEqual(self.gateway.call("GET", "/v1/models", key=False, headers=headers).status, 200)

    def test_takes_the_key_in_front_of_the_path(self):
        answer = self.gateway.call("GET", f"/{self.gateway.key}/api/tags", key=False)
        self.assertEqual(answer.status, 200, answer.body)
        answer = self.gateway.call("GET", f"/{self.gateway.key}0/api/tags", key=False)
        self.assertEqual(answer.status, 401, answer.body)
        self.assertIn("key", answer.json()["status"])  # what Ollama's own client shows

    def test_is_reached_over_a_forwarded_port(self):
        answer = self.gateway.call("GET", "/v1/models", headers={"host": "localhost:9999"})
        self.assertEqual(answer.status, 200, answer.body)

    def test_checks_host_and_origin(self):
        answer = self.gateway.call("GET", "/v1/models", headers={"host": "evil.example"})
        self.assertEqual(answer.status, 421, answer.body)
        answer = self.gateway.call("GET", "/v1/models", headers={"origin": "https://evil.example"})
        self.assertEqual(answer.status, 403, answer.body)

    def test_says_what_is_wrong_with_a_body(self):
        cases = {"malformed": b'{"model": "local", ', "empty": b"", "a list": b"[]", "binary": b"\xff\xfe",
                 "deep": b"[" * 100_000,
                 "no messages": b'{"model": "local", "max_tokens": 5}'}
        for name, (path, _, _) in DIALECTS.items():
            for case, body in cases.items():
                if case == "no messages" and path.startswith("/api/"):
                    continue  # Ollama's way to load a model
                with self.subTest(name, case=case):
                    answer = self.gateway.post(path, body)
                    self.assertEqual(answer.status, 400, answer.body)
                    self.assertGreater(len(self.error_of(answer)), 8)

    def test_refuses_an_unknown_model_by_name(self):
        for name, (path, body, _) in DIALECTS.items():
            with self.subTest(name):
                answer = self.gateway.post(path, {**body, "model": "no-such-model"})
                self.assertEqual(answer.status, 404, answer.body)
                self.assertIn("no-such-model", self.error_of(answer))

    def test_refuses_unknown_paths_and_methods(self):
        self.assertEqual(self.gateway.call("GET", "/v1/nothing").status, 404)
        answer = self.gateway.call("DELETE", "/v1/messages")
        self.assertEqual(answer.status, 405)
        self.assertIn("POST", answer.headers["allow"])

    def test_refuses_a_body_over_the_limit_before_reading_it(self):
        with socket.create_connection(("127.0.0.1", self.gateway.port), timeout=30) as raw:
            raw.sendall((f"POST /v1/messages HTTP/1.1\r\nhost: 127.0.0.1:{self.gateway.port}\r\n"
                         f"x-api-key: {self.gateway.key}\r\ncontent-type: application/json\r\n"
                         f"content-length: {40 << 20}\r\n\r\n").encode())
            head = raw.recv(65536)
        self.assertTrue(head.startswith(b"HTTP/1.1 413"), head[:200])
        self.assertIn(b"32", head)

    def test_answers_413_to_a_client_that_sends_40_mb_without_waiting(self):
        body = b'{"model":"local","max_tokens":5,"messages":[{"role":"user","content":"' + \
            b"x" * (40 << 20) + b'"}]}'
        try:
            answer = self.gateway.post("/v1/messages", body)
        except (ConnectionError, BrokenPipeError) as broken:
            self.fail(f"the answer could not be read: {broken}")
        self.assertEqual(answer.status, 413)
        self.assertEqual(answer.json()["error"]["type"], "request_too_large")

    def test_lists_models_in_the_shape_the_client_speaks(self):
        openai = self.gateway.call("GET", "/v1/models").json()
        self.assertEqual(openai["object"], "list")
        self.assertIn(self.gateway.model, [model["id"] for model in openai["data"]])
        anthropic = self.gateway.call("GET", "/v1/models?limit=1000",
                                      headers={"anthropic-version": "2023-06-01"}).json()
        self.assertIs(anthropic["has_more"], False)
        self.assertTrue(all(model["type"] == "model" for model in anthropic["data"]))
        tags = self.gateway.call("GET", "/api/tags").json()["models"]
        self.assertIn(self.gateway.model, [model["name"].removesuffix(":latest") for model in tags])
        self.assertRegex(self.gateway.call("GET", "/api/version").json()["version"], r"^\d+\.\d+")

    def test_counts_tokens(self):
        answer = self.gateway.post("/v1/messages/count_tokens", {"model": "local", "messages": PROMPT},
                                   headers={"anthropic-version": "2023-06-01"})
        self.assertEqual(answer.status, 200, answer.body)
        asked = self.gateway.post("/v1/messages", DIALECTS["anthropic"][1]).json()
        self.assertEqual(answer.json()["input_tokens"], anthropic_input(asked["usage"]))

    def test_counts_tokens_of_a_responses_request(self):
        body = {"model": "local", "input": "Say hi.", "instructions": "Be short."}
        counted = self.gateway.post("/v1/responses/input_tokens", body).json()
        asked = self.gateway.post("/v1/responses", {**body, "max_output_tokens": 2}).json()
        self.assertEqual(counted, {"object": "response.input_tokens",
                                   "input_tokens": asked["usage"]["input_tokens"]})

    def test_refuses_a_prompt_that_does_not_fit_with_the_numbers(self):
        body = {"model": "local", "max_tokens": 5,
                "messages": [{"role": "user", "content": "word " * 5000}]}
        words = r"prompt is too long: 25\d{3} tokens > 511 maximum"  # Claude Code reads the numbers
        for stream in (False, True):
            with self.subTest(stream=stream):
                answer = self.gateway.post("/v1/messages", body | {"stream": stream})
                self.assertEqual(answer.status, 400, answer.body)
                self.assertEqual(answer.json()["error"]["type"], "invalid_request_error")
                self.assertRegex(answer.json()["error"]["message"], "^" + words + "$")
        answer = self.gateway.post("/v1/chat/completions", body)
        self.assertEqual(answer.status, 400, answer.body)
        self.assertEqual(answer.json()["error"]["code"], "context_length_exceeded")
        answer = self.gateway.post("/api/chat", body)
        self.assertEqual(answer.status, 400, answer.body)
        self.assertRegex(answer.json()["error"], "exceeds the context length: " + words)

    def test_does_not_go_to_claude_without_a_key(self):
        for name, (path, body, _) in DIALECTS.items():
            with self.subTest(name):
                answer = self.gateway.post(path, {**body, "model": "auto"}, priority="high")
                self.assertEqual(answer.status, 503, answer.body)
                self.assertIn("key", self.error_of(answer).lower())

    def test_refuses_a_priority_that_means_nothing(self):
        path, body, _ = DIALECTS["anthropic"]
        answer = self.gateway.post(path, body, priority="urgent")
        self.assertEqual(answer.status, 400)
        self.assertIn("urgent", json.dumps(answer.json()))


if __name__ == "__main__":
    unittest.main()

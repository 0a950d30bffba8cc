"""The simulators by themselves: they refuse what the real servers refuse, and notice what these let through."""

import http.client
import json
import unittest

from rig import start_simulator

CHAT = {"model": "sim-7b", "messages": [{"role": "user", "content": "Hello"}]}


def post(simulator, path, value, headers=None):
    connection = http.client.HTTPConnection("127.0.0.1", simulator.port, timeout=10)
    body = value if isinstance(value, bytes) else json.dumps(value).encode()
    connection.request("POST", path, body, {"content-type": "application/json", **(headers or {})})
    response = connection.getresponse()
    text = response.read()
    connection.close()
    return response.status, text


class OpenAiKindsTest(unittest.TestCase):
    def start(self, kind, **options):
        simulator = start_simulator(kind, **options)
        self.addCleanup(simulator.stop)
        return simulator

    def chat(self, simulator, **more):
        return post(simulator, "/v1/chat/completions", {**CHAT, **more})

    def test_answer_whole_and_streamed(self):
        for kind in ("openai", "vllm", "llama-server", "localai", "text-generation-webui"):
            with self.subTest(kind):
                simulator = self.start(kind)
                status, text = self.chat(simulator)
                self.assertEqual(status, 200, text)
                self.assertEqual(json.loads(text)["choices"][0]["message"]["content"], simulator.script.text)
                status, text = self.chat(simulator, stream=True)
                self.assertEqual((status, text.count(b'"content": " from"')), (200, 1))
                self.assertEqual(simulator.complaints, [])

    def test_refuse_what_the_real_server_refuses(self):
        image = [{"role": "user", "content": [{"type": "image_url", "image_url": {"url": "data:image/png;base64,AA"}}]}]
        null = [{"role": "user", "content": None}]
        cases = [("vllm", {"model": "other"}, 404), ("vllm", {"tool_choice": "auto"}, 400),
                 ("vllm", {"stream_options": {"include_usage": True}}, 400), ("vllm", {"messages": image}, 400),
                 ("llama-server", {"messages": image}, 500), ("llama-server", {"model": "other"}, 200),
                 ("localai", {"model": "other"}, 500), ("text-generation-webui", {"messages": [7]}, 422),
                 ("text-generation-webui", {"max_tokens": 0}, 400), ("openai", {"messages": null}, 400),
                 ("openai", {"max_tokens": "many"}, 400), ("openai", {"messages": []}, 400)]
        for kind, change, expected in cases:
            with self.subTest(kind, change=change):
                self.assertEqual(self.chat(self.start(kind), **change)[0], expected)

    def test_notice_what_is_let_through(self):
        simulator = self.start("vllm")
        self.chat(simulator, metadata={}, messages=[{"role": "tool", "content": "x", "tool_call_id": "call_9"}])
        self.assertEqual(len(simulator.complaints), 2, simulator.complaints)

    def test_know_their_key(self):
        simulator = self.start("vllm", api_key="secret")
        self.assertEqual(self.chat(simulator)[0], 401)
        status, _ = post(simulator, "/v1/chat/completions", CHAT, {"authorization": "Bearer secret"})
        self.assertEqual(status, 200)


class OllamaTest(unittest.TestCase):
    def setUp(self):
        self.simulator = start_simulator("ollama")
        self.addCleanup(self.simulator.stop)

    def chat(self, **more):
        body = {"model": "sim:7b", "messages": CHAT["messages"], "options": {"num_ctx": 8192}, **more}
        return post(self.simulator, "/api/chat", body)

    def test_streams_unless_told_not_to(self):
        status, text = self.chat()
        self.assertEqual(status, 200, text)
        lines = [json.loads(part) for part in text.splitlines()]
        self.assertEqual("".join(part["message"]["content"] for part in lines), self.simulator.script.text)
        self.assertEqual([part["done"] for part in lines].count(True), 1)
        self.assertIs(json.loads(self.chat(stream=False)[1])["done"], True)
        self.assertEqual(self.simulator.complaints, [])

    def test_refuses_what_ollama_refuses(self):
        parts = [{"role": "user", "content": [{"type": "text", "text": "Hello"}]}]
        call = [{"role": "assistant", "tool_calls": [{"function": {"name": "f", "arguments": "{}"}}]}]
        image = [{"role": "user", "content": "", "images": ["AAAA"]}]
        for change, status in (({"model": "none"}, 404), ({"model": ""}, 400), ({"messages": parts}, 400),
                               ({"messages": call}, 400), ({"keep_alive": "soon"}, 400), ({"think": True}, 400),
                               ({"options": {"num_ctx": "8192"}}, 400), ({"options": {"stop": "x"}}, 400),
                               ({"format": 7}, 400), ({"messages": image}, 500)):
            with self.subTest(change=change):
                self.assertEqual(self.chat(**change)[0], status)
        self.assertEqual(post(self.simulator, "/api/chat", b"")[0], 400)

    def test_notices_a_missing_or_changing_num_ctx(self):
        self.chat(options={})
        self.chat(options={"num_ctx": 2048})
        self.assertEqual(len(self.simulator.complaints), 2, self.simulator.complaints)


if __name__ == "__main__":
    unittest.main()

"""The real llama-server behind the gateway, with the same model file as the own engine."""

import json
import tempfile
import unittest
import urllib.error
import urllib.request

import real
import streams
from dialects import ask
from real_cases import CONTEXT, HELLO, LIMIT, RealServerCases, RealToolCases, post
from rig import start_simulator


def start(folder, path):
    return real.llama_server(folder, path, "--alias", "the-model", "-c", str(CONTEXT))


class LlamaServerTest(RealServerCases, unittest.TestCase):
    kind, model = "llama-server", "the-model"
    start_server = staticmethod(start)

    def direct(self):
        answer = post(self.server.url + "/v1/chat/completions",
                      {"messages": [{"role": "user", "content": HELLO[0][1]}], "max_tokens": LIMIT, "temperature": 0})
        choice, usage = answer["choices"][0], answer["usage"]
        return choice["message"]["content"], choice["finish_reason"], usage["prompt_tokens"], usage["completion_tokens"]

    def busy(self):
        with urllib.request.urlopen(self.server.url + "/slots", timeout=20) as slots:
            return any(slot["is_processing"] for slot in json.loads(slots.read()))

    def test_the_own_engine_reads_the_same_prompt_from_the_same_file(self):
        own = ask(self.gateway, "openai", "smollm2:135m", HELLO, limit=4)
        self.assertEqual(own.headers["x-tophand-backend"], "local")
        self.assertEqual(own.input_tokens, self.ask("openai", HELLO, limit=4).input_tokens)

    def test_a_second_turn_is_read_from_the_servers_cache_and_counted_once(self):
        turns = [("user", "Tell me about rivers. " * 20)]
        first = self.ask("openai", turns, limit=4)
        again = self.ask("openai", turns, limit=4)
        self.assertEqual(first.input_tokens, again.input_tokens)
        self.assertGreater(again.cached_tokens, 60)


def shape(value, path=""):
    """Every path in a JSON value with the kind of what is there; numbers are one kind."""
    kind = "number" if isinstance(value, (int, float)) and not isinstance(value, bool) else type(value).__name__
    found = {f"{path}: {kind}"}
    if isinstance(value, dict):
        for key, inner in value.items():
            found |= shape(inner, f"{path}.{key}")
    if isinstance(value, list):
        for inner in value:
            found |= shape(inner, path + "[]")
    return found


class SimulatorTest(unittest.TestCase):
    """What the simulator says, the server says too, at the same places."""

    @classmethod
    def setUpClass(cls):
        path = real.model_file("smollm2")
        cls.folder = tempfile.TemporaryDirectory()
        cls.server = start(cls.folder.name, path)
        cls.simulator = start_simulator("llama-server", context=CONTEXT)

    @classmethod
    def tearDownClass(cls):
        cls.simulator.stop()
        cls.server.stop()
        cls.folder.cleanup()

    def fetch(self, url, path, value):
        data = None if value is None else json.dumps(value).encode()
        request = urllib.request.Request(url + path, data, {"content-type": "application/json"})
        try:
            with urllib.request.urlopen(request, timeout=120) as response:
                return response.status, response.headers["content-type"], response.read()
        except urllib.error.HTTPError as refused:
            with refused:
                return refused.code, refused.headers["content-type"], refused.read()

    def test_says_what_the_server_says(self):
        chat = {"messages": [{"role": "user", "content": "Hello"}], "max_tokens": 3}
        image = [{"role": "user", "content": [{"type": "image_url", "image_url": {"url": "data:image/png;base64,AAAA"}}]}]
        long = [{"role": "user", "content": "word " * 5000}]
        cases = {"/health": None, "/v1/models": None, "/props": None, "/nowhere": {},
                 "/v1/chat/completions": chat}
        rows = [*cases.items()] + [("/v1/chat/completions", {**chat, **change}) for change in (
            {"stream": True}, {"stream": True, "stream_options": {"include_usage": True}}, {"messages": image},
            {"messages": long}, {"messages": 7})]
        for path, value in rows:
            with self.subTest(path, value=str(value)[:100]):
                real_one = self.fetch(self.server.url, path, value)
                simulated = self.fetch(self.simulator.url, path, value)
                self.assertEqual(simulated[:2], real_one[:2])
                self.assertLessEqual(self.shapes(simulated[2]), self.shapes(real_one[2]))

    def shapes(self, body):
        if not body.startswith(b"data: "):
            return shape(json.loads(body))
        frames = [text for _, text in streams.sse_frames(body)]
        self.assertEqual(frames[-1], "[DONE]")
        values = [json.loads(text) for text in frames[:-1]]
        return {f"first{line}" for line in shape(values[0])} | {f"last{line}" for line in shape(values[-1])} | \
            {f"some{line}" for value in values for line in shape(value)}


class LlamaServerToolsTest(RealToolCases, unittest.TestCase):
    kind, model = "llama-server", "the-model"
    start_server = staticmethod(start)


if __name__ == "__main__":
    unittest.main()

"""Ollama's API as a table: what each endpoint takes, answers and refuses, in the words of Ollama 0.33 (its
server/routes.go and api/types.go). Where this gateway means to differ the row says so."""

import json
import re
import unittest

from harness import Stage

TIME = re.compile(r"^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d+)?(Z|[+-]\d\d:\d\d)$")
HI = [{"role": "user", "content": "Hi"}]
FEW = {"num_predict": 2}
DURATIONS = {"total_duration", "load_duration", "prompt_eval_count", "prompt_eval_duration", "eval_count",
             "eval_duration"}

# (what, method, path, body, status, the error or None). {m}: the installed model.
REFUSALS = [
    ("no body", "POST", "/api/chat", b"", 400, "missing request body"),
    ("no body", "POST", "/api/generate", b"", 400, "missing request body"),
    ("no body", "POST", "/api/show", b"", 400, "missing request body"),
    ("bad JSON", "POST", "/api/chat", b"{", 400, None),
    ("a list", "POST", "/api/chat", b"[]", 400, None),
    ("wrong method", "GET", "/api/chat", None, 405, None),
    ("wrong method", "POST", "/api/tags", b"{}", 405, None),
    ("wrong method", "POST", "/api/version", b"{}", 405, None),
    ("unknown path", "POST", "/api/unheard-of", b"{}", 404, None),
    ("no model", "POST", "/api/chat", {"messages": HI}, 400, "model is required"),
    ("no model", "POST", "/api/generate", {"prompt": "x"}, 400, "model is required"),
    ("no model", "POST", "/api/show", {}, 400, "model is required"),
    # This gateway's own: after Ollama's words comes what there is instead.
    ("unknown model", "POST", "/api/chat", {"model": "nobody", "messages": HI}, 404,
     "model 'nobody' not found; there are: "),
    ("unknown model", "POST", "/api/generate", {"model": "nobody", "prompt": "x"}, 404,
     "model 'nobody' not found; there are: "),
    ("unknown model", "POST", "/api/show", {"model": "nobody"}, 404, "model 'nobody' not found"),
    ("unknown model", "DELETE", "/api/delete", {"model": "nobody"}, 404, "model 'nobody' not found"),
    ("unknown model", "POST", "/api/copy", {"source": "nobody", "destination": "x"}, 404,
     'model "nobody" not found'),
    ("unknown model", "POST", "/api/embed", {"model": "nobody", "input": "x"}, 404,
     'model "nobody" not found, try pulling it first'),
    ("a name that is none", "POST", "/api/copy", {"source": "../x", "destination": "y"}, 400,
     'source "../x" is invalid'),
    ("input of a wrong type", "POST", "/api/embed", {"model": "{m}", "input": 7}, 400, "invalid input type"),
    ("an option of a wrong type", "POST", "/api/chat",
     {"model": "{m}", "messages": HI, "options": {"temperature": "hot"}}, 400, None),
    ("top_logprobs out of range", "POST", "/api/chat",
     {"model": "{m}", "messages": HI, "logprobs": True, "top_logprobs": 21}, 400,
     "top_logprobs must be between 0 and 20"),
    ("raw with a system text", "POST", "/api/generate",
     {"model": "{m}", "prompt": "x", "raw": True, "system": "y"}, 400,
     "raw mode does not support template, system, or context"),
    ("a role that is none", "POST", "/api/chat",
     {"model": "{m}", "messages": [{"role": "boss", "content": "x"}]}, 400, None),
    ("think of a wrong type", "POST", "/api/chat", {"model": "{m}", "messages": HI, "think": 7}, 400, None),
    ("keep_alive that is none", "POST", "/api/chat", {"model": "{m}", "messages": HI, "keep_alive": "soon"}, 400, None),
    ("a bad digest", "HEAD", "/api/blobs/sha256:zz", None, 400, None),
    ("a blob that is not there", "HEAD", "/api/blobs/sha256:" + "0" * 64, None, 404, None),
    ("a blob of another digest", "POST", "/api/blobs/sha256:" + "0" * 64, b"x", 400,
     'digest mismatch, expected "sha256:' + "0" * 64 + '", got '
     '"sha256:2d711642b726b04401627ca9fbac32f5c8530fb1903cc4db02258717921a4881"'),
    # This gateway's own: there is no registry to push to, and no account at ollama.com.
    # A Go template is not run here.
    ("a template", "POST", "/api/generate", {"model": "{m}", "prompt": "x", "template": "{{ .Prompt }}"}, 400,
     "local models cannot take: template; leave it out, or ask without naming a local model"),
    ("push", "POST", "/api/push", {"model": "{m}"}, 501, None),
    ("account", "POST", "/api/me", {}, 404, None),
    ("account", "POST", "/api/signout", {}, 404, None),
]


class OllamaTable(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.stage = Stage()
        cls.addClassCleanup(cls.stage.close)
        cls.gateway = cls.stage.gateway()
        cls.gateway.worker_pid()

    def filled(self, value):
        """With the installed model's name in place of {m}."""
        if isinstance(value, dict):
            return json.loads(json.dumps(value).replace("{m}", self.gateway.model))
        return value

    def ask(self, path, status=200, **body):
        answer = self.gateway.post(path, body)
        self.assertEqual(answer.status, status, answer.body)
        return answer

    def last(self, path, **body):
        """The whole answer, not streamed."""
        return self.ask(path, model=self.gateway.model, stream=False, options=FEW, **body).json()

    def test_refusals(self):
        for what, method, path, body, status, error in REFUSALS:
            with self.subTest(what, method=method, path=path):
                answer = self.gateway.call(method, path, self.filled(body))
                self.assertEqual(answer.status, status, answer.body)
                if method == "HEAD":
                    continue
                told = answer.json()["error"]
                self.assertTrue(told)
                if error is not None:
                    self.assertEqual(told[:len(error)] if error.endswith(": ") else told, error)

    def test_signs_of_life(self):
        for method in ("GET", "HEAD"):
            for path in ("/", "/api/version", "/api/tags"):
                with self.subTest(method, path=path):
                    self.assertEqual(self.gateway.call(method, path).status, 200)
        self.assertEqual(self.gateway.call("GET", "/").body, b"Ollama is running")
        self.assertRegex(self.gateway.call("GET", "/api/version").json()["version"], r"^\d+\.\d+\.\d+")

    def test_a_stream_is_the_default_and_has_a_line_an_event(self):
        for path, body in (("/api/chat", {"messages": HI}), ("/api/generate", {"prompt": "Hi"})):
            with self.subTest(path):
                answer = self.ask(path, model=self.gateway.model, options=FEW, **body)
                self.assertEqual(answer.headers["content-type"], "application/x-ndjson")
                self.assertTrue(answer.body.endswith(b"\n"))
                lines = [json.loads(line) for line in answer.body.splitlines()]
                self.assertEqual([line["done"] for line in lines], [False] * (len(lines) - 1) + [True])
                for line in lines:
                    self.assertRegex(line["created_at"], TIME)
                    self.assertEqual(line["model"], self.gateway.model)
                self.assertLessEqual(DURATIONS, set(lines[-1]))
                self.assertIn(lines[-1]["done_reason"], ("stop", "length"))

    def test_a_whole_answer(self):
        chat = self.last("/api/chat", messages=HI)
        self.assertEqual(chat["message"]["role"], "assistant")
        self.assertEqual(chat["done"], True)
        generate = self.last("/api/generate", prompt="Hi")
        self.assertIsInstance(generate["response"], str)
        for value in (chat, generate):
            self.assertLessEqual(DURATIONS, set(value))
            self.assertGreater(value["prompt_eval_count"], 0)

    def test_what_requests_may_say(self):
        """Every field of the two requests, each taken."""
        both = {"keep_alive": ("5m", 300, -1, "1.5h", "0"), "format": ("json", {"type": "object"}),
                "think": (False,), "truncate": (False, True), "shift": (False,),
                "options": ({"num_ctx": 512, "num_predict": 1}, {"num_predict": 1.0, "unheard_of": 1},
                            {"seed": 7, "top_k": 3, "top_p": 0.5, "min_p": 0.1, "typical_p": 1, "repeat_last_n": 8,
                             "repeat_penalty": 1.1, "presence_penalty": 0, "frequency_penalty": 0, "stop": ["x"],
                             "num_keep": 4, "num_predict": 1, "temperature": 0})}
        asks = [("/api/chat", {"messages": HI}, both),
                ("/api/generate", {"prompt": "Hi"}, {**both, "system": ("s",), "raw": (False, True), "context": ([],)})]
        for path, body, fields in asks:
            for field, values in fields.items():
                for value in values:
                    with self.subTest(path, field=field, value=value):
                        answer = self.gateway.post(path, {"model": self.gateway.model, "stream": False,
                                                          "options": FEW, **body, field: value})
                        # A tiny random model writes no JSON: that it was asked for is all that is tested.
                        self.assertIn(answer.status, (200, 502) if field == "format" else (200,), answer.body)

    def test_roles_are_lower_cased_and_tools_are_taken(self):
        messages = [{"role": "System", "content": "s"}, {"role": "USER", "content": "u"},
                    {"role": "assistant", "content": "", "tool_calls": [{"function": {"name": "f", "arguments": {}}}]},
                    {"role": "tool", "tool_name": "f", "content": "r"}]
        self.assertEqual(self.last("/api/chat", messages=messages)["done"], True)

    def test_nothing_to_say_loads_and_unloads(self):
        for path, empty in (("/api/chat", {"messages": []}), ("/api/generate", {})):
            for more, reason in (({"keep_alive": 0}, "unload"), ({}, "load")):
                with self.subTest(path, reason=reason):
                    value = self.ask(path, model=self.gateway.model, stream=False, **empty, **more).json()
                    self.assertEqual((value["done"], value["done_reason"]), (True, reason))
                    running = [model["name"] for model in self.gateway.call("GET", "/api/ps").json()["models"]]
                    self.assertEqual(bool(running), reason == "load", running)

    def test_lists_and_details(self):
        model = self.gateway.call("GET", "/api/tags").json()["models"][0]
        self.assertLessEqual({"name", "model", "modified_at", "size", "digest", "details"}, set(model))
        self.assertRegex(model["digest"], r"^[0-9a-f]{64}$")
        self.assertRegex(model["modified_at"], TIME)
        self.assertLessEqual({"format", "family", "families", "parameter_size", "quantization_level"},
                             set(model["details"]))
        self.ask("/api/generate", model=self.gateway.model)
        running = self.gateway.call("GET", "/api/ps").json()["models"][0]
        self.assertLessEqual({"name", "model", "size", "digest", "details", "expires_at", "size_vram",
                              "context_length"}, set(running))
        for name in ("model", "name"):
            shown = self.ask("/api/show", **{name: self.gateway.model}).json()
            self.assertLessEqual({"details", "model_info", "capabilities", "modified_at"}, set(shown))
            self.assertTrue(shown["model_info"])
            long = [key for key, value in shown["model_info"].items() if isinstance(value, list) and len(value) > 5]
            self.assertEqual(long, [])

    def test_embeddings_have_both_forms(self):
        one = self.ask("/api/embed", model=self.gateway.model, input="a").json()
        self.assertLessEqual({"model", "embeddings", "total_duration", "load_duration", "prompt_eval_count"}, set(one))
        self.assertEqual(len(one["embeddings"]), 1)
        self.assertAlmostEqual(sum(x * x for x in one["embeddings"][0]), 1, 3)
        two = self.ask("/api/embed", model=self.gateway.model, input=["a", "b"]).json()
        self.assertEqual(len(two["embeddings"]), 2)
        self.assertEqual(self.ask("/api/embed", model=self.gateway.model, input=[]).json()["embeddings"], [])
        self.assertTrue(self.ask("/api/embeddings", model=self.gateway.model, prompt="a").json()["embedding"])
        self.assertEqual(self.ask("/api/embeddings", model=self.gateway.model, prompt="").json()["embedding"], [])


if __name__ == "__main__":
    unittest.main()

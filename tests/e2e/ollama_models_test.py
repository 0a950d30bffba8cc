"""Ollama's endpoints about models: profiles over shared weights, uploads, what is shown and deleted."""

import hashlib
import json
import unittest

from harness import Stage, environment, run_tophand, wait_until

CHAT = [{"role": "user", "content": "Say something."}]


class OllamaModelsTest(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.stage = Stage()
        cls.addClassCleanup(cls.stage.close)
        cls.gateway = cls.stage.gateway()
        cls.gateway.worker_pid()
        cls.file = cls.gateway.folder / "tiny.gguf"

    def lines(self, path, body, status=200):
        answer = self.gateway.post(path, body)
        self.assertEqual(answer.status, status, answer.body)
        return [json.loads(line) for line in answer.body.splitlines()]

    def create(self, name, **parts):
        lines = self.lines("/api/create", {"model": name, "from": self.gateway.model, **parts})
        self.assertEqual(lines[-1], {"status": "success"}, lines)
        self.addCleanup(self.gateway.call, "DELETE", "/api/delete", {"model": name})

    def delete(self, name, status=200):
        answer = self.gateway.call("DELETE", "/api/delete", {"model": name})
        self.assertEqual(answer.status, status, answer.body)
        return answer

    def show(self, name, status=200, **more):
        answer = self.gateway.post("/api/show", {"model": name, **more})
        self.assertEqual(answer.status, status, answer.body)
        return answer.json()

    def tags(self):
        return {model["name"]: model for model in self.gateway.call("GET", "/api/tags").json()["models"]}

    def tokens(self, path, body):
        """How many tokens a request's prompt has: the way to see what a profile put into it."""
        value = self.gateway.post(path, body).json()
        if "usage" in value:
            usage = value["usage"]
            return usage.get("prompt_tokens") or (usage["input_tokens"]
                                                  + usage.get("cache_read_input_tokens", 0))
        return value["prompt_eval_count"]

    def test_a_profile_puts_its_system_prompt_before_requests_of_every_dialect(self):
        self.create("poet", system="You are a poet who only ever speaks of the sea.")
        bodies = {
            "/api/chat": {"stream": False, "messages": CHAT, "options": {"num_predict": 2}},
            "/api/generate": {"stream": False, "prompt": "Say something.", "options": {"num_predict": 2}},
            "/v1/chat/completions": {"messages": CHAT, "max_tokens": 2},
            "/v1/messages": {"messages": CHAT, "max_tokens": 2},
        }
        for path, body in bodies.items():
            plain = self.tokens(path, {"model": self.gateway.model, **body})
            self.assertGreater(self.tokens(path, {"model": "poet", **body}), plain + 10, path)
        own = [{"role": "system", "content": "Mine."}, *CHAT]
        chat = {**bodies["/api/chat"], "messages": own}
        self.assertEqual(self.tokens("/api/chat", {"model": "poet:latest", **chat}),
                         self.tokens("/api/chat", {"model": self.gateway.model, **chat}))

    def test_a_profiles_parameters_are_defaults(self):
        self.create("short", parameters={"num_predict": 3, "temperature": 0})
        value = self.gateway.post("/api/chat", {"model": "short", "stream": False, "messages": CHAT}).json()
        self.assertLessEqual(value["eval_count"], 3)
        value = self.gateway.post("/api/chat", {"model": "short", "stream": False, "messages": CHAT,
                                                "options": {"num_predict": 1}}).json()
        self.assertEqual(value["eval_count"], 1)

    def test_profiles_share_the_worker_of_their_weights(self):
        pid = self.gateway.worker_pid()
        self.create("one", system="One.")
        self.create("two", system="Two.")
        for name in ("one", "two"):
            self.gateway.post("/api/chat", {"model": name, "stream": False, "messages": CHAT,
                                            "options": {"num_predict": 1}})
        workers = self.gateway.health()["workers"]
        self.assertEqual([worker["pid"] for worker in workers if worker["state"] == "ready"], [pid])

    def test_show_tells_what_clients_ask_for(self):
        value = self.show(self.gateway.model)
        self.assertIn("completion", value["capabilities"])
        family = value["details"]["family"]
        self.assertGreater(value["model_info"][f"{family}.context_length"], 0)
        self.assertEqual(value["details"]["format"], "gguf")
        self.assertEqual(value["model_info"]["tokenizer.ggml.tokens"], [])
        whole = self.show(self.gateway.model, verbose=True)
        self.assertGreater(len(whole["model_info"]["tokenizer.ggml.tokens"]), 5)
        self.assertEqual(whole["tensors"][0].keys(), {"name", "type", "shape"})
        self.create("poet", system='Be "brief".', parameters={"temperature": 0.5, "stop": ["a", "b"]},
                    messages=CHAT, license="MIT", template="{{ .Prompt }}")
        value = self.show("Poet:latest")
        self.assertEqual(value["system"], 'Be "brief".')
        self.assertEqual(value["messages"], CHAT)
        self.assertEqual([line.split(maxsplit=1) for line in value["parameters"].splitlines()],
                         [["temperature", "0.5"], ["stop", '"a"'], ["stop", '"b"']])
        self.assertEqual((value["license"], value["template"]), ("MIT", "{{ .Prompt }}"))
        self.assertEqual(value["details"]["parent_model"], self.gateway.model)
        self.assertEqual(self.show("", 400)["error"], "model is required")
        self.assertEqual(self.show("nope", 404)["error"], "model 'nope' not found")

    def test_names_with_ollamas_registry_mean_the_model_everywhere(self):
        for name in ("library/" + self.gateway.model, "registry.ollama.ai/library/" + self.gateway.model):
            self.show(name)
            for path, body in (("/api/chat", {"messages": CHAT}), ("/api/generate", {"prompt": "Say"}),
                               ("/api/embed", {"input": "Say"})):
                answer = self.gateway.post(path, {"model": name, "stream": False, "options": {"num_predict": 1}, **body})
                self.assertEqual(answer.status, 200, (name, path, answer.body))

    def test_a_named_model_that_cannot_think_is_not_asked_to(self):
        self.create("poet", system="x")
        def ask(name, think):
            return self.gateway.post("/api/chat", {"model": name, "stream": False, "messages": CHAT, "think": think,
                                                   "options": {"num_predict": 1}})
        for name in (self.gateway.model, "poet", "library/poet"):
            for think in (True, "high"):
                answer = ask(name, think)
                self.assertEqual((answer.status, answer.json()["error"]), (400, f'"{name}" does not support thinking'))
            self.assertEqual(ask(name, False).status, 200)
        self.assertEqual(ask("local", True).status, 200)  # a wish: others may answer

    def test_a_copy_outlives_what_it_was_made_of(self):
        self.create("first", system="First.")
        answer = self.gateway.post("/api/copy", {"source": "first", "destination": "second:1b"})
        self.assertEqual((answer.status, answer.body), (200, b""))
        self.addCleanup(self.delete, "second:1b")
        self.delete("first")
        self.assertEqual(self.show("second:1b")["system"], "First.")
        self.create("first")
        for source, destination, status, text in (
                ("nope", "x", 404, 'model "nope" not found'), ("../x", "y", 400, 'source "../x" is invalid'),
                ("first", "../y", 400, 'destination "../y" is invalid'),
                ("first", "claude", 400, 'destination "claude" is invalid')):
            answer = self.gateway.post("/api/copy", {"source": source, "destination": destination})
            self.assertEqual((answer.status, answer.json()["error"]), (status, text))

    def test_delete_takes_the_name_and_leaves_the_shared_file(self):
        self.create("gone")
        self.assertEqual(self.delete("gone").body, b"")
        self.assertEqual(self.delete("gone", 404).json()["error"], "model 'gone' not found")
        self.assertIn("invalid", self.delete("../tiny", 400).json()["error"])
        self.assertIn(self.gateway.model, self.tags())

    def test_create_refuses_what_it_cannot_do(self):
        for body, status, text in (
                ({}, 400, "invalid model name"), ({"model": "../x", "from": "a"}, 400, "invalid model name"),
                ({"model": "x"}, 400, "neither 'from' or 'files' was specified"),
                ({"model": "x", "from": "nope"}, 404, "model 'nope' not found"),
                ({"model": "local", "from": self.gateway.model}, 400, "take another name"),
                ({"model": "x", "from": self.gateway.model, "quantize": "q4_K_M"}, 400, "tophand quantize"),
                ({"model": "x", "from": self.gateway.model, "adapters": {"a": "b"}}, 400, "adapters"),
                ({"model": "x", "files": {"../a.gguf": "sha256:00"}}, 400, "file path must be relative"),
                ({"model": "x", "files": {"a.safetensors": "sha256:00"}}, 400, "safetensors"),
                ({"model": "x", "from": self.gateway.model, "messages": [{"role": "tool", "content": "a"}]}, 400, "role"),
                ({"model": "x", "files": {"a.gguf": "sha256:00"}}, 400, "invalid digest"),
                ({"model": "x", "files": {"a.gguf": "sha256:" + "0" * 64}}, 400, "not found")):
            answer = self.gateway.post("/api/create", {**body, "stream": False})
            self.assertEqual(answer.status, status, answer.body)
            self.assertIn(text, answer.json()["error"])
        # In a stream that has begun the status can no longer change.
        wrong = {"model": "x", "from": self.gateway.model, "parameters": {"temperature": "hot"}}
        last = self.lines("/api/create", wrong)[-1]
        self.assertIn("temperature", last["error"])
        self.assertNotIn("x", self.tags())

    def test_an_uploaded_file_becomes_a_model(self):
        data = self.file.read_bytes() + b"\0" * 77
        digest = "sha256:" + hashlib.sha256(data).hexdigest()
        path = f"/api/blobs/{digest}"
        self.assertEqual(self.gateway.call("HEAD", path).status, 404)
        wrong = self.gateway.call("POST", path, data[:-1], {"content-type": "application/octet-stream"})
        self.assertEqual(wrong.status, 400)
        self.assertIn("digest mismatch", wrong.json()["error"])
        self.assertEqual(self.gateway.call("HEAD", path).status, 404)
        for status in (201, 200):
            answer = self.gateway.call("POST", path, data, {"content-type": "application/octet-stream"})
            self.assertEqual(answer.status, status, answer.body)
        self.assertEqual(self.gateway.call("HEAD", path).status, 200)
        lines = self.lines("/api/create", {"model": "uploaded", "files": {"w.gguf": digest}})
        self.assertEqual(lines[-1], {"status": "success"})
        value = self.gateway.post("/api/chat", {"model": "uploaded", "stream": False, "messages": CHAT,
                                                "options": {"num_predict": 1}}).json()
        self.assertTrue(value["done"])
        self.delete("uploaded")
        self.assertEqual(self.gateway.call("HEAD", path).status, 404)

    def test_an_upload_is_replaced_by_what_is_made_under_its_name(self):
        data = self.file.read_bytes() + b"\0" * 78
        digest = "sha256:" + hashlib.sha256(data).hexdigest()
        self.gateway.call("POST", f"/api/blobs/{digest}", data)
        self.lines("/api/create", {"model": "uploaded", "files": {"w.gguf": digest}})
        self.addCleanup(self.delete, "uploaded")
        self.lines("/api/create", {"model": "uploaded", "from": "uploaded", "system": "x"})
        self.create("second")  # another name for the pulled file
        self.lines("/api/create", {"model": "second", "from": "uploaded"})
        self.assertEqual(self.tags()["second"]["digest"], digest.removeprefix("sha256:"))
        self.lines("/api/create", {"model": "uploaded", "from": self.gateway.model})
        self.assertNotEqual(self.tags()["uploaded"]["digest"], digest.removeprefix("sha256:"))

    def test_an_upload_is_not_held_in_memory(self):
        size = 300 << 20
        data = bytes(size)
        digest = "sha256:" + hashlib.sha256(data).hexdigest()
        status = f"/proc/{self.gateway.process.pid}/status"
        read = lambda: int(next(line.split()[1] for line in open(status, encoding="ascii")
                                if line.startswith("VmHWM")))
        before = read()
        answer = self.gateway.call("POST", f"/api/blobs/{digest}", data)
        self.assertEqual(answer.status, 201)
        self.assertLess(read() - before, 64 << 10)
        (self.gateway.data / "models/blobs" / digest.replace(":", "-")).unlink()

    def test_a_file_that_is_no_model_makes_none(self):
        data = b"GGUF" + bytes(100)
        digest = "sha256:" + hashlib.sha256(data).hexdigest()
        self.assertEqual(self.gateway.call("POST", f"/api/blobs/{digest}", data).status, 201)
        lines = self.lines("/api/create", {"model": "noise", "files": {"w.gguf": digest}})
        self.assertIn("w.gguf", lines[-1]["error"])
        self.assertNotRegex(lines[-1]["error"], r"\n|tophand|blobs|sha256|/")
        self.assertNotIn("noise", self.tags())

    def test_an_installed_file_that_is_damaged_is_told_of_without_its_path(self):
        self.create("damaged")  # keeps the file's record; what is inspected is kept by path and hash
        record = self.gateway.data / "models/damaged.model.json"
        value = json.loads(record.read_text())
        noise = self.gateway.folder / "noise.gguf"
        noise.write_bytes(b"GGUF" + bytes(value["bytes"] - 4))
        record.write_text(json.dumps({**value, "path": str(noise)}))
        error = self.show("damaged", 500)["error"]
        self.assertNotRegex(error, r"\n|tophand|noise|/")
        self.assertIn("the file", error)
        record.write_text(json.dumps(value))

    def test_tags_have_the_details_that_show_has(self):
        details = self.tags()[self.gateway.model]["details"]
        self.assertGreater(details["embedding_length"], 0)
        self.assertEqual(details["embedding_length"], self.show(self.gateway.model)["details"]["embedding_length"])

    def test_names_of_blobs_lead_nowhere(self):
        for name in ("sha256:../../keys", "sha256:" + "A" * 64, "x", "sha256:" + "0" * 63 + "%2f"):
            self.assertIn(self.gateway.call("HEAD", f"/api/blobs/{name}").status, (400, 404))
            self.assertEqual(self.gateway.call("POST", f"/api/blobs/{name}", b"x").status, 400)
        self.assertEqual(self.gateway.call("POST", "/api/blobs/sha256:" + "0" * 64, b"x", key=False).status, 401)

    def test_ps_lists_what_is_loaded_and_until_when(self):
        def ask(**more):
            self.gateway.post("/api/generate", {"model": self.gateway.model, "stream": False, **more})
            return self.gateway.call("GET", "/api/ps").json()["models"]
        (running,) = ask()
        self.assertEqual(running["name"], self.gateway.model)
        self.assertGreater(running["context_length"], 0)
        self.assertEqual(running["size_vram"], 0)
        self.assertTrue(running["expires_at"].startswith("2255"))
        self.assertFalse(ask(keep_alive="10m")[0]["expires_at"].startswith("2255"))
        self.assertTrue(ask(keep_alive=-1)[0]["expires_at"].startswith("2255"))
        ask(keep_alive="50ms")
        wait_until(lambda: not self.gateway.call("GET", "/api/ps").json()["models"], "an unloaded model")
        self.assertEqual(len(ask()), 1)  # and it comes back

    def test_pull_takes_names_of_the_catalogue_only(self):
        lines = self.lines("/api/pull", {"name": "nope:1b"})
        self.assertEqual(lines[0], {"status": "pulling manifest"})
        self.assertIn("pull model manifest: file does not exist", lines[-1]["error"])
        for name in ("/etc/passwd", "http://127.0.0.1:1/x.gguf", "../x"):
            answer = self.gateway.post("/api/pull", {"model": name})
            self.assertNotIn(b"success", answer.body)
        self.assertEqual(self.lines("/api/pull", {"model": self.gateway.model})[-1], {"status": "success"})

    def test_wrong_methods_and_paths(self):
        for method, path, status in (("GET", "/api/show", 405), ("POST", "/api/delete", 405),
                                     ("GET", "/api/create", 405), ("POST", "/api/ps", 405),
                                     ("POST", "/api/me", 404), ("GET", "/api/nope", 404)):
            self.assertEqual(self.gateway.call(method, path, b"{}" if method == "POST" else None).status,
                             status, path)
        self.assertEqual(self.gateway.call("POST", "/api/show", b"").json()["error"], "missing request body")
        self.assertEqual(self.gateway.call("GET", "/api/status").json()["cloud"]["disabled"], True)

    def test_the_command_line_lists_and_removes_profiles(self):
        self.create("listed", system="x")
        said = run_tophand("list", "--data", str(self.gateway.data), env=environment()).stdout
        self.assertRegex(said, rf"listed .*profile of {self.gateway.model}")
        done = run_tophand("rm", "listed", "--data", str(self.gateway.data), env=environment())
        self.assertEqual(done.stdout, "removed listed\n")
        self.assertIn(self.gateway.model, self.tags())


if __name__ == "__main__":
    unittest.main()

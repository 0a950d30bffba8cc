"""The real Ollama behind the gateway, with the same model file as the own engine. Its build takes as long as
all other tests together, so it runs only where it has been built: tests/backends/install.sh ollama"""

import json
import os
import pathlib
import subprocess
import time
import unittest
import urllib.request

import real
from real_cases import HELLO, LIMIT, RealServerCases, RealToolCases, post


def start(folder, path):
    if not os.access(real.CACHE / "bin/ollama", os.X_OK):
        raise unittest.SkipTest("Ollama is not built: tests/backends/install.sh ollama")
    return real.ollama(folder, path, "the-model")


class OllamaTest(RealServerCases, unittest.TestCase):
    kind, model = "ollama", "the-model:latest"
    start_server = staticmethod(start)

    def direct(self):
        answer = post(self.server.url + "/api/chat",
                      {"model": self.model, "messages": [{"role": "user", "content": HELLO[0][1]}], "stream": False,
                       "options": {"num_predict": LIMIT, "temperature": 0, "num_ctx": 2048}})
        return (answer["message"]["content"], answer["done_reason"], answer["prompt_eval_count"],
                answer["eval_count"])

    def loaded(self):
        with urllib.request.urlopen(self.server.url + "/api/ps", timeout=20) as listing:
            return json.loads(listing.read())["models"]

    def busy(self):
        """Whether its runner computes: it has no other way to tell."""
        before = self.runner_ticks()
        time.sleep(0.5)
        return self.runner_ticks() > before + 10

    def runner_ticks(self):
        children = subprocess.run(["pgrep", "-P", str(self.server.process.pid)], capture_output=True, text=True,
                                  check=False).stdout.split()
        stats = [pathlib.Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split() for pid in children]
        return sum(int(stat[11]) + int(stat[12]) for stat in stats)

    def test_every_request_runs_with_the_same_context(self):
        for dialect in ("anthropic", "openai", "ollama"):
            self.assertEqual(self.ask(dialect, HELLO, limit=2).status, 200)
            self.assertEqual([model["context_length"] for model in self.loaded()], [2048])


class OllamaToolsTest(RealToolCases, unittest.TestCase):
    kind, model = "ollama", "the-model:latest"
    start_server = staticmethod(start)


if __name__ == "__main__":
    unittest.main()

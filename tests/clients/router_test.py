"""Claude Code behind claude-code-router, which asks Tophand over Chat Completions."""

import json
import os
import pathlib
import socket
import subprocess
import types
import unittest

from agent_test_case import ROOT, harness
from claude_code_test import ClaudeCodeTest

ROUTER = pathlib.Path(os.environ.get("ROUTER_DIR", ROOT / ".cache/clients/router"))
SCRIPT = ROUTER / "node_modules/@musistudio/claude-code-router/dist/cli.js"
ROUTER_KEY = "sk-of-the-router"


def answers(port):
    try:
        with socket.create_connection(("127.0.0.1", port), 1):
            return True
    except OSError:
        return False


def free_port():
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        return listener.getsockname()[1]


class Router(ClaudeCodeTest):
    def setUp(self):
        super().setUp()
        port = free_port()
        folder = self.home / ".claude-code-router"
        folder.mkdir()
        (folder / "config.json").write_text(json.dumps({
            "HOST": "127.0.0.1", "PORT": port, "APIKEY": ROUTER_KEY, "LOG": False, "NON_INTERACTIVE_MODE": True,
            "Providers": [{"name": "tophand", "api_base_url": f"{self.gateway.url}/v1/chat/completions",
                           "api_key": self.gateway.key, "models": ["claude", "local"]}],
            "Router": {"default": "tophand,claude", "background": "tophand,local"}}))
        with open(self.home / "router.log", "w", encoding="utf-8") as log:
            router = subprocess.Popen(["node", str(SCRIPT), "start"], env=self.environment(),
                                      stdout=log, stderr=log, stdin=subprocess.DEVNULL)
        self.addCleanup(lambda: (router.terminate(), router.wait(20)))
        harness.wait_until(lambda: answers(port), "claude-code-router's port")
        self.router = types.SimpleNamespace(url=f"http://127.0.0.1:{port}", key=ROUTER_KEY)

    def test_claude_code_reads_and_edits_a_file_through_it(self):
        self.scratch_repository()
        path = str(self.folder / "greeting.txt")
        edit = {"file_path": path, "old_string": "world", "new_string": "Tophand"}
        status, result = self.claude(
            f'Change it. [[tool Read {json.dumps({"file_path": path})}]] [[then]] '
            f'[[tool Edit {json.dumps(edit)}]] [[then]] [[tool Bash {{"command":"cat greeting.txt","description":"x"}}]]',
            "--allowedTools", "Read Edit Bash", gateway=self.router)
        self.assertEqual(status, 0, result)
        self.assertIn("Last tool output: hello Tophand", result["result"])
        self.assertEqual((self.folder / "greeting.txt").read_text(), "hello Tophand\n")
        self.assertEqual([(row["backend"], row["dialect"]) for row in self.new_rows()],
                         [("claude", "openai_chat")] * 4)


if __name__ == "__main__":
    unittest.main()

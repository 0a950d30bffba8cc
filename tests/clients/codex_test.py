"""Codex, headless, over the Responses API; with --oss it takes the gateway for an Ollama."""

import json
import sys
import unittest

from agent_test_case import INSTALLED, ROOT, AgentTest, harness

sys.path.insert(0, str(ROOT / "tests/backends"))
import rig  # noqa: E402
from script import Script  # noqa: E402

CODEX = str(INSTALLED / "node_modules/.bin/codex")
QUIET = """approval_policy = "never"
sandbox_mode = "danger-full-access"
check_for_update_on_startup = false
[analytics]
enabled = false
"""
PROVIDER = """model = "claude"
model_provider = "tophand"
""" + QUIET + """[model_providers.tophand]
name = "Tophand"
base_url = "{url}/v1"
env_key = "TOPHAND_TEST_KEY"
wire_api = "responses"
"""


class CodexTest(AgentTest):
    config_toml = QUIET

    def codex(self, prompt, *arguments, **more):
        """-> the items that it completed"""
        folder = self.home / ".codex"
        folder.mkdir()
        (folder / "config.toml").write_text(self.config_toml.format(url=self.gateway.url))
        out = self.succeed(CODEX, "exec", "--json", "--skip-git-repo-check", *arguments, prompt, **more)
        events = [json.loads(line) for line in out.splitlines()]
        self.assertEqual(events[-1]["type"], "turn.completed", events[-1])
        return [event["item"] for event in events if event["type"] == "item.completed"]

    def assert_ran_and_said(self, items, output, text):
        (command,) = [item for item in items if item["type"] == "command_execution"]
        self.assertEqual((command["exit_code"], command["aggregated_output"].strip()), (0, output))
        self.assertEqual([item["text"] for item in items if item["type"] == "agent_message"], [text])


class Codex(CodexTest):
    config_toml = PROVIDER

    def test_runs_a_command_and_finishes(self):
        items = self.codex('Do it. [[tool exec_command {"cmd":"echo OK-$((6*7))"}]] [[then]] [[say All done.]]',
                           TOPHAND_TEST_KEY=self.gateway.key)
        self.assert_ran_and_said(items, "OK-42", "All done.")
        self.assertEqual([(row["backend"], row["dialect"]) for row in self.new_rows()],
                         [("claude", "openai_responses")] * 2)


class CodexOss(CodexTest):
    """It asks for /v1/models, /api/version and /api/tags, then for responses. It has no setting for a
    key: that stands in the address. Its prompt is 7,000 tokens, so the model is a simulated Ollama's."""

    installed = None
    context = 32768

    @classmethod
    def setUpClass(cls):
        cls.ollama = rig.start_simulator("ollama", context=cls.context)
        cls.addClassCleanup(cls.ollama.stop)
        cls.config = (f'[[backends]]\nname = "ws2"\nkind = "ollama"\nurl = "{cls.ollama.url}"\n'
                      f"context_tokens = {cls.context}\n")
        super().setUpClass()
        harness.wait_until(lambda: "ws2/sim:7b" in cls.gateway.call("GET", "/api/tags").body.decode(),
                           "the model in the list")

    def oss(self, model, provider="ollama", prompt="Do it."):
        address = self.gateway.url.replace("//", f"//codex:{self.gateway.key}@")
        return self.codex(prompt, "--oss", "--local-provider", provider, "-m", model,
                          CODEX_OSS_BASE_URL=address + "/v1")

    def test_takes_the_gateway_for_an_lm_studio(self):
        items = self.oss("claude", "lmstudio", 'Do it. [[tool exec_command {"cmd":"echo OK-$((6*7))"}]] '
                                               "[[then]] [[say All done.]]")
        self.assert_ran_and_said(items, "OK-42", "All done.")

    def test_runs_a_command_with_a_model_of_another_machine(self):
        call = ("exec_command", {"cmd": "echo OK-$((6*7))"})
        self.ollama.coming.extend([Script(pieces=(), tools=(call,)), Script(pieces=("All ", "done."))])
        self.assert_ran_and_said(self.oss("ws2/sim:7b"), "OK-42", "All done.")
        self.assertEqual([(row["backend"], row["dialect"]) for row in self.new_rows()],
                         [("ws2", "openai_responses")] * 2)
        self.assertEqual(self.ollama.complaints, [])

    def test_a_model_that_is_nowhere_is_not_answered_by_another(self):
        with self.assertRaises(AssertionError) as failure:
            self.oss("nowhere:1b")
        self.assertIn("nowhere:1b", str(failure.exception))
        self.assertEqual(len(self.all_rows()), self.rows_before)


if __name__ == "__main__":
    unittest.main()

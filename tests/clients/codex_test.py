"""Codex, headless, over the Responses API."""

import json
import unittest

from agent_test_case import INSTALLED, AgentTest

CODEX = str(INSTALLED / "node_modules/.bin/codex")
CONFIG = """model = "claude"
model_provider = "tophand"
approval_policy = "never"
sandbox_mode = "danger-full-access"
check_for_update_on_startup = false
[analytics]
enabled = false
[model_providers.tophand]
name = "Tophand"
base_url = "{url}/v1"
env_key = "TOPHAND_TEST_KEY"
wire_api = "responses"
"""


class Codex(AgentTest):
    def codex(self, prompt, *arguments):
        """-> the items that it completed"""
        folder = self.home / ".codex"
        folder.mkdir()
        (folder / "config.toml").write_text(CONFIG.format(url=self.gateway.url))
        out = self.succeed(CODEX, "exec", "--json", "--skip-git-repo-check", *arguments, prompt,
                           TOPHAND_TEST_KEY=self.gateway.key)
        events = [json.loads(line) for line in out.splitlines()]
        self.assertEqual(events[-1]["type"], "turn.completed", events[-1])
        return [event["item"] for event in events if event["type"] == "item.completed"]

    def test_runs_a_command_and_finishes(self):
        items = self.codex('Do it. [[tool exec_command {"cmd":"echo OK-$((6*7))"}]] [[then]] [[say All done.]]')
        (command,) = [item for item in items if item["type"] == "command_execution"]
        self.assertEqual((command["exit_code"], command["aggregated_output"].strip()), (0, "OK-42"))
        self.assertEqual([item["text"] for item in items if item["type"] == "agent_message"], ["All done."])
        self.assertEqual([(row["backend"], row["dialect"]) for row in self.new_rows()],
                         [("claude", "openai_responses")] * 2)


if __name__ == "__main__":
    unittest.main()

"""opencode, headless, over Chat Completions."""

import json
import unittest

from agent_test_case import INSTALLED, AgentTest

OPENCODE = str(INSTALLED / "node_modules/opencode-linux-x64/bin/opencode")
QUIET = {"OPENCODE_DISABLE_AUTOUPDATE": "1", "OPENCODE_DISABLE_MODELS_FETCH": "1",
         "OPENCODE_DISABLE_LSP_DOWNLOAD": "1", "OPENCODE_DISABLE_DEFAULT_PLUGINS": "1"}


class OpenCode(AgentTest):
    def opencode(self, prompt):
        model = {"limit": {"context": 200000, "output": 4096}}
        (self.folder / "opencode.json").write_text(json.dumps({
            "provider": {"tophand": {
                "npm": "@ai-sdk/openai-compatible", "models": {"claude": model, "local": model},
                "options": {"baseURL": self.gateway.url + "/v1", "apiKey": self.gateway.key}}},
            "model": "tophand/claude", "small_model": "tophand/local"}))
        # An argument with blanks in it would reach the model in quotes.
        return self.succeed(OPENCODE, "run", *prompt.split(" "), **QUIET)

    def test_runs_a_command_and_has_its_title_made_locally(self):
        command = json.dumps({"command": "echo OK-$((6*7)) > made.txt", "description": "Make a file"})
        out = self.opencode(f"Do it. [[tool bash {command}]] [[then]] [[say All done.]]")
        self.assertIn("All done.", out)
        self.assertEqual((self.folder / "made.txt").read_text(), "OK-42\n")
        rows = self.new_rows()
        self.assertEqual([row["backend"] for row in rows if row["priority"] == "high"], ["claude"] * 2)
        self.assertEqual({row["backend"] for row in rows if row["priority"] == "low"}, {"local"})


if __name__ == "__main__":
    unittest.main()

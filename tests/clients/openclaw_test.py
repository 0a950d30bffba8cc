"""OpenClaw, headless, with Tophand as the provider of its main and its small model."""

import json
import unittest

from agent_test_case import AgentTest, program

QUIET = {"OPENCLAW_NO_AUTO_UPDATE": "1", "OPENCLAW_OFFLINE": "1", "OPENCLAW_DISABLE_BONJOUR": "1",
         "DO_NOT_TRACK": "1"}
TOOL = 'Do it. [[tool exec {"command":"echo OK-$((6*7))"}]]'


def model(name, priority=None, context=200000):
    headers = {"headers": {"X-Tophand-Priority": priority}} if priority else {}
    return {"id": name, "name": name, "reasoning": False, "input": ["text"], "maxTokens": 4096,
            "contextWindow": context, **headers}


class OpenClaw(AgentTest):
    def setUp(self):
        super().setUp()
        url, key = self.gateway.url, self.gateway.key
        models = [model("claude", "high"), model("local", "low", 32768)]

        def provider(api, base):
            return {"baseUrl": base, "apiKey": key, "api": api, "models": models}
        self.config_file = self.home / "openclaw.json"
        self.config_file.write_text(json.dumps({
            "telemetry": {"enabled": False}, "update": {"checkOnStart": False},
            "models": {"mode": "merge", "providers": {
                "tophand": provider("openai-completions", f"{url}/v1"),
                "tophand-anthropic": provider("anthropic-messages", url),
                "tophand-responses": provider("openai-responses", f"{url}/v1"),
                "ollama": provider("ollama", url)}},
            "agents": {"defaults": {
                "skipBootstrap": True, "model": {"primary": "tophand/claude"},
                "utilityModel": "tophand/local"}}}))

    def openclaw(self, *arguments):
        out = self.succeed(program("openclaw"), *arguments, "--json",
                           OPENCLAW_CONFIG_PATH=str(self.config_file), **QUIET)
        return json.loads(out[out.index("{"):])

    def test_its_cheapest_call_is_answered_by_the_local_model(self):
        answer = self.openclaw("infer", "model", "run", "--local", "--model", "tophand/local",
                               "--prompt", "Reply with exactly: pong")
        self.assertTrue(answer["ok"], answer)
        self.assertTrue(answer["outputs"][0]["text"].strip())
        self.assertEqual([(row["backend"], row["priority"]) for row in self.new_rows()],
                         [("local", "low")])

    def check_tool_turn(self, provider, dialect):
        answer = self.openclaw("agent", "exec", TOOL, "--model", f"{provider}/claude",
                               "--config", str(self.config_file))
        self.assertIn("Last tool output: OK-42", answer["final"])
        self.assertEqual(answer["toolSummary"], {"calls": 1, "tools": ["exec"], "failures": 0})
        self.assertEqual([(row["backend"], row["dialect"]) for row in self.new_rows()],
                         [("claude", dialect)] * 2)

    def test_runs_a_tool_through_chat_completions(self):
        self.check_tool_turn("tophand", "openai_chat")

    def test_runs_a_tool_through_messages(self):
        self.check_tool_turn("tophand-anthropic", "anthropic_messages")

    def test_runs_a_tool_through_responses(self):
        self.check_tool_turn("tophand-responses", "openai_responses")

    def test_runs_a_tool_through_ollama(self):
        self.check_tool_turn("ollama", "ollama_chat")


if __name__ == "__main__":
    unittest.main()

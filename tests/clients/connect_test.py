"""`tophand connect`: what it writes is read by the real clients, and is taken out to the byte."""

import json
import unittest

from agent_test_case import AgentTest, harness, program
from claude_code_test import QUIET as CLAUDE_QUIET
from codex_test import CODEX
from openclaw_test import QUIET as OPENCLAW_QUIET
from opencode_test import OPENCODE
from opencode_test import QUIET as OPENCODE_QUIET

CLAUDE_SETTINGS = '{\n    "cleanupPeriodDays": 9,\n    "env": {"MINE": "1"}\n}\n'
OPENCLAW_CONFIG = """// my own notes
{
  telemetry: { enabled: false }, update: { checkOnStart: false },
  agents: {
    defaults: { skipBootstrap: true, /* keep */ },
  },
}
"""
OPENCODE_CONFIG = '{\n  // mine\n  "autoupdate": false,\n}\n'


class Connect(AgentTest):
    def tophand(self, *arguments, code=0):
        done = harness.run_tophand(
            *arguments, "--data", str(self.gateway.data),
            env={**self.gateway.env, "HOME": str(self.home)})
        self.assertEqual(done.returncode, code, done.stdout + done.stderr)
        return done.stdout + done.stderr

    def key_names(self):
        return [key["name"] for key in json.loads(self.tophand("keys", "list", "--json"))["keys"]]

    def connect(self, client, *arguments, **more):
        return self.tophand("connect", client, "--config", str(self.gateway.config), *arguments, **more)

    def check_is(self, path, text):
        """None: there is no such file."""
        self.assertEqual(path.read_text() if path.exists() else None, text)

    def check_round_trip(self, client, file, before, use):
        """Connects, lets `use` run the client, connects again, undoes."""
        path = self.home / file
        path.parent.mkdir(parents=True, exist_ok=True)
        if before is not None:
            path.write_text(before)
        url = ("--url", self.gateway.url)
        self.assertIn("say --yes", self.connect(client, *url, code=2))
        self.check_is(path, before)

        shown = self.connect(client, *url, "--yes")
        self.assertIn("+ ", shown)
        if before is not None:
            self.check_is(path.parent / (path.name + ".before-tophand"), before)
        self.assertIn(f"connect {client}", self.key_names())
        key = json.loads((self.gateway.data / "connect" / f"{client}.json").read_text())["key"]
        self.assertNotIn(key, shown)
        after = path.read_text()
        use()
        self.assertEqual({row["key_id"] != "cli" for row in self.new_rows()}, {True})

        path.write_text(after)  # clients may write to their own file
        self.assertIn("connected already", self.connect(client, *url, "--yes"))
        self.assertEqual(path.read_text(), after)

        self.connect(client, "--undo", "--yes")
        self.check_is(path, before)
        self.assertNotIn(f"connect {client}", self.key_names())
        self.connect(client, "--undo", "--yes", code=3)

    def test_claude_code(self):
        def use():
            out = self.succeed(program("claude"), "-p", "Hi [[say connected]]", **CLAUDE_QUIET)
            self.assertEqual(out.strip(), "connected")
            self.assertEqual([row["task_class"] for row in self.new_rows()], ["main"])
        self.check_round_trip("claude-code", ".claude/settings.json", CLAUDE_SETTINGS, use)

    def test_openclaw(self):
        def use():
            out = self.succeed(program("openclaw"), "agent", "exec", "Hi [[say connected]]", "--config",
                               str(self.home / ".openclaw/openclaw.json"), "--json", **OPENCLAW_QUIET)
            self.assertEqual(json.loads(out[out.index("{"):])["final"], "connected")
            self.assertEqual({row["backend"] for row in self.new_rows()}, {"claude"})
        self.check_round_trip("openclaw", ".openclaw/openclaw.json", OPENCLAW_CONFIG, use)

    def test_opencode(self):
        def use():
            out = self.succeed(OPENCODE, "run", "Hi [[say connected]]", **OPENCODE_QUIET)
            self.assertIn("connected", out)
            rows = self.new_rows()
            self.assertIn("claude", {row["backend"] for row in rows}, rows)
        self.check_round_trip("opencode", ".config/opencode/opencode.json", OPENCODE_CONFIG, use)

    def test_codex(self):
        def use():
            out = self.succeed(CODEX, "exec", "--json", "--skip-git-repo-check", "--profile", "tophand",
                               "Hi [[say connected]]")
            said = [event["item"]["text"] for event in map(json.loads, out.splitlines())
                    if event["type"] == "item.completed" and event["item"]["type"] == "agent_message"]
            self.assertEqual(said, ["connected"])
            self.assertEqual({(row["backend"], row["dialect"]) for row in self.new_rows()},
                             {("claude", "openai_responses")})
        self.check_round_trip("codex", ".codex/tophand.config.toml", None, use)


if __name__ == "__main__":
    unittest.main()

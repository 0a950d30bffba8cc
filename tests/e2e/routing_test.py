"""Rules, tiers and egress of a running gateway; dry runs, replays, and a configuration that changes."""

import json
import os
import signal
import subprocess
import unittest

from harness import TOPHAND, Stage, run_tophand, wait_until

ASK = {"model": "auto", "max_tokens": 16, "messages": [{"role": "user", "content": "Hi"}]}
LOCAL_ONLY = {"x-tophand-egress": "local-only"}
RULES = """
[[rules]]
name = "thrift"
when.class = "review"
tier = "small"
[[rules]]
name = "secret"
when.agent = "vault-*"
egress = "local-only"
"""


def cli(gateway, *arguments, **more):
    return run_tophand(*arguments, "--data", str(gateway.data), "--config", str(gateway.config),
                       env=gateway.env, **more)


class Routing(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.stage = Stage()
        cls.addClassCleanup(cls.stage.close)
        cls.claude = cls.stage.simulator()
        cls.gateway = cls.stage.gateway(cls.claude.url, config=RULES)

    def ask(self, headers=None, body=None, priority=None):
        answer = self.gateway.post("/v1/messages", body or ASK, priority, headers=headers or {})
        self.assertEqual(answer.status, 200, answer.body)
        return answer

    def test_a_rule_chooses_the_tier_and_the_ledger_says_so(self):
        answer = self.ask({"x-task-class": "review", "x-tophand-agent": "monday",
                           "x-claude-code-session-id": "s-1"})
        self.assertEqual(answer.headers["x-tophand-model"], "claude-haiku-5-5")
        self.assertIn("rule thrift", answer.headers["x-tophand-reason"])
        row = self.gateway.rows(answer.headers["x-request-id"])[0]
        self.assertEqual((row["tier"], row["class_source"], row["agent"], row["session"]),
                         ("small", "declared", "monday", "s-1"))

    def test_the_families_are_names_of_the_tiers(self):
        for name, model in (("haiku", "claude-haiku-5-5"), ("sonnet", "claude-sonnet-5-5"),
                            ("opus", "claude-opus-5-5")):
            self.assertEqual(self.ask(body={**ASK, "model": name}).headers["x-tophand-model"], model)

    def test_what_is_local_only_never_reaches_claude(self):
        before = len(self.claude.requests())
        for headers in (LOCAL_ONLY, {"x-tophand-agent": "vault-1"}):
            for body in (ASK, {**ASK, "model": "claude-opus-5-5"}, {**ASK, "model": "opus"}):
                answer = self.ask(headers, body, priority="high")
                self.assertEqual(answer.headers["x-tophand-backend"], "local")
        image = {"type": "image", "source": {"type": "base64", "media_type": "image/png", "data": "aGk="}}
        with_image = {**ASK, "messages": [{"role": "user", "content": [image]}]}
        self.assertEqual(self.gateway.post("/v1/messages", with_image, headers=LOCAL_ONLY).status, 400)
        self.assertEqual(len(self.claude.requests()), before)
        self.ask(body=ASK, priority="high")  # the control: without the word it leaves
        self.assertEqual(len(self.claude.requests()), before + 1)

    def test_a_tool_loop_stays_with_its_model(self):
        tools = [{"name": "f", "description": "d", "input_schema": {"type": "object"}}]

        def begun(text):
            return {**ASK, "tools": tools, "messages": [{"role": "user", "content": text}]}

        def going_on(text):
            call = {"type": "tool_use", "id": "toolu_1", "name": "f", "input": {}}
            result = {"type": "tool_result", "tool_use_id": "toolu_1", "content": "ok"}
            return {**begun(text), "messages": [*begun(text)["messages"],
                                                {"role": "assistant", "content": [call]},
                                                {"role": "user", "content": [result]}]}

        self.ask(body=begun("a loop"), priority="high")
        answer = self.ask(body=going_on("a loop"), priority="low")
        self.assertEqual(answer.headers["x-tophand-backend"], "claude")
        self.assertEqual(answer.headers["x-tophand-attempts"], "1")
        self.assertIn("in a tool loop", answer.headers["x-tophand-reason"])
        control = self.ask(body=going_on("another loop, never begun"), priority="low")
        self.assertNotIn("in a tool loop", control.headers["x-tophand-reason"])

    def test_a_dry_run_shows_every_rule_and_sends_nothing(self):
        before = len(self.claude.requests())
        path = self.gateway.folder / "body.json"
        path.write_text(json.dumps({**ASK, "model": "opus"}))
        done = cli(self.gateway, "explain", "--dry-run", str(path), "--header", "x-task-class: review")
        self.assertEqual(done.returncode, 0, done.stderr)
        self.assertIn("claude-haiku-5-5 at claude (tier small)", done.stdout)
        self.assertIn("+ rules    thrift", done.stdout)
        done = cli(self.gateway, "explain", "--dry-run", str(path), "--header", "x-tophand-agent: vault-9",
                   "--header", "x-task-class: qa", "--json")
        told = json.loads(done.stdout)
        self.assertEqual(told["dialect"], "anthropic_messages")
        self.assertEqual(told["decision"]["egress"], "local-only")
        rules = [(line["name"], line["matched"]) for line in told["decision"]["trace"]
                 if line["step"] == "rules" and line["name"]]
        self.assertEqual(rules, [("thrift", False), ("secret", True)])
        self.assertEqual(len(self.claude.requests()), before)

    def test_a_dry_run_tells_of_a_refusal(self):
        done = cli(self.gateway, "explain", "--dry-run", "-",
                   text_in=json.dumps({**ASK, "model": "gpt-9"}))
        self.assertEqual(done.returncode, 0, done.stderr)
        self.assertIn("refused  404 not_found: model 'gpt-9' not found", done.stdout)
        self.assertEqual(cli(self.gateway, "explain", "--dry-run", "-", text_in="{").returncode, 2)

    def test_a_replay_says_what_another_policy_would_have_cost(self):
        self.ask(body={**ASK, "model": "opus"})
        self.gateway.rows()
        policy = self.gateway.folder / "new.toml"
        policy.write_text(f'[models]\nlocal = "{self.gateway.model}"\n'
                          '[[rules]]\nwhen.model = "opus"\ntier = "small"\n')
        arguments = ["replay", "--policy", str(policy), "--data", str(self.gateway.data)]
        told = json.loads(run_tophand(*arguments, "--json", "--list", env=self.gateway.env).stdout)
        moved = [one for one in told["list"] if one["from"] == "claude-opus-5-5 (hard)"
                 and one["to"] == "claude-haiku-5-5 (small)"]
        self.assertTrue(moved)
        for one in moved:
            row = self.gateway.rows(one["request_id"])[-1]
            self.assertEqual(one["cost_was_nano_usd"],
                             row["input_tokens"] * 4000 + row["output_tokens"] * 20000)
            self.assertEqual(one["cost_is_nano_usd"],
                             row["input_tokens"] * 100 + row["output_tokens"] * 500)
        again = json.loads(run_tophand(*arguments, "--json", "--list", env=self.gateway.env).stdout)
        self.assertEqual(again, told)
        self.assertIn("cost     was", run_tophand(*arguments, env=self.gateway.env).stdout)


class EveryLocalModelDown(unittest.TestCase):
    """No worker can start, and low priority would go up to Claude for that."""

    def setUp(self):
        self.stage = Stage()
        self.addCleanup(self.stage.close)
        self.claude = self.stage.simulator()
        self.gateway = self.stage.gateway(
            self.claude.url, config='[routing]\nescalate = "failed"\n'
            '[[backends]]\nname = "dead"\nkind = "ollama"\nurl = "http://127.0.0.1:9"\n'
            'local_model = "m"\n')
        self.gateway.stop()
        with open(self.gateway.data / f"models/{self.gateway.model}.gguf", "r+b") as model:
            model.write(b"\0" * 4096)
        self.gateway.start()

    def test_local_only_is_a_503_that_says_so_and_claude_sees_nothing(self):
        for path, body in (("/v1/messages", ASK), ("/v1/chat/completions", ASK),
                           ("/v1/messages", {**ASK, "stream": True}),
                           ("/v1/responses", {"model": "opus", "input": "Hi"})):
            answer = self.gateway.post(path, body, headers=LOCAL_ONLY)
            self.assertEqual(answer.status, 503, answer.body)
            self.assertIn(b"must not leave", answer.body)
        self.assertEqual(self.claude.requests(), [])
        control = self.gateway.post("/v1/messages", ASK)
        self.assertEqual((control.status, control.headers["x-tophand-backend"]), (200, "claude"))
        self.assertEqual(len(self.claude.requests()), 1)


class Reload(unittest.TestCase):
    def setUp(self):
        self.stage = Stage()
        self.addCleanup(self.stage.close)
        self.claude = self.stage.simulator()
        self.gateway = self.stage.gateway(self.claude.url)
        self.text = self.gateway.config.read_text()

    def write(self, text):
        new = self.gateway.config.with_suffix(".new")
        new.write_text(text)
        os.replace(new, self.gateway.config)

    def told(self):
        return self.gateway.call("GET", "/tophand/v1/status").json()

    def test_a_changed_file_is_taken_and_an_invalid_one_changes_nothing(self):
        self.assertEqual(self.told()["default_priority"], "low")
        self.write(self.text + '[routing]\ndefault_priority = "high"\n[server]\nconnections_max = 9\n')
        wait_until(lambda: self.told()["default_priority"] == "high", "the new priority", 20)
        self.assertEqual(self.told()["configuration"]["needs_restart"], ["server.connections_max"])
        answer = self.gateway.post("/v1/messages", ASK)
        self.assertEqual(answer.headers["x-tophand-backend"], "claude")

        self.write(self.text + '[[rules]]\nwhen.class = "git_comit"\ntier = "local"\n')
        error = wait_until(lambda: self.told()["configuration"]["error"], "the fault", 20)
        self.assertIn("did you mean 'git_commit'?", error)
        self.assertEqual(self.told()["default_priority"], "high")
        self.assertIn("config.not_reloaded", self.gateway.log_path.read_text())

        self.write("a." * 100_000 + "a = 1\n")
        wait_until(lambda: "a key of at most" in self.told()["configuration"]["error"], "the fault", 20)

        self.write(self.text)
        wait_until(lambda: self.told()["default_priority"] == "low", "the old priority", 20)
        self.assertEqual(self.told()["configuration"]["error"], "")

    def test_a_cap_holds_from_the_moment_it_is_read(self):
        self.assertEqual(self.gateway.post("/v1/messages", ASK, priority="high").status, 200)
        self.write(self.text + "[budget]\nweek_usd = 0.000001\n")
        self.gateway.process.send_signal(signal.SIGHUP)
        wait_until(lambda: self.gateway.post("/v1/messages", ASK, priority="high").status == 402,
                   "the refusal", 20)
        self.assertEqual(self.told()["configuration"]["needs_restart"], [])

    def test_a_file_that_changes_while_it_starts_is_taken(self):
        """It says where it listens before it looks for changes: a full pipe holds it up between the two."""
        self.gateway.stop()
        out, into = os.pipe()
        os.set_blocking(into, False)
        with self.assertRaises(BlockingIOError):
            while True:
                os.write(into, b"x")
        os.set_blocking(into, True)
        command = ["serve", "--listen", f"127.0.0.1:{self.gateway.port}", "--config", str(self.gateway.config),
                   "--data", str(self.gateway.data)]
        process = subprocess.Popen([TOPHAND, *command], env=self.gateway.env, stdout=into, stderr=subprocess.DEVNULL)
        os.close(into)
        try:
            wait_until(self.is_up, "the gateway", 20)
            self.write(self.text + '[routing]\ndefault_priority = "high"\n')
            while b"listening" not in os.read(out, 4096):
                pass
            self.gateway.key = (self.gateway.data / "run/cli-key").read_text().strip()
            wait_until(lambda: self.told()["default_priority"] == "high", "the new priority", 20)
        finally:
            process.terminate()
            process.wait(30)
            os.close(out)

    def is_up(self):
        try:
            return self.gateway.call("GET", "/healthz").status == 200
        except OSError:
            return False

    def test_hangup_reads_it_at_once(self):
        self.write(self.text + "[[rules]]\ntier = \"local\"\n[[rules]]\ntier = \"hard\"\n")
        self.gateway.process.send_signal(signal.SIGHUP)
        wait_until(lambda: self.told()["rules"] == 2, "two rules", 20)
        self.assertIn("never reached", self.told()["configuration"]["warnings"][0])

    def test_config_check_names_the_fault_and_warns(self):
        self.write(self.text + "[[rules]]\ntier = \"local\"\n[[rules]]\nname = \"b\"\ntier = \"hard\"\n")
        done = run_tophand("config", "check", str(self.gateway.config))
        self.assertEqual(done.returncode, 0, done.stderr)
        self.assertIn("warning: rule 'b': never reached", done.stdout)
        self.write(self.text + "[[rules]]\nwhen.clas = \"qa\"\n")
        done = run_tophand("config", "check", str(self.gateway.config))
        self.assertEqual(done.returncode, 2)
        self.assertIn("did you mean `rules.when.class`?", done.stderr)


if __name__ == "__main__":
    unittest.main()

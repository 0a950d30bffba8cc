"""Claude Code, headless, with Tophand as its API."""

import json
import subprocess
import unittest

from agent_test_case import MODEL, AgentTest, harness, program

QUIET = {"DISABLE_TELEMETRY": "1", "DISABLE_ERROR_REPORTING": "1", "DISABLE_AUTOUPDATER": "1",
         "CLAUDE_CODE_DISABLE_NONESSENTIAL_TRAFFIC": "1"}

# With tools a small model may well answer a greeting by a call, and the agent asks once more.
TEXT_ONLY = ("--bare", "--tools", "")

# The client asks for a temperature of 1, at which so small a model does not always stop by itself: with some prompts it
# goes on to the limit, where the client asks it to go on, or calls it an error. Then another question is asked.
QUESTIONS = ("What is 2+2? One word.", "Hi", "Thanks!", "Name a colour.", "Is water wet? Yes or no.", "Good night.",
             "Who are you?", "Say yes.")
SHORT = "256"  # tokens of output: so many are soon made where the model does not stop


class ClaudeCodeTest(AgentTest):
    def claude(self, *arguments, gateway=None, **more):
        """-> (exit status, the result object)"""
        gateway = gateway or self.gateway
        done = self.run_agent(program("claude"), "-p", *arguments, "--output-format", "json",
                              ANTHROPIC_BASE_URL=gateway.url, ANTHROPIC_AUTH_TOKEN=gateway.key,
                              CLAUDE_CODE_GATEWAY_HINT_HEADERS="1", **QUIET, **more)
        try:
            return done.returncode, json.loads(done.stdout)
        except json.JSONDecodeError:
            self.fail(f"exit {done.returncode}: {done.stdout}{done.stderr}")

    def answered_by_the_local_model(self, *arguments, mark="", **more):
        """-> the rows of the first question that was answered to its end; `mark` goes behind each question"""
        for question in QUESTIONS:
            before = len(self.all_rows())
            status, result = self.claude(question + mark, *arguments, CLAUDE_CODE_MAX_OUTPUT_TOKENS=SHORT, **more)
            rows = self.gateway.rows()[before:]
            if status == 0 and len({row["request_id"] for row in rows}) == 1:
                self.assertTrue(result["result"].strip())
                return rows
        self.fail(f"no answer ended by itself; the last: {result}, {rows}")

    def scratch_repository(self):
        subprocess.run(["git", "init", "-q"], cwd=self.folder, check=True)
        (self.folder / "greeting.txt").write_text("hello world\n")


class ClaudeCode(ClaudeCodeTest):
    def test_reads_and_edits_a_file_by_tool_calls_and_finishes(self):
        self.scratch_repository()
        path = str(self.folder / "greeting.txt")
        edit = {"file_path": path, "old_string": "world", "new_string": "Tophand"}
        status, result = self.claude(
            f'Change it. [[tool Read {json.dumps({"file_path": path})}]] [[then]] '
            f'[[tool Edit {json.dumps(edit)}]] [[then]] [[say All done.]]',
            "--allowedTools", "Read Edit")
        self.assertEqual((status, result["result"]), (0, "All done."))
        self.assertEqual((self.folder / "greeting.txt").read_text(), "hello Tophand\n")
        rows = self.new_rows()
        self.assertEqual([(row["backend"], row["priority"], row["task_class"]) for row in rows],
                         [("claude", "high", name) for name in ("main", "tool_loop", "tool_loop")])
        # What the client counted is what the ledger counted.
        self.assertEqual(result["usage"]["output_tokens"], sum(row["output_tokens"] for row in rows))

    def test_sends_a_sub_agent_and_takes_its_answer(self):
        work = {"description": "look", "prompt": "Look. [[say The sub-agent was here.]]",
                "subagent_type": "general-purpose", "run_in_background": False}
        status, result = self.claude(f"Go. [[tool Agent {json.dumps(work)}]]", "--allowedTools", "Agent")
        self.assertEqual(status, 0)
        self.assertIn("The sub-agent was here.", result["result"])
        self.assertEqual([row["task_class"] for row in self.new_rows()], ["main", "subagent", "tool_loop"])

    def test_bare_with_the_local_model_answers_text(self):
        rows = self.answered_by_the_local_model("--bare", "--model", "local")
        self.assertEqual([(row["backend"], row["model"]) for row in rows], [("local", self.gateway.model)])

    def test_bare_runs_a_tool(self):
        status, result = self.claude('x [[tool Bash {"command":"echo OK-$((6*7))","description":"x"}]]',
                                     "--bare", "--allowedTools", "Bash")
        self.assertEqual(status, 0, result)
        self.assertIn("Last tool output: OK-42", result["result"])

    def test_context_counts_many_parts_at_once(self):
        before = len(self.simulator.requests("/v1/messages/count_tokens"))
        status, result = self.claude("/context", ANTHROPIC_CUSTOM_HEADERS="X-Tophand-Priority: high")
        self.assertEqual(status, 0)
        self.assertIn("Context Usage", result["result"])
        counted = len(self.simulator.requests("/v1/messages/count_tokens")) - before
        self.assertGreaterEqual(counted, 10)

    def test_its_own_header_sends_everything_to_the_local_model(self):
        rows = self.answered_by_the_local_model(*TEXT_ONLY, ANTHROPIC_CUSTOM_HEADERS="X-Tophand-Priority: low")
        self.assertEqual([row["backend"] for row in rows], ["local"])
        self.assertEqual(self.asked_of_claude(), [])

    def test_an_unknown_model_is_said_at_once(self):
        status, result = self.claude("Hi", "--bare", "--model", "no-such-model")
        self.assertEqual(status, 1)
        self.assertIn("no-such-model", result["result"])
        self.assertEqual(self.asked_of_claude(), [])


class Faults(ClaudeCodeTest):
    """A gateway that may answer locally when Claude cannot, and a Claude that fails as it is told to."""

    config = "[claude]\nallow_local_fallback = true\n"

    def test_an_overloaded_claude_is_answered_for_locally_in_one_request(self):
        rows = self.answered_by_the_local_model(*TEXT_ONLY, mark=" [[fail 529]]")
        self.assertEqual([row["backend"] for row in rows], ["claude", "local"])


class Recovery(ClaudeCodeTest):
    """Claude fails now and then; the agent gets its answer all the same."""

    simulator_arguments = ("--fail", "529,ok,500,ok,cut,ok,mid:overloaded_error,ok")

    def test_passing_faults_of_claude_are_recovered(self):
        for fault in ("529", "500", "cut", "mid"):
            with self.subTest(fault):
                status, result = self.claude(f"Hi [[say after {fault}]]", "--bare")
                self.assertEqual((status, result["result"]), (0, f"after {fault}"))

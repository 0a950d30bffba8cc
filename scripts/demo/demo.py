"""The demonstration: see scripts/demo.sh. Python standard library only."""

import argparse
import json
import os
import pathlib
import shutil
import subprocess
import sys
import tempfile
import time
import urllib.error
import urllib.request

import gateway as services
import tasks

HERE = pathlib.Path(__file__).resolve().parent


class Outcome:
    def __init__(self, task, kind):
        self.task, self.kind = task, kind
        self.text = self.fault = self.backend = self.model = self.request_id = ""
        self.first_ms = self.duration_ms = self.input_tokens = self.output_tokens = 0


class Client:
    """Talks to the gateway as an agent would: OpenAI chat completions, streamed."""

    def __init__(self, url, key):
        self.url, self.key = url, key

    def open(self, path, body=None, headers=None):
        request = urllib.request.Request(
            self.url + path, data=None if body is None else json.dumps(body).encode(),
            headers={"Authorization": "Bearer " + self.key, "Content-Type": "application/json",
                     **(headers or {})})
        return urllib.request.urlopen(request, timeout=900)

    def chat(self, outcome, messages, priority, max_tokens, temperature=0):
        body = {"model": "auto", "messages": messages, "max_tokens": max_tokens, "stream": True,
                "stream_options": {"include_usage": True}}
        if temperature is not None:
            body["temperature"] = temperature
        start = time.monotonic()
        try:
            with self.open("/v1/chat/completions", body,
                           {"X-Tophand-Priority": priority, "X-Task-Class": outcome.kind}) as response:
                self.read_stream(response, outcome, start)
        except urllib.error.HTTPError as error:
            outcome.fault = f"HTTP {error.code}: {error.read(400).decode(errors='replace')}"
        except OSError as error:
            outcome.fault = str(error)
        outcome.duration_ms = int((time.monotonic() - start) * 1000)
        return outcome

    @staticmethod
    def read_stream(response, outcome, start):
        outcome.backend = response.headers.get("x-tophand-backend", "?")
        outcome.model = response.headers.get("x-tophand-model", "?")
        outcome.request_id = response.headers.get("request-id", "")
        for line in response:
            if not line.startswith(b"data: ") or line.strip() == b"data: [DONE]":
                continue
            chunk = json.loads(line[6:])
            if "error" in chunk:
                outcome.fault = chunk["error"].get("message", "error")
                return
            if chunk.get("usage"):
                outcome.input_tokens = chunk["usage"]["prompt_tokens"]
                outcome.output_tokens = chunk["usage"]["completion_tokens"]
            for choice in chunk.get("choices", []):
                piece = choice.get("delta", {}).get("content") or ""
                if piece and not outcome.text:
                    outcome.first_ms = int((time.monotonic() - start) * 1000)
                outcome.text += piece


class Demo:
    def __init__(self, tophand, client, data_dir, repo):
        self.tophand, self.client, self.data_dir, self.repo = tophand, client, data_dir, repo
        self.outcomes = []

    def say(self, text=""):
        print(text, flush=True)

    def finish(self, outcome, shown=None):
        self.outcomes.append(outcome)
        mark = "FAILED: " + outcome.fault if outcome.fault else "ok"
        self.say(f"\n== {outcome.task} [{outcome.kind}] {mark}")
        for line in (shown if shown is not None else outcome.text).strip().splitlines():
            self.say("   " + line)

    def git(self, *arguments):
        subprocess.run(["git", "-C", str(self.repo), *arguments], check=True, stdout=subprocess.DEVNULL)

    def commit(self, title, patch):
        """Stages a real change and lets `tophand commit` write the message and commit."""
        if patch:
            self.git("apply", "--index", str(HERE / patch))
        else:
            self.git("add", "-A")
        outcome = Outcome(title, "git_commit")
        run = subprocess.run([self.tophand, "commit", "--apply", "--json", "--repo", str(self.repo),
                              "--data", str(self.data_dir)],
                             env={**os.environ, "TOPHAND_URL": self.client.url,
                                  "TOPHAND_KEY": self.client.key},
                             capture_output=True, text=True)
        if not run.stdout.strip():
            outcome.fault = run.stderr.strip() or f"exit code {run.returncode}"
            return self.finish(outcome)
        answer = json.loads(run.stdout)
        outcome.text = answer["message"]
        outcome.backend, outcome.model = answer["backend"], answer["model"]
        outcome.request_id = answer["request_id"]
        outcome.first_ms, outcome.duration_ms = answer["first_token_ms"], answer["duration_ms"]
        outcome.input_tokens, outcome.output_tokens = answer["input_tokens"], answer["output_tokens"]
        if not answer["accepted"]:
            outcome.fault = "; ".join(answer["findings"])
        self.finish(outcome)
        if not answer["committed"]:  # the next task needs a clean tree
            self.git("commit", "--quiet", "--message", "demo: keep the change")

    def summary(self):
        text = (self.repo / "README.md").read_text()
        outcome = self.client.chat(Outcome("Summarise the README", "doc_update"), tasks.conversation(
            tasks.README_SYSTEM, tasks.README_EXAMPLES, text), "low", 120)
        outcome.fault = outcome.fault or tasks.check_summary(outcome.text)
        self.finish(outcome)

    def message(self):
        outcome = self.client.chat(Outcome("Coordination message", "coordination"), tasks.conversation(
            tasks.MESSAGE_SYSTEM, tasks.MESSAGE_EXAMPLES, tasks.MESSAGE_REQUEST), "low", 120)
        outcome.fault = outcome.fault or tasks.check_message(outcome.text)
        self.finish(outcome)

    def question(self, number, question, expected):
        outcome = self.client.chat(Outcome(f"Question {number}", "qa"),
                                   [{"role": "user", "content": question}], "low", 80)
        outcome.fault = outcome.fault or tasks.check_answer(outcome.text, expected)
        self.finish(outcome, f"{question}\n{outcome.text}")

    def edit(self):
        path, name = self.repo / "tally/reader.py", "read_lines"
        source, _, _ = tasks.function_source(path, name)
        request = f"Instruction: {tasks.EDIT_INSTRUCTION}\n\n```python\n{source}\n```"
        outcome = self.client.chat(Outcome(f"Edit {name}()", "file_edit"), tasks.conversation(
            tasks.EDIT_SYSTEM, tasks.EDIT_EXAMPLES, request), "low", 400)
        shown = outcome.text
        if not outcome.fault:
            function, outcome.fault = tasks.extract_function(outcome.text, name)
            if function:
                shown = tasks.apply_edit(path, name, function)
        self.finish(outcome, shown)
        return not outcome.fault

    def design(self, simulated):
        outcome = self.client.chat(Outcome("Design question", "reasoning"),
                                   [{"role": "user", "content": tasks.DESIGN_QUESTION}], "high", 600, None)
        outcome.fault = outcome.fault or ("" if outcome.text.strip() else "it is empty")
        if simulated:
            outcome.model += " (SIMULATOR)"
        self.finish(outcome)

    def run(self, simulated):
        self.commit("Commit message, a fix", "1-validate-discount.patch")
        self.commit("Commit message, documentation", "2-exit-codes.patch")
        self.summary()
        self.message()
        for number, (question, expected) in enumerate(tasks.QUESTIONS, 1):
            self.question(number, question, expected)
        if self.edit():
            self.commit("Commit message, the edit", None)
        self.design(simulated)


def usd(nano):
    return "$0" if not nano else f"${nano / 1e9:.6f}"


def ledger_rows(client):
    """Cost and counterfactual of every request, from the gateway's own ledger."""
    with client.open("/tophand/v1/requests?limit=200") as response:
        rows = {}
        for row in json.load(response)["requests"]:
            cost, other = rows.get(row["request_id"], (0, 0))
            rows[row["request_id"]] = (cost + row["cost_nano_usd"],
                                       other + row["counterfactual_nano_usd"])
        return rows


def print_table(outcomes, costs):
    rows = [("task", "class", "where", "model", "first token", "tok/s", "tokens in+out", "cost",
             "on Claude", "check")]
    for o in outcomes:
        decode_s = (o.duration_ms - o.first_ms) / 1000
        rate = f"{(o.output_tokens - 1) / decode_s:.1f}" if o.output_tokens > 2 and decode_s > 0 else "-"
        cost, counterfactual = costs.get(o.request_id, (0, 0))
        rows.append((o.task, o.kind, o.backend or "-", o.model or "-", f"{o.first_ms / 1000:.2f} s", rate,
                     f"{o.input_tokens}+{o.output_tokens}", usd(cost),
                     usd(counterfactual) if o.backend == "local" else "(same)",
                     "FAILED" if o.fault else "ok"))
    widths = [max(len(row[i]) for row in rows) for i in range(len(rows[0]))]
    for index, row in enumerate(rows):
        print("  ".join(cell.ljust(width) for cell, width in zip(row, widths)).rstrip())
        if index == 0:
            print("  ".join("-" * width for width in widths))


# `tophand commit` commits as the user does: who has told git no name, or has it sign and run hooks,
# is not asked for that here.
OWN_SETTINGS = {"user.name": "Demo", "user.email": "demo@example.invalid", "commit.gpgSign": "false",
                "core.hooksPath": "/dev/null"}


def make_repository(folder):
    shutil.copytree(HERE / "tally", folder)
    for arguments in (["init", "--quiet"], *(["config", name, value] for name, value in OWN_SETTINGS.items()),
                      ["add", "-A"], ["commit", "--quiet", "--message", "chore: start tally"]):
        subprocess.run(["git", "-C", str(folder), *arguments], check=True)
    return folder


def closing_lines(tophand, scratch, client, failed, total):
    saved = subprocess.run([tophand, "savings", "--data", str(scratch / "data")], text=True,
                           capture_output=True, env={**os.environ, "TOPHAND_URL": client.url,
                                                     "TOPHAND_KEY": client.key})
    print("\n" + (saved.stdout.strip() or saved.stderr.strip()))
    print(f"\n{total - failed} of {total} tasks passed their check"
          + (f"; {failed} FAILED, shown above as they came" if failed else "") + ".")
    print("\nWhere to look next: docs/architecture.md for how it works, `tophand serve` to point agents\n"
          "at it, `tophand ask`, `tophand run local` and `tophand commit` for yourself, `tophand doctor`\n"
          "when something is off.")


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--tophand", required=True)
    parser.add_argument("--model", help="an installed model in place of the default one")
    args = parser.parse_args()
    tophand = str(pathlib.Path(args.tophand).resolve())
    scratch = pathlib.Path(tempfile.mkdtemp(prefix="tophand-demo-"))
    running = []
    try:
        simulated = not os.environ.get("ANTHROPIC_API_KEY")
        claude_url = None
        if simulated:
            simulator, claude_url = services.start_simulator(scratch)
            running.append(simulator)
            print("ANTHROPIC_API_KEY is not set: the one high-priority question goes to the bundled\n"
                  "simulator of the Claude API. It is test equipment; its answer is not Claude's.")
        else:
            print("ANTHROPIC_API_KEY is set: the one high-priority question goes to the Claude API and\n"
                  "costs about a cent.")
        gateway, url, key = services.start_gateway(tophand, scratch, claude_url, args.model)
        running.append(gateway)
        print(f"Gateway at {url}; loading the local model", end=" ", flush=True)
        print(f"({services.wait_for_model(url):.1f} s)")
        demo = Demo(tophand, Client(url, key), scratch / "data", make_repository(scratch / "tally"))
        demo.run(simulated)
        print()
        print_table(demo.outcomes, ledger_rows(demo.client))
        failed = sum(1 for outcome in demo.outcomes if outcome.fault)
        closing_lines(tophand, scratch, demo.client, failed, len(demo.outcomes))
    finally:
        for service in reversed(running):
            service.stop()
        shutil.rmtree(scratch, ignore_errors=True)
    return 0


if __name__ == "__main__":
    sys.exit(main())

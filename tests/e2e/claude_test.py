"""High-priority work goes to the Claude API (here: the simulator), unchanged, and is paid for to the
nano-dollar. Every expected cost is worked out here from prices/anthropic.json."""

import hashlib
import json
import unittest
from fractions import Fraction

import streams
from harness import CLAUDE_KEY, ROOT, Stage, run_tophand

MODEL = "claude-opus-5-5"
PRICES = {model["id"]: model for model in json.loads((ROOT / "prices/anthropic.json").read_text())["models"]}


def cost_of(model, usage):
    """Nano-dollars, exactly: dollars per million tokens are thousands of nano-dollars a token."""
    price = PRICES[model]
    written = usage.get("cache_creation") or {}
    counts = {"input": usage["input_tokens"], "output": usage["output_tokens"],
              "cache_read": usage.get("cache_read_input_tokens", 0),
              "cache_write_5m": written.get("ephemeral_5m_input_tokens", 0),
              "cache_write_1h": written.get("ephemeral_1h_input_tokens", 0)}
    prompt = sum(count for name, count in counts.items() if name != "output")
    if "long_prompt" in price and prompt > price["long_prompt"]["over"]:
        price = price["long_prompt"]
    total = sum(Fraction(price[name]) * 1000 * count for name, count in counts.items())
    assert total.denominator == 1
    return int(total)


def ask(text="Which design?", **fields):
    return {"model": MODEL, "max_tokens": 300, "messages": [{"role": "user", "content": text}], **fields}


class ClaudeTest(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.stage = Stage()
        cls.addClassCleanup(cls.stage.close)
        cls.simulator = cls.stage.simulator()
        cls.gateway = cls.stage.gateway(cls.simulator.url)

    def only_row(self, answer):
        # request-id is Claude's own where Claude answered; ours, which the ledger has, is beside it.
        rows = self.gateway.rows(answer.headers["x-request-id"])
        self.assertEqual(len(rows), 1, rows)
        return rows[0]

    def check_paid(self, answer, usage, outcome="done"):
        row = self.only_row(answer)
        self.assertEqual((row["backend"], row["state"], row["outcome"]), ("claude", "settled", outcome))
        self.assertEqual(row["cost_nano_usd"], cost_of(row["model"], usage))
        self.assertGreaterEqual(row["reserved_nano_usd"], row["cost_nano_usd"])
        self.assertEqual(row["counterfactual_nano_usd"], 0)

    def test_what_claude_finds_wrong_with_a_request_it_says_when_tokens_are_counted_too(self):
        body = {"model": MODEL, "messages": ask()["messages"], "no_such_field": 1}
        counted = self.gateway.post("/v1/messages/count_tokens", body, priority="high")
        self.assertEqual(counted.status, 400, counted.body)
        self.assertIn("no_such_field: Extra inputs are not permitted", counted.json()["error"]["message"])
        del body["no_such_field"]
        self.assertEqual(self.gateway.post("/v1/messages/count_tokens", body, priority="high").status, 200)

    def test_answers_high_priority_with_claude_and_low_locally(self):
        high = self.gateway.post("/v1/messages", ask(), priority="high")
        self.assertEqual(high.status, 200, high.body)
        self.assertEqual((high.headers["x-tophand-backend"], high.headers["x-tophand-model"]),
                         ("claude", MODEL))
        self.assertIn("simulator", high.json()["content"][0]["text"])
        low = self.gateway.post("/v1/messages", ask(max_tokens=8), priority="low")
        self.assertEqual(low.status, 200, low.body)
        self.assertEqual(low.headers["x-tophand-backend"], "local")
        row = self.only_row(low)
        self.assertGreater(row["counterfactual_nano_usd"], 0)
        self.assertEqual(row["cost_nano_usd"], 0)

    def test_forwards_a_messages_body_byte_for_byte(self):
        # Odd spacing, escapes, number forms and key order: what a re-serialiser would change.
        for stream in (b"false", b"true"):
            body = (b'{ "max_tokens":3e2 ,\n"model":"claude-opus-5-5", "stream":' + stream +
                    b',"system":[{"type":"text","text":"caf\\u00e9 \xc3\xa9 \\/","cache_control":{"type":'
                    b'"ephemeral"}}],"messages":[{"content":"z [[say ok]]","role":"user"}]}\n').replace(
                        b"3e2", b"300")
            answer = self.gateway.post("/v1/messages", body, priority="high",
                                       headers={"anthropic-beta": "a-2026-01-01,b-2026-02-02"})
            self.assertEqual(answer.status, 200, answer.body)
            seen = self.simulator.requests()[-1]
            self.assertEqual(seen["body"], body)
            self.assertEqual(seen["headers"]["anthropic-version"], "2023-06-01")
            self.assertEqual(seen["headers"]["anthropic-beta"], "a-2026-01-01,b-2026-02-02")

    def test_replaces_only_the_model_of_an_alias(self):
        body = b'{"max_tokens" : 50, "model" : "high","messages":[{"role":"user","content":"m \\u0041"}]}'
        answer = self.gateway.post("/v1/messages", body)
        self.assertEqual(answer.status, 200, answer.body)
        self.assertEqual(self.simulator.requests()[-1]["body"],
                         body.replace(b'"high"', b'"claude-opus-5-5"'))

    def test_sends_the_operators_key_and_never_the_callers(self):
        self.gateway.post("/v1/messages", ask(), priority="high")
        seen = self.simulator.requests()[-1]
        self.assertEqual(seen["key_sha256"], hashlib.sha256(CLAUDE_KEY.encode()).hexdigest())
        self.assertNotIn(self.gateway.key, json.dumps(seen["headers"]))
        self.assertFalse([name for name in seen["headers"] if name.startswith("x-tophand")])

    def test_gives_the_claude_stream_unchanged_in_order(self):
        answer = self.gateway.post("/v1/messages", ask("[[say one two]]", stream=True), priority="high")
        summary = streams.check_anthropic(answer.body)
        self.assertEqual((summary.text, summary.reason, summary.pieces), ("one two", "end_turn", 2))
        self.check_paid(answer, {"input_tokens": summary.input_tokens, "output_tokens": 2})

    def test_charges_whole_answers_to_the_nano_dollar(self):
        answer = self.gateway.post("/v1/messages", ask("[[words 37]]"), priority="high")
        self.check_paid(answer, answer.json()["usage"])

    def test_charges_cached_tokens_at_their_own_prices(self):
        system = [{"type": "text", "text": "A long prefix. " * 200,
                   "cache_control": {"type": "ephemeral", "ttl": "1h"}},
                  {"type": "text", "text": "Another one. " * 50, "cache_control": {"type": "ephemeral"}}]
        for _ in ("written", "read"):
            whole = self.gateway.post("/v1/messages", ask(system=system), priority="high")
            self.check_paid(whole, whole.json()["usage"])
        self.assertGreater(whole.json()["usage"]["cache_read_input_tokens"], 500)

    def test_charges_a_long_haiku_prompt_at_the_long_price(self):
        body = ask("x" * 330_000, model="claude-haiku-5-5", max_tokens=20)
        answer = self.gateway.post("/v1/messages", body, priority="high")
        self.assertEqual(answer.status, 200, answer.body[:300])
        usage = answer.json()["usage"]
        self.assertGreater(usage["input_tokens"], 100_000)
        self.check_paid(answer, usage)

    def test_translates_other_dialects_to_claude_and_back(self):
        turns = [{"role": "system", "content": "Be brief."}, {"role": "user", "content": "[[say a b c]]"}]
        openai = {"model": "claude", "messages": turns, "max_tokens": 50, "stream": True,
                  "stream_options": {"include_usage": True}}
        answer = self.gateway.post("/v1/chat/completions", openai)
        self.assertEqual(answer.status, 200, answer.body)
        self.assertEqual(answer.headers["x-tophand-backend"], "claude")
        summary = streams.check_openai(answer.body)
        self.assertEqual((summary.text, summary.reason, summary.output_tokens), ("a b c", "stop", 3))
        self.check_paid(answer, {"input_tokens": summary.input_tokens, "output_tokens": 3})
        answer = self.gateway.post("/api/chat", {"model": "claude", "messages": turns})
        summary = streams.check_ollama(answer.body)
        self.assertEqual((summary.text, summary.reason), ("a b c", "stop"))
        answer = self.gateway.post("/api/generate", {"model": "claude", "prompt": "[[say d e]]",
                                                     "stream": False})
        self.assertEqual(answer.json()["response"], "d e")
        self.assertGreater(answer.json()["total_duration"], 0)  # ns; clients divide by these
        self.assertGreater(answer.json()["eval_duration"], 0)

    def test_is_ready_when_a_client_wants_it_loaded(self):
        asked = len(self.simulator.requests())
        for keep_alive, reason in (("5m", "load"), (0, "unload")):
            answer = self.gateway.post("/api/generate", {"model": "claude", "keep_alive": keep_alive})
            self.assertEqual((answer.status, answer.json()["done_reason"]), (200, reason), answer.body)
        warm = self.gateway.post("/v1/responses", {"model": "claude", "input": "", "max_output_tokens": 1})
        self.assertEqual((warm.status, warm.json()["status"]), (200, "completed"), warm.body)
        self.assertEqual(len(self.simulator.requests()), asked)

    def test_claude_counts_the_tokens_of_a_responses_request(self):
        body = {"model": "claude", "input": "Which design?", "instructions": "Be short.",
                "tools": [{"type": "function", "name": "f", "parameters": {"type": "object"}}]}
        counted = self.gateway.post("/v1/responses/input_tokens", body)
        self.assertNotIn("x-tophand-estimate", counted.headers)
        asked = self.gateway.post("/v1/responses", {**body, "max_output_tokens": 20, "stream": False})
        self.assertEqual(counted.json()["input_tokens"], asked.json()["usage"]["input_tokens"])

    def test_translates_tools_both_ways(self):
        tool = {"type": "function", "function": {
            "name": "look", "parameters": {"type": "object", "properties": {"path": {"type": "string"}}}}}
        messages = [{"role": "user", "content": 'Go. [[tool look {"path": "a/b"}]]'}]
        body = {"model": "claude", "messages": messages, "tools": [tool], "max_tokens": 100}
        streamed = streams.check_openai(
            self.gateway.post("/v1/chat/completions", {**body, "stream": True}).body)
        self.assertEqual((streamed.tools, streamed.reason), ([("look", {"path": "a/b"})], "tool_calls"))
        whole = self.gateway.post("/v1/chat/completions", body).json()["choices"][0]
        self.assertEqual(whole["finish_reason"], "tool_calls")
        call = whole["message"]["tool_calls"][0]
        messages += [whole["message"], {"role": "tool", "tool_call_id": call["id"], "content": "42"}]
        after = self.gateway.post("/v1/chat/completions", body)
        self.assertEqual(after.status, 200, after.body)
        self.assertIn("Last tool output: 42", after.json()["choices"][0]["message"]["content"])

    def test_passes_on_what_claude_refuses(self):
        sent = len(self.simulator.requests())
        answer = self.gateway.post("/v1/messages", ask(priority_of_mine=1), priority="high")
        self.assertEqual(answer.status, 400, answer.body)
        self.assertIn("priority_of_mine: Extra inputs", answer.json()["error"]["message"])
        self.assertEqual(len(self.simulator.requests()), sent + 1)
        self.assertEqual(self.only_row(answer)["cost_nano_usd"], 0)

    def test_does_not_send_what_has_no_price(self):
        sent = len(self.simulator.requests())
        answer = self.gateway.post("/v1/messages", ask(model="claude-future-9"), priority="high")
        self.assertEqual((answer.status, answer.json()["error"]["type"]), (404, "not_found_error"))
        message = answer.json()["error"]["message"]
        self.assertTrue(message.startswith("model claude-future-9 has no price"), message)
        self.assertIn("claude-opus-5-5", message)
        self.assertEqual(len(self.simulator.requests()), sent)

    def test_reports_savings_that_add_up(self):
        self.gateway.post("/v1/messages", ask(max_tokens=8), priority="low")
        rows = self.gateway.rows()
        shown = run_tophand("savings", "--json", "--data", str(self.gateway.data),
                            "--config", str(self.gateway.config), env=self.gateway.env)
        self.assertEqual(shown.returncode, 0, shown.stderr)
        totals = json.loads(shown.stdout)
        self.assertEqual(totals["spent_nano_usd"], sum(row["cost_nano_usd"] for row in rows))
        self.assertEqual(totals["outstanding_nano_usd"], 0)
        self.assertEqual(totals["counterfactual_nano_usd"],
                         sum(row["counterfactual_nano_usd"] for row in rows
                             if row["backend"] == "local" and row["outcome"] == "done"))
        self.assertGreater(totals["counterfactual_nano_usd"], 0)
        table = run_tophand("savings", "--data", str(self.gateway.data), env=self.gateway.env)
        self.assertIn("estimate", table.stdout)


class BudgetTest(unittest.TestCase):
    def test_refuses_claude_work_over_the_weekly_cap_and_goes_on_locally(self):
        stage = Stage()
        try:
            simulator = stage.simulator()
            gateway = stage.gateway(simulator.url, config="""
[budget]
week_usd = 0.02
[[rules]]  # no cheaper tier will do
when.model = "claude-opus-*"
tier = "hard"
""")
            answers = [gateway.post("/v1/messages", ask("[[words 100]]", max_tokens=200), priority="high")
                       for _ in range(8)]
            refused = [answer for answer in answers if answer.status != 200]
            self.assertTrue(refused and len(refused) < 8, [answer.status for answer in answers])
            self.assertEqual(refused[0].status, 402, refused[0].body)
            self.assertIn("budget", refused[0].json()["error"]["message"])
            self.assertEqual(len(simulator.requests()), 8 - len(refused))
            self.assertLessEqual(sum(row["cost_nano_usd"] for row in gateway.rows()), 20_000_000)
            self.assertEqual(gateway.post("/v1/messages", ask(max_tokens=4), priority="low").status, 200)
        finally:
            stage.close()


if __name__ == "__main__":
    unittest.main()

"""An agent that speaks another API than Messages sends the same prompt again at every turn, a little
longer each time. Claude reads what it has kept of it at a tenth of the price, if it is told to keep
it. The simulator keeps prompts as the API does: where a mark says so, found again 20 blocks back."""

import json
import unittest

from harness import Stage

TEXT = "Rules of the house, which every turn repeats. " * 120
TOOL = {"name": "look", "description": "Looks. " * 40,
        "parameters": {"type": "object", "properties": {"path": {"type": "string"}}}}


def chat_turn(gateway, state, calls):
    """One turn by Chat Completions: the prompt's usage, and the state of the next turn."""
    messages = state or [{"role": "system", "content": TEXT}, {"role": "user", "content": "Go."}]
    answer = gateway.post("/v1/chat/completions", {
        "model": "claude-sonnet-5", "messages": messages, "tools": [{"type": "function", "function": TOOL}]}, priority="high")
    assert answer.status == 200, answer.body
    made = [{"id": f"call_{len(messages)}_{i}", "type": "function",
             "function": {"name": "look", "arguments": json.dumps({"path": f"{len(messages)}/{i}"})}}
            for i in range(calls)]
    results = [{"role": "tool", "tool_call_id": call["id"], "content": "A line of the file. " * 30}
               for call in made]
    usage = answer.json()["usage"]
    told = usage["prompt_tokens_details"]
    return (answer, usage["prompt_tokens"], told["cached_tokens"],
            messages + [{"role": "assistant", "content": None, "tool_calls": made}] + results)


def responses_turn(gateway, state, calls):
    items = state or [{"role": "user", "content": "Go."}]
    answer = gateway.post("/v1/responses", {"model": "claude-sonnet-5", "instructions": TEXT, "input": items,
                                            "tools": [{"type": "function", **TOOL}], "store": False}, priority="high")
    assert answer.status == 200, answer.body
    made = [{"type": "function_call", "call_id": f"call_{len(items)}_{i}", "name": "look",
             "arguments": json.dumps({"path": f"{len(items)}/{i}"})} for i in range(calls)]
    results = [{"type": "function_call_output", "call_id": call["call_id"], "output": "A line. " * 60}
               for call in made]
    usage = answer.json()["usage"]
    return (answer, usage["input_tokens"], usage["input_tokens_details"]["cached_tokens"],
            items + made + results)


class PromptCacheTest(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.stage = Stage()
        cls.addClassCleanup(cls.stage.close)
        cls.simulator = cls.stage.simulator()
        cls.gateway = cls.stage.gateway(cls.simulator.url)

    def loop(self, gateway, turn, turns, calls):
        """Every turn reads all that the turn before it had sent. -> what all of them cost."""
        before, state, ids = 0, None, set()
        for number in range(turns):
            answer, tokens, cached, state = turn(gateway, state, calls)
            ids.add(answer.headers["x-request-id"])
            if number > 0 and gateway is self.gateway:
                self.assertEqual(cached, before, f"turn {number}")
            before = tokens
        rows = [row for row in gateway.rows() if row["request_id"] in ids]
        self.assertEqual(len(rows), turns)
        self.assertTrue(all(row["reserved_nano_usd"] >= row["cost_nano_usd"] > 0 for row in rows), rows)
        return sum(row["cost_nano_usd"] for row in rows)

    def test_a_loop_reads_what_the_turn_before_it_sent_and_costs_less_than_half(self):
        stage = Stage()
        self.addCleanup(stage.close)
        control = stage.gateway(stage.simulator().url, config="[claude]\ncache_prompts = false\n")
        for turn in (chat_turn, responses_turn):
            with self.subTest(turn.__name__):
                with_marks = self.loop(self.gateway, turn, 10, 2)
                without = self.loop(control, turn, 10, 2)
                self.assertLess(with_marks * 2, without)

    def test_more_calls_at_once_than_the_api_looks_back_are_no_gap(self):
        self.loop(self.gateway, chat_turn, 3, 30)

    def test_a_question_by_itself_is_not_kept(self):
        ask = {"model": "claude-sonnet-5", "max_tokens": 20,
               "messages": [{"role": "system", "content": TEXT}, {"role": "user", "content": "Which?"}]}
        self.gateway.post("/v1/chat/completions", ask, priority="high")
        self.assertNotIn("cache_control", self.simulator.requests()[-1]["body"].decode())

    def test_marks_of_the_client_are_the_ones_that_count(self):
        mark = {"type": "ephemeral", "ttl": "1h"}
        ask = {"model": "claude-sonnet-5", "max_tokens": 20, "messages": [
            {"role": "system", "content": [{"type": "text", "text": TEXT, "cache_control": mark}]},
            {"role": "user", "content": "Which?"}, {"role": "assistant", "content": "This."},
            {"role": "user", "content": "Why?"}]}
        answer = self.gateway.post("/v1/chat/completions", ask, priority="high")
        self.assertEqual(answer.status, 200, answer.body)
        sent = self.simulator.requests()[-1]["body"].decode()
        self.assertEqual(sent.count("cache_control"), 1, sent)
        written = answer.json()["usage"]["prompt_tokens_details"]["cache_write_tokens"]
        self.assertGreater(written, 500)
        row = self.gateway.rows(answer.headers["x-request-id"])[0]
        self.assertGreater(row["cost_nano_usd"], written * 2 * 2000)  # an hour is twice the price of $2
        self.assertGreaterEqual(row["reserved_nano_usd"], row["cost_nano_usd"])

    def test_a_request_without_a_limit_gets_the_configured_one(self):
        ask = {"model": "claude-sonnet-5", "messages": [{"role": "user", "content": "Go."}]}
        stage = Stage()
        self.addCleanup(stage.close)
        short = stage.gateway(self.simulator.url, config="[claude]\nmax_tokens = 999\n")
        for gateway, limit in ((self.gateway, 16_384), (short, 999)):
            answer = gateway.post("/v1/chat/completions", ask, priority="high")
            self.assertEqual(answer.status, 200, answer.body)
            self.assertEqual(json.loads(self.simulator.requests()[-1]["body"])["max_tokens"], limit)


if __name__ == "__main__":
    unittest.main()

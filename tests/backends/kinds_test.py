"""Every kind of backend behind every dialect that clients speak: text, tools, counts, reasons, images."""

import functools
import unittest

from dialects import DIALECTS, TOOL, ask
from rig import EveryKind, model_of
from script import Script

HELLO = [("user", "Hello there.")]
PNG = "iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mNk+M9QDwADhgGAWjR9awAAAABJRU5ErkJggg=="
TOOL_CALL = (TOOL[0], {"city": "Zürich"})


def in_every_pair(check):
    """Runs the check for every kind, dialect and way of asking, each as a subtest."""
    @functools.wraps(check)
    def test(self):
        for kind, simulator in self.simulators.items():
            for dialect in DIALECTS:
                for stream in (False, True):
                    with self.subTest(kind, dialect=dialect, stream=stream):
                        simulator.complaints.clear()
                        check(self, kind, simulator, dialect, stream)
                        self.assertEqual(simulator.complaints, [])
    return test


class KindsTest(EveryKind, unittest.TestCase):
    def setUp(self):
        for simulator in self.simulators.values():
            simulator.script = Script()
            simulator.coming.clear()

    def ask(self, kind, dialect, turns, stream, **more):
        answer = ask(self.gateway, dialect, self.name(kind), turns, stream, **more)
        self.assertEqual((answer.status, answer.error), (200, ""), answer.raw)
        return answer

    @in_every_pair
    def test_give_their_text_with_its_counts_and_its_reason(self, kind, simulator, dialect, stream):
        simulator.script = Script(pieces=("Grüezi", ", ", "世界", "\n\n", "\"quoted\" \\ end"))
        answer = self.ask(kind, dialect, HELLO, stream)
        self.assertEqual(answer.text, simulator.script.text)
        self.assertEqual(answer.reason, DIALECTS[dialect].reasons["stop"])
        self.assertEqual((answer.input_tokens, answer.output_tokens), (41, 7))
        self.assertEqual(answer.headers["x-tophand-backend"], "b-" + kind)
        self.assertEqual(answer.headers["x-tophand-model"], model_of(kind))
        sent = simulator.chats()[-1].json()
        self.assertEqual(sent["model"], model_of(kind))
        self.assertEqual(sent["messages"][-1]["content"], HELLO[0][1])

    @in_every_pair
    def test_are_written_to_the_ledger_with_the_counts_that_the_client_got(self, kind, simulator, dialect, stream):
        answer = self.ask(kind, dialect, HELLO, stream)
        rows = self.gateway.rows(answer.headers["x-request-id"])
        self.assertEqual([(row["backend"], row["model"], row["outcome"], row["cost_nano_usd"]) for row in rows],
                         [("b-" + kind, model_of(kind), "done", 0)])
        self.assertEqual((rows[0]["input_tokens"], rows[0]["output_tokens"]),
                         (answer.input_tokens, answer.output_tokens))

    @in_every_pair
    def test_cached_tokens_are_counted_once(self, kind, simulator, dialect, stream):
        if kind in ("ollama", "text-generation-webui"):
            return  # they do not say
        simulator.script = Script(input_tokens=1000, cached_tokens=960)
        answer = self.ask(kind, dialect, HELLO, stream)
        self.assertEqual(answer.input_tokens, 1000)
        if dialect != "ollama":
            self.assertEqual(answer.cached_tokens, 960)

    @in_every_pair
    def test_a_full_answer_says_that_it_was_cut(self, kind, simulator, dialect, stream):
        simulator.script = Script(stop="length")
        answer = self.ask(kind, dialect, HELLO, stream)
        self.assertEqual(answer.reason, DIALECTS[dialect].reasons["length"])

    @in_every_pair
    def test_a_tool_call_goes_out_and_its_result_comes_back(self, kind, simulator, dialect, stream):
        simulator.script = Script(tools=(TOOL_CALL,))
        answer = self.ask(kind, dialect, HELLO, stream, tools=True)
        self.assertEqual([tool[1:] for tool in answer.tools], [TOOL_CALL])
        self.assertEqual(answer.reason, DIALECTS[dialect].reasons["tools"])
        offered = simulator.chats()[-1].json()["tools"][0]["function"]
        self.assertEqual((offered["name"], offered["parameters"]), (TOOL[0], TOOL[2]))

        simulator.script = Script(pieces=("Sunny.",))
        turns = HELLO + [("calls", answer.tools), ("results", [(answer.tools[0][0], TOOL[0], "22 degrees")])]
        self.assertEqual(self.ask(kind, dialect, turns, stream, tools=True).text, "Sunny.")
        called, result = simulator.chats()[-1].json()["messages"][-2:]
        self.assertEqual((called["role"], result["role"], result["content"]), ("assistant", "tool", "22 degrees"))
        self.assertEqual(called["tool_calls"][0]["function"]["name"], TOOL[0])
        if kind != "ollama":
            self.assertEqual(called["tool_calls"][0]["id"], result["tool_call_id"])

    @in_every_pair
    def test_two_tool_calls_have_ids_of_their_own(self, kind, simulator, dialect, stream):
        two = (TOOL_CALL, (TOOL[0], {"city": "Bern"}))
        simulator.script = Script(tools=two)
        answer = self.ask(kind, dialect, HELLO, stream, tools=True)
        self.assertEqual([tool[1:] for tool in answer.tools], list(two))
        if dialect != "ollama":
            self.assertNotEqual(answer.tools[0][0], answer.tools[1][0])

    @in_every_pair
    def test_thinking_stays_apart_from_the_text(self, kind, simulator, dialect, stream):
        simulator.script = Script(thinking=("Let me", " see."), pieces=("Four.",))
        answer = self.ask(kind, dialect, HELLO, stream)
        self.assertEqual((answer.thinking, answer.text), ("Let me see.", "Four."))

    @in_every_pair
    def test_the_limit_and_the_sampling_reach_the_model(self, kind, simulator, dialect, stream):
        body = DIALECTS[dialect].body(self.name(kind), HELLO, stream, limit=33)
        wanted = {"temperature": 0.5, "top_p": 0.25}
        (body["options"] if dialect == "ollama" else body).update(wanted)
        self.assertEqual(self.gateway.post(DIALECTS[dialect].path, body).status, 200)
        sent = simulator.chats()[-1].json()
        options = sent["options"] if kind == "ollama" else sent
        self.assertEqual({name: options[name] for name in wanted}, wanted)
        limit = options.get("num_predict") or options.get("max_tokens") or options.get("max_completion_tokens")
        self.assertEqual(limit, 33)

    @in_every_pair
    def test_an_image_for_a_text_model_is_refused_before_it_is_sent_or_in_the_clients_dialect(self, kind, simulator, dialect, stream):
        answer = ask(self.gateway, dialect, self.name(kind), [("image", PNG)], stream)
        self.assertEqual(answer.status, 400, answer.raw)
        self.assertIn("image", answer.error)

    @in_every_pair
    def test_a_prompt_that_does_not_fit_is_the_clients_error(self, kind, simulator, dialect, stream):
        words = 5000 if kind != "ollama" else 9000
        answer = ask(self.gateway, dialect, self.name(kind), [("user", "word " * words)], stream)
        self.assertEqual(answer.status, 400, answer.raw)
        self.assertRegex(answer.error, "4096|8192|context length")


if __name__ == "__main__":
    unittest.main()

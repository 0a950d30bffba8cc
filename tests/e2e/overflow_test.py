"""A conversation that does not fit the local model's context of 512 tokens: refused with the numbers, or asked
without its oldest turns where somebody wants that, and then the answer's head says so."""

import re
import unittest

from harness import Stage

TOLD = re.compile(r"^(\d+) tokens, (\d+) messages$")
TURNS = [{"role": role, "content": f"{role} said something here, number {number}"}
         for number in range(12) for role in ("user", "assistant")]
LONG = [*TURNS, {"role": "user", "content": "And now?"}]
PATHS = {"/v1/messages": {"max_tokens": 8}, "/v1/chat/completions": {"max_tokens": 8},
         "/api/chat": {"options": {"num_predict": 8}}}
TRUNCATE = {"x-tophand-on-overflow": "truncate"}


class Overflow(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.stage = Stage()
        cls.addClassCleanup(cls.stage.close)
        cls.gateway = cls.stage.gateway()

    def ask(self, path, headers=None, gateway=None, **more):
        return (gateway or self.gateway).post(
            path, {"model": "local", "messages": LONG, **PATHS[path], **more}, headers=headers or {})

    def check_truncated(self, answer):
        self.assertEqual(answer.status, 200, answer.body)
        told = TOLD.match(answer.headers.get("x-tophand-truncated", ""))
        self.assertTrue(told, answer.headers)
        tokens, messages = map(int, told.groups())
        self.assertGreater(tokens, 300)
        self.assertLess(messages, len(TURNS))
        self.assertEqual(messages % 2, 0, "whole turns")

    def test_is_refused_unless_somebody_says_otherwise(self):
        for path in PATHS:
            for stream in (False, True):
                for headers in ({}, {"x-tophand-on-overflow": "refuse"}):
                    with self.subTest(path, stream=stream, headers=headers):
                        answer = self.ask(path, headers, stream=stream)
                        self.assertEqual(answer.status, 400, answer.body)
                        self.assertRegex(answer.body, rb"prompt is too long: \d+ tokens > 511 maximum")
                        self.assertNotIn("x-tophand-truncated", answer.headers)

    def test_is_shortened_by_the_header(self):
        for path in PATHS:
            for stream in (False, True):
                with self.subTest(path, stream=stream):
                    self.check_truncated(self.ask(path, TRUNCATE, stream=stream))

    def test_the_ledger_says_so(self):
        answer = self.ask("/v1/messages", TRUNCATE)
        row = self.gateway.rows(answer.headers["x-request-id"])[0]
        self.assertIn("left out the oldest", row["reason"])
        self.assertLess(row["input_tokens"], 512)

    def test_what_fits_is_left_alone(self):
        answer = self.ask("/v1/messages", TRUNCATE, messages=LONG[-1:])
        self.assertEqual(answer.status, 200)
        self.assertNotIn("x-tophand-truncated", answer.headers)

    def test_one_message_that_is_too_long_is_refused(self):
        answer = self.ask("/v1/messages", TRUNCATE, messages=[{"role": "user", "content": "word " * 500}])
        self.assertEqual(answer.status, 400)
        self.assertIn(b"prompt is too long", answer.body)
        self.assertNotIn("x-tophand-truncated", answer.headers)

    def test_ollamas_own_field_and_the_configuration(self):
        self.check_truncated(self.ask("/api/chat", truncate=True))
        self.assertEqual(self.ask("/api/chat", truncate=False).status, 400)
        stage = Stage()
        self.addCleanup(stage.close)
        gateway = stage.gateway(config="", env={})
        gateway.stop()
        text = gateway.config.read_text().replace("[models]\n", '[models]\non_overflow = "truncate"\n')
        gateway.config.write_text(text)
        gateway.start()
        self.check_truncated(self.ask("/v1/messages", gateway=gateway))
        self.check_truncated(self.ask("/api/chat", gateway=gateway))
        self.assertEqual(self.ask("/api/chat", gateway=gateway, truncate=False).status, 400)
        self.assertEqual(self.ask("/v1/messages", {"x-tophand-on-overflow": "refuse"}, gateway).status, 400)

    def test_a_word_that_means_nothing_is_refused(self):
        answer = self.ask("/v1/messages", {"x-tophand-on-overflow": "shrink"})
        self.assertEqual(answer.status, 400)
        self.assertIn(b"expected refuse or truncate, found 'shrink'", answer.body)


if __name__ == "__main__":
    unittest.main()

"""One backend fails, the next one that has the model answers: before the first word, and never after it."""

import unittest

from dialects import DIALECTS, ask
from rig import Rig
from script import Script

HELLO = [("user", "Hello there.")]
FAILURES = {"500": Script(status=500), "503": Script(status=503), "429": Script(status=429), "408": Script(status=408),
            "an error in the stream": Script(error_after=0), "a cut before the first word": Script(cut_at=30),
            "not a word": Script(empty=True, output_tokens=0)}


class FailoverTest(unittest.TestCase):
    def setUp(self):
        """A rig of its own for every test: a backend that failed is left alone for a while."""
        self.rig = Rig()
        self.addCleanup(self.rig.close)
        self.first = self.rig.simulator_of("vllm", "first")
        self.second = self.rig.simulator_of("llama-server", "second")
        self.second.script = Script(pieces=("From", " the", " second."))
        self.gateway = self.rig.open()
        self.rig.wait_for("first/sim-7b", "second/sim-7b")

    def check_second_answers(self, dialect, stream):
        answer = ask(self.gateway, dialect, "sim-7b", HELLO, stream)
        self.assertEqual((answer.status, answer.text), (200, "From the second."), answer.raw)
        self.assertEqual(answer.headers["x-tophand-backend"], "second")

    def test_the_first_answers_while_it_can(self):
        answer = ask(self.gateway, "openai", "sim-7b", HELLO)
        self.assertEqual((answer.headers["x-tophand-backend"], len(self.second.chats())), ("first", 0))

    def test_a_failure_before_the_first_word_moves_to_the_next(self):
        for number, (name, script) in enumerate(FAILURES.items()):
            dialect = list(DIALECTS)[number % len(DIALECTS)]
            with self.subTest(name, dialect=dialect):
                self.first.script = script
                self.check_second_answers(dialect, stream=True)

    def test_a_machine_that_is_gone_is_passed_over(self):
        self.first.stop()
        for dialect in DIALECTS:
            for stream in (False, True):
                with self.subTest(dialect, stream=stream):
                    self.check_second_answers(dialect, stream)

    def test_after_the_first_word_nothing_is_started_again(self):
        for dialect in DIALECTS:
            with self.subTest(dialect):
                self.first.script = Script(pieces=("One", " two", " three"), error_after=2)
                answer = ask(self.gateway, dialect, "sim-7b", HELLO, stream=True)
                self.assertTrue("One two".startswith(answer.text), answer.text)
                self.assertTrue(answer.error)
                self.assertEqual(self.second.chats(), [])

    def test_what_is_wrong_with_the_request_is_not_tried_elsewhere(self):
        self.first.script = Script(status=400, message="your request is odd")
        answer = ask(self.gateway, "openai", "sim-7b", HELLO)
        self.assertEqual(answer.status, 400, answer.raw)
        self.assertIn("your request is odd", answer.error)
        self.assertEqual(self.second.chats(), [])


if __name__ == "__main__":
    unittest.main()

"""Stored responses of the Responses API: what a continued request sends to Claude and to the local model,
and that nothing of it is on the disk."""

import json
import unittest

from harness import Stage

CALL = 'Go. [[tool look {"path": "a/b"}]]'
TOOLS = [{"type": "function", "name": "look", "parameters": {"type": "object"}}]
SECRET = "the-password-is-swordfish"


def final(answer):
    """The response of an answer, whole or streamed."""
    text = answer.body.decode()
    if not text.startswith("event:"):
        return json.loads(text)
    last = [line for line in text.splitlines() if line.startswith("data: ")][-1]
    return json.loads(last.removeprefix("data: "))["response"]


class StoredTest(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.stage = Stage()
        cls.addClassCleanup(cls.stage.close)
        cls.simulator = cls.stage.simulator()
        cls.gateway = cls.stage.gateway(cls.simulator.url)

    def create(self, **body):
        answer = self.gateway.post("/v1/responses", {"model": "claude", **body})
        self.assertEqual(answer.status, 200, answer.body)
        return final(answer)

    def sent(self):
        """What the last request to Claude had, without its marks for the prompt cache."""
        body = json.loads(self.simulator.requests()[-1]["body"])
        for message in body["messages"]:
            for block in message["content"]:
                block.pop("cache_control", None)
        return body

    def test_claude_is_asked_as_if_the_client_had_sent_the_whole(self):
        for stream in (False, True):
            with self.subTest(stream=stream):
                first = self.create(input=CALL, instructions="Be brief.", tools=TOOLS, stream=stream)
                call = first["output"][-1]
                result = {"type": "function_call_output", "call_id": call["call_id"], "output": "42"}
                second = self.create(previous_response_id=first["id"], input=[result], tools=TOOLS,
                                     stream=stream)
                continued = self.sent()
                self.create(input=[{"role": "user", "content": CALL}, *first["output"], result],
                            tools=TOOLS, stream=stream)
                self.assertEqual(continued, self.sent())
                self.assertNotIn("Be brief.", json.dumps(continued))
                self.assertEqual(second["previous_response_id"], first["id"])
                self.assertIn("Last tool output: 42", json.dumps(second["output"]))

    def test_the_local_model_reads_the_whole_conversation(self):
        ask = {"model": "local", "max_output_tokens": 8, "temperature": 0}
        for stream in (False, True):
            first = self.create(**ask, input="Say something short.", stream=stream)
            second = self.create(**ask, input="And?", previous_response_id=first["id"], stream=stream)
            whole = self.create(**ask, stream=stream, store=False, input=[
                {"role": "user", "content": "Say something short."}, *first["output"],
                {"role": "user", "content": "And?"}])
            self.assertEqual(second["usage"]["input_tokens"], whole["usage"]["input_tokens"])
            text = [item["content"] for item in second["output"]]
            self.assertEqual(text, [item["content"] for item in whole["output"]])

    def test_counts_what_it_continues(self):
        first = self.create(input="[[say one two three]]")
        count = lambda **body: self.gateway.post(
            "/v1/responses/input_tokens", {"model": "claude", **body}).json()["input_tokens"]
        self.assertEqual(
            count(input="And?", previous_response_id=first["id"]),
            count(input=[{"role": "user", "content": "[[say one two three]]"}, *first["output"],
                         {"role": "user", "content": "And?"}]))

    def test_nothing_of_it_is_on_the_disk(self):
        first = self.create(input=f"{SECRET} [[say {SECRET}]]")
        self.assertEqual(self.gateway.call("GET", f"/v1/responses/{first['id']}").json(), first)
        files = [path for path in self.gateway.data.rglob("*")
                 if path.is_file() and path.suffix != ".gguf"]
        for path in [*files, self.gateway.log_path]:
            self.assertNotIn(SECRET.encode(), path.read_bytes(), path)

    def test_a_request_that_is_answered_later_brings_the_whole(self):
        first = self.create(input="Hi")
        answer = self.gateway.post(
            "/v1/responses", {"model": "local", "input": "And?", "previous_response_id": first["id"]},
            priority="low", headers={"prefer": "respond-async", "x-tophand-deadline": "10m"})
        self.assertEqual(answer.status, 400, answer.body)
        self.assertIn("whole conversation", answer.json()["error"]["message"])

    def test_a_restart_forgets(self):
        first = self.create(input="Hi")
        self.gateway.stop()
        self.gateway.start()
        answer = self.gateway.post("/v1/responses", {
            "model": "claude", "input": "And?", "previous_response_id": first["id"]})
        self.assertEqual(answer.status, 400)
        self.assertEqual(answer.json()["error"]["code"], "previous_response_not_found")


if __name__ == "__main__":
    unittest.main()

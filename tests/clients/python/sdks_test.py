"""The official Python SDKs against the gateway: run by ../run.sh through ../with_gateway.py."""

import os
import unittest

import anthropic
import ollama
import openai

URL, KEY = os.environ["GATEWAY_URL"], os.environ["GATEWAY_KEY"]
LOCAL = os.environ["GATEWAY_LOCAL_MODEL"]
SAY = [{"role": "user", "content": "Hello. [[say one two three]]"}]
CALL = [{"role": "user", "content": 'Go. [[tool look {"path": "a/b"}]]'}]
HI = [{"role": "user", "content": "Hi"}]
SCHEMA = {"type": "object", "properties": {"path": {"type": "string"}}, "required": ["path"]}


class Anthropic(unittest.TestCase):
    client = anthropic.Anthropic(base_url=URL, api_key=KEY, max_retries=0)
    tools = [{"name": "look", "description": "looks", "input_schema": SCHEMA}]

    def test_whole_answer(self):
        message = self.client.messages.create(model="claude", max_tokens=50, messages=SAY)
        self.assertEqual((message.content[0].text, message.stop_reason), ("one two three", "end_turn"))

    def test_stream_helper(self):
        with self.client.messages.stream(model="claude", max_tokens=50, messages=SAY) as stream:
            self.assertEqual("".join(stream.text_stream), "one two three")
            self.assertEqual(stream.get_final_message().usage.output_tokens, 3)

    def test_local_stream(self):
        with self.client.messages.stream(model="local", max_tokens=8, messages=HI) as stream:
            self.assertIn(stream.get_final_message().stop_reason, ("end_turn", "max_tokens"))

    def test_tool_turn(self):
        asked = self.client.messages.create(model="claude", max_tokens=200, messages=CALL, tools=self.tools)
        use = next(block for block in asked.content if block.type == "tool_use")
        self.assertEqual((use.name, use.input), ("look", {"path": "a/b"}))
        done = self.client.messages.create(
            model="claude", max_tokens=200, tools=self.tools, messages=[
                *CALL, {"role": "assistant", "content": asked.content},
                {"role": "user", "content": [{"type": "tool_result", "tool_use_id": use.id,
                                              "content": "seen"}]}])
        self.assertIn("Last tool output: seen", done.content[0].text)

    def test_tool_turn_in_a_stream(self):
        with self.client.messages.stream(model="claude", max_tokens=200, messages=CALL,
                                         tools=self.tools) as stream:
            message = stream.get_final_message()
        self.assertEqual(message.content[-1].input, {"path": "a/b"})

    def test_tool_runner(self):
        """It would have the server hold the conversation, and sends the whole when it does not."""
        @anthropic.beta_tool
        def look(path: str) -> str:
            """Looks."""
            return f"seen {path}"
        twice = [{"role": "user", "content": 'Go. [[tool look {"path": "a"}]][[then]]'
                                             '[[tool look {"path": "b"}]][[then]][[say done]]'}]
        for stream in (False, True):
            runner = self.client.beta.messages.tool_runner(
                model="claude", max_tokens=200, messages=twice, tools=[look], stream=stream)
            said = [turn.get_final_message() if stream else turn for turn in runner]
            self.assertEqual([message.stop_reason for message in said],
                             ["tool_use", "tool_use", "end_turn"])
            self.assertIn("done", said[-1].content[0].text)

    def test_a_thread(self):
        thread = self.client.beta.messages.thread(model="claude", max_tokens=50)
        for word in ("one", "two", "three"):
            answer = thread.send({"role": "user", "content": f"[[say {word}]]"})
            self.assertEqual(answer.content[0].text, word)
        self.assertEqual(len(thread.messages), 6)

    def test_counts_tokens(self):
        for model in ("claude", "local"):
            self.assertGreater(self.client.messages.count_tokens(model=model, messages=HI).input_tokens, 0)

    def test_lists_models(self):
        listed = list(self.client.models.list(limit=100))
        self.assertIn("local", [model.id for model in listed])
        self.assertEqual(self.client.models.retrieve("local").type, "model")

    def test_errors_have_their_class_and_request_id(self):
        with self.assertRaises(anthropic.NotFoundError) as missing:
            self.client.messages.create(model="no-such", max_tokens=5, messages=HI)
        self.assertEqual(missing.exception.body["error"]["type"], "not_found_error")
        self.assertTrue(missing.exception.request_id)
        with self.assertRaises(anthropic.AuthenticationError):
            self.client.copy(api_key="th-wrong").messages.create(model="local", max_tokens=5, messages=HI)
        with self.assertRaises(anthropic.BadRequestError):
            self.client.messages.create(model="local", max_tokens=5, messages=[])


class OpenAi(unittest.TestCase):
    client = openai.OpenAI(base_url=f"{URL}/v1", api_key=KEY, max_retries=0)
    tools = [{"type": "function", "function": {"name": "look", "parameters": SCHEMA}}]

    def test_whole_answer(self):
        answer = self.client.chat.completions.create(model="claude", messages=SAY)
        self.assertEqual(answer.choices[0].message.content, "one two three")
        self.assertEqual(answer.usage.completion_tokens, 3)

    def test_stream_with_usage(self):
        chunks = list(self.client.chat.completions.create(
            model="claude", messages=SAY, stream=True, stream_options={"include_usage": True}))
        text = "".join(chunk.choices[0].delta.content or "" for chunk in chunks if chunk.choices)
        self.assertEqual((text, chunks[-1].usage.completion_tokens), ("one two three", 3))

    def test_stream_helper_with_a_tool(self):
        with self.client.chat.completions.stream(model="claude", messages=CALL, tools=self.tools) as stream:
            answer = stream.get_final_completion()
        self.assertEqual(answer.choices[0].message.tool_calls[0].function.arguments, '{"path": "a/b"}')

    def test_local_answer(self):
        answer = self.client.chat.completions.create(model="local", messages=HI, max_tokens=8)
        self.assertIn(answer.choices[0].finish_reason, ("stop", "length"))

    def test_several_prompts_of_a_legacy_completion(self):
        answer = self.client.completions.create(model="claude", prompt=["[[say one]]", "[[say two]]"], n=2)
        self.assertEqual([(choice.index, choice.text) for choice in answer.choices],
                         [(0, "one"), (1, "one"), (2, "two"), (3, "two")])

    def test_several_answers_in_one_stream(self):
        with self.client.chat.completions.stream(model="claude", messages=SAY, n=2,
                                                 stream_options={"include_usage": True}) as stream:
            answer = stream.get_final_completion()
        self.assertEqual([(choice.index, choice.message.content) for choice in answer.choices],
                         [(0, "one two three"), (1, "one two three")])
        self.assertEqual(answer.usage.completion_tokens, 6)
        texts = {}
        for chunk in self.client.completions.create(model="claude", prompt=["[[say one]]", "[[say two]]"],
                                                    stream=True):
            for choice in chunk.choices:
                texts[choice.index] = texts.get(choice.index, "") + choice.text
        self.assertEqual(texts, {0: "one", 1: "two"})

    def test_stored_responses(self):
        first = self.client.responses.create(model="claude", input="[[say one]]")
        second = self.client.responses.create(model="claude", input="[[say two]]",
                                              previous_response_id=first.id)
        self.assertEqual((second.output_text, second.previous_response_id), ("two", first.id))
        with self.client.responses.stream(model="claude", input="[[say three]]",
                                          previous_response_id=second.id) as stream:
            third = stream.get_final_response()
        items = [item.content[0].text for item in
                 self.client.responses.input_items.list(third.id, order="asc", limit=2)]
        self.assertEqual(items, ["[[say one]]", "one", "[[say two]]", "two", "[[say three]]"])
        self.assertEqual(self.client.responses.retrieve(third.id).output_text, "three")
        self.client.responses.delete(third.id)
        with self.assertRaises(openai.NotFoundError):
            self.client.responses.retrieve(third.id)
        with self.assertRaises(openai.BadRequestError) as lost:
            self.client.responses.create(model="claude", input="x", previous_response_id=third.id)
        self.assertEqual(lost.exception.code, "previous_response_not_found")

    def test_embeddings(self):
        answer = self.client.embeddings.create(model=LOCAL, input=["one text", "another"])
        self.assertEqual([item.index for item in answer.data], [0, 1])
        self.assertAlmostEqual(sum(number ** 2 for number in answer.data[0].embedding), 1, places=3)

    def test_lists_models(self):
        self.assertIn("local", [model.id for model in self.client.models.list()])
        self.assertEqual(self.client.models.retrieve("local").object, "model")

    def test_errors_have_their_class(self):
        with self.assertRaises(openai.NotFoundError) as missing:
            self.client.chat.completions.create(model="no-such", messages=HI)
        self.assertTrue(missing.exception.request_id)
        with self.assertRaises(openai.AuthenticationError):
            self.client.with_options(api_key="th-wrong").models.list()


class Ollama(unittest.TestCase):
    client = ollama.Client(host=URL, headers={"authorization": f"Bearer {KEY}"})

    def test_chat_whole_and_streamed(self):
        self.assertEqual(self.client.chat(model="claude", messages=SAY).message.content, "one two three")
        parts = list(self.client.chat(model="claude", messages=SAY, stream=True))
        self.assertEqual("".join(part.message.content for part in parts), "one two three")
        self.assertTrue(parts[-1].done)

    def test_generate_load_and_unload(self):
        answer = self.client.generate(model="local", prompt="Hi", options={"num_predict": 8})
        self.assertIn(answer.done_reason, ("stop", "length"))
        self.assertEqual(self.client.generate(model="local", prompt="").done_reason, "load")
        self.assertEqual(self.client.generate(model="local", prompt="", keep_alive=0).done_reason, "unload")

    def test_lists(self):
        self.assertTrue([model.model for model in self.client.list().models if LOCAL in model.model])
        self.client.ps()

    def test_an_unknown_model_is_an_error(self):
        with self.assertRaises(ollama.ResponseError) as missing:
            self.client.chat(model="no-such", messages=HI)
        self.assertEqual(missing.exception.status_code, 404)


if __name__ == "__main__":
    unittest.main()

"""The simulator's own tests: `python3 -m unittest discover -s tests/claude_sim -p '*_test.py'`."""

import base64
import http.client
import json
import os
import subprocess
import sys
import tempfile
import time
import unittest
import urllib.parse

HERE = os.path.dirname(os.path.abspath(__file__))
KEY = {"x-api-key": "sk-test", "anthropic-version": "2023-06-01"}


class Running:
    """The program on a free port, for one test class."""

    def __init__(self, *arguments):
        self.folder = tempfile.TemporaryDirectory()
        self.log = os.path.join(self.folder.name, "log")
        port_file = os.path.join(self.folder.name, "port")
        self.process = subprocess.Popen(
            [sys.executable, os.path.join(HERE, "claude_sim.py"), "--port-file", port_file,
             "--log", self.log, *arguments], stdout=subprocess.DEVNULL)
        deadline = time.monotonic() + 20
        while not os.path.exists(port_file):
            if self.process.poll() is not None or time.monotonic() > deadline:
                raise RuntimeError("the simulator did not start")
            time.sleep(0.01)
        with open(port_file, encoding="ascii") as file:
            self.port = int(file.read())

    def call(self, body, path="/v1/messages", method="POST", headers=None):
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=20)
        data = body if isinstance(body, bytes) else json.dumps(body).encode()
        connection.request(method, path, data, KEY if headers is None else headers)
        response = connection.getresponse()
        try:
            text = response.read()
        except http.client.IncompleteRead as cut:
            text = cut.partial + b"<cut>"
        connection.close()
        return response.status, dict(response.getheaders()), text

    def stop(self):
        self.process.terminate()
        self.process.wait(20)
        self.folder.cleanup()


def ask(content="Hi", **fields):
    return {"model": "claude-opus-5-5", "max_tokens": 200,
            "messages": [{"role": "user", "content": content}], **fields}


def turns(*messages):
    return ask(messages=[{"role": role, "content": content} for role, content in messages])


TOOLS = [{"name": "look", "input_schema": {"type": "object", "properties": {"path": {"type": "string"}}}}]
USE = {"type": "tool_use", "id": "toolu_1", "name": "look", "input": {}}
RESULT = {"type": "tool_result", "tool_use_id": "toolu_1", "content": "done"}
TEXT = {"type": "text", "text": "x"}

# name: (request, status, words that the message must contain)
REFUSED = {
    "no max_tokens": ({"model": "claude-opus-5-5", "messages": [{"role": "user", "content": "x"}]},
                      400, "max_tokens: Field required"),
    "max_tokens 0": (ask(max_tokens=0), 400, "max_tokens: Input should be greater"),
    "max_tokens text": (ask(max_tokens="9"), 400, "max_tokens: Input should be a valid integer"),
    "max_tokens true": (ask(max_tokens=True), 400, "max_tokens"),
    "unknown field": (ask(priority="low"), 400, "priority: Extra inputs are not permitted"),
    "unknown metadata": (ask(metadata={"priority": "low"}), 400,
                         "metadata.priority: Extra inputs are not permitted"),
    "unknown model": (ask(model="gpt-9"), 404, "model: gpt-9"),
    "no messages": (ask(messages=[]), 400, "at least one message"),
    "assistant first": (turns(("assistant", "x"), ("user", "y")), 400, 'must use the "user" role'),
    "strange role": (turns(("tool", "x")), 400, "messages.0.role"),
    "empty text": (ask([{"type": "text", "text": ""}]), 400, "must be non-empty"),
    "empty content": (ask(""), 400, "non-empty content"),
    "strange block": (ask([{"type": "sound"}]), 400, "Input tag 'sound'"),
    "tool_use from the user": (ask([USE]), 400, "Input tag 'tool_use'"),
    "field in a message": (ask(messages=[{"role": "user", "content": "x", "name": "n"}]), 400,
                           "messages.0.name: Extra inputs"),
    "tool result missing": (turns(("user", "x"), ("assistant", [USE]), ("user", "y")), 400,
                            "without `tool_result` blocks immediately after: toolu_1"),
    "tool result late": (turns(("user", "x"), ("assistant", [USE]), ("user", [TEXT, RESULT])), 400,
                         "must come first"),
    "tool result unasked": (turns(("user", [RESULT])), 400, "unexpected `tool_use_id`"),
    "tool use at the end": (turns(("user", "x"), ("assistant", [USE])), 400, "without `tool_result`"),
    "trailing space": (turns(("user", "x"), ("assistant", "y ")), 400, "trailing whitespace"),
    "small thinking budget": (ask(thinking={"type": "enabled", "budget_tokens": 10}), 400,
                              "greater than or equal to 1024"),
    "thinking over max_tokens": (ask(thinking={"type": "enabled", "budget_tokens": 2048}), 400,
                                 "`max_tokens` must be greater"),
    "bad tool name": (ask(tools=[{"name": "a b", "input_schema": {"type": "object"}}]), 400,
                      "tools.0.custom.name"),
    "tool without schema": (ask(tools=[{"name": "a"}]), 400, "input_schema"),
    "same tool twice": (ask(tools=TOOLS * 2), 400, "must be unique"),
    "choice without tools": (ask(tool_choice={"type": "any"}), 400, "tool_choice"),
    "five breakpoints": (ask([{**TEXT, "cache_control": {"type": "ephemeral"}}] * 5), 400,
                         "maximum of 4"),
    "an hour behind five minutes": (ask([{**TEXT, "cache_control": {"type": "ephemeral", "ttl": ttl}}
                                         for ttl in ("5m", "1h")]), 400, "must not come after"),
    "hot": (ask(temperature=2), 400, "temperature"),
    "not JSON": (b"{", 400, "not valid JSON"),
    "not an object": (b"[]", 400, "valid dictionary"),
    "empty body": (b"", 400, "not valid JSON"),
}

ACCEPTED = {
    "two user turns": turns(("user", "a"), ("user", "b")),
    "text after the tool result": turns(("user", "x"), ("assistant", [TEXT, USE]),
                                        ("user", [RESULT, TEXT])),
    "result and text in two turns": turns(("user", "x"), ("assistant", [USE]), ("user", [RESULT]),
                                          ("user", "and?")),
    "system inside": turns(("user", "a"), ("system", "be brief")),
    "system without content": turns(("user", "a"), ("system", [])),
    "dated model": ask(model="claude-haiku-4-5-20251001"),
    "what Claude Code sends": ask(
        thinking={"type": "adaptive", "display": "omitted"}, output_config={"effort": "medium"},
        context_management={"edits": []}, metadata={"user_id": "u"}, tools=TOOLS,
        system=[{"type": "text", "text": "s", "cache_control": {"type": "ephemeral"}}]),
}


def parse_sse(text):
    out = []
    for frame in text.decode().strip().split("\n\n"):
        name, data = frame.split("\n", 1)
        event = json.loads(data.removeprefix("data: "))
        assert name == f"event: {event['type']}", frame
        out.append(event)
    return out


class SimulatorTest(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.sim = Running()

    @classmethod
    def tearDownClass(cls):
        cls.sim.stop()

    def test_refuses_what_the_api_refuses(self):
        for name, (body, status, words) in REFUSED.items():
            with self.subTest(name):
                got, headers, text = self.sim.call(body)
                error = json.loads(text)
                self.assertEqual(got, status, text)
                self.assertEqual(error["type"], "error")
                self.assertIn(words, error["error"]["message"])
                self.assertEqual(error["request_id"], headers["request-id"])

    def test_accepts_what_the_api_accepts(self):
        for name, body in ACCEPTED.items():
            with self.subTest(name):
                status, _, text = self.sim.call(body)
                self.assertEqual(status, 200, text)

    def test_thoughts_between_tool_calls_may_be_longer_than_an_answer(self):
        headers = {"x-api-key": "k", "anthropic-version": "2023-06-01",
                   "anthropic-beta": "x-2025-01-01,interleaved-thinking-2025-05-14"}
        thinking = {"type": "enabled", "budget_tokens": 2048}
        for tools, status in ({"tools": TOOLS}, 200), ({}, 400):
            self.assertEqual(self.sim.call(ask(thinking=thinking, **tools), headers=headers)[0], status)

    def test_checks_the_headers(self):
        cases = [({}, 401), ({"x-api-key": "k"}, 400),
                 ({"x-api-key": "k", "anthropic-version": "new"}, 400),
                 ({"authorization": "Bearer k", "anthropic-version": "2026-10-21"}, 200)]
        for headers, status in cases:
            self.assertEqual(self.sim.call(ask(), headers=headers)[0], status, headers)

    def test_says_that_it_is_a_simulator(self):
        _, headers, text = self.sim.call(ask("Who are you?"))
        self.assertIn("simulator", json.loads(text)["content"][0]["text"])
        self.assertEqual(headers["x-simulator"], "claude_sim")

    def test_is_deterministic(self):
        first, second = (json.loads(self.sim.call(ask("same"))[2]) for _ in range(2))
        self.assertEqual(first["content"], second["content"])
        self.assertEqual(first["usage"], second["usage"])

    def test_streams_the_same_answer_in_the_documented_order(self):
        body = ask("x [[say one two three]]")
        whole = json.loads(self.sim.call(body)[2])
        stream = parse_sse(self.sim.call({**body, "stream": True})[2])
        self.assertEqual([event["type"] for event in stream],
                         ["message_start", "ping", "content_block_start"] +
                         ["content_block_delta"] * 3 +
                         ["content_block_stop", "message_delta", "message_stop"])
        text = "".join(e["delta"]["text"] for e in stream if e["type"] == "content_block_delta")
        self.assertEqual(text, whole["content"][0]["text"])
        self.assertEqual(text, "one two three")
        self.assertEqual(stream[-2]["usage"]["output_tokens"], whole["usage"]["output_tokens"])
        self.assertEqual(stream[-2]["usage"]["output_tokens"], 3)

    def test_follows_a_script_through_the_steps_of_a_turn(self):
        script = 'go [[tool look {"path": "a"}]] [[then]] [[tool look {"path": "b"}]] [[then]] [[say end]]'
        messages = [{"role": "user", "content": script}]
        seen = []
        for _ in range(3):
            answer = json.loads(self.sim.call(ask(messages=messages, tools=TOOLS))[2])
            seen.append(answer["content"][0].get("input", answer["content"][0].get("text")))
            messages += [{"role": "assistant", "content": answer["content"]},
                         {"role": "user", "content": [
                             {"type": "tool_result", "tool_use_id": b["id"], "content": "[[say no]]"}
                             for b in answer["content"] if b["type"] == "tool_use"]
                          + [{"type": "text", "text": "a client's reminder"}]}]
        self.assertEqual(seen, [{"path": "a"}, {"path": "b"}, "end"])
        messages[-1] = {"role": "user", "content": "and now?"}
        after = json.loads(self.sim.call(ask(messages=messages, tools=TOOLS))[2])
        self.assertIn("and now?", after["content"][0]["text"])

    def test_asks_for_the_tools_it_is_told_to_ask_for(self):
        body = ask('go [[tool look {"path": "a]]b"}]] [[tool look {"path": "c"}]]', tools=TOOLS)
        whole = json.loads(self.sim.call(body)[2])
        self.assertEqual(whole["stop_reason"], "tool_use")
        self.assertEqual([b["input"] for b in whole["content"]], [{"path": "a]]b"}, {"path": "c"}])
        stream = parse_sse(self.sim.call({**body, "stream": True})[2])
        for index, block in enumerate(whole["content"]):
            parts = [e["delta"]["partial_json"] for e in stream
                     if e["type"] == "content_block_delta" and e["index"] == index]
            self.assertEqual(json.loads("".join(parts)), block["input"])
        results = [{"type": "tool_result", "tool_use_id": b["id"], "content": f"out {b['input']['path']}"}
                   for b in whole["content"]]
        body["messages"] += [{"role": "assistant", "content": whole["content"]},
                             {"role": "user", "content": results}]
        after = json.loads(self.sim.call(body)[2])
        self.assertIn("Last tool output: out c", after["content"][0]["text"])
        self.assertEqual(after["stop_reason"], "end_turn")

    def test_stops_at_limits(self):
        long = json.loads(self.sim.call(ask("[[words 50]]", max_tokens=7))[2])
        self.assertEqual((long["stop_reason"], long["usage"]["output_tokens"]), ("max_tokens", 7))
        cut = json.loads(self.sim.call(ask("[[words 50]]", stop_sequences=["word3"]))[2])
        self.assertEqual((cut["stop_reason"], cut["stop_sequence"]), ("stop_sequence", "word3"))
        self.assertEqual(cut["content"][0]["text"], "word0 word1 word2 ")

    def test_counts_written_and_read_cache_tokens(self):
        body = ask("x", system=[{"type": "text", "text": "unique prefix " * 20,
                                 "cache_control": {"type": "ephemeral", "ttl": "1h"}}])
        first, second = (json.loads(self.sim.call(body)[2])["usage"] for _ in range(2))
        written = first["cache_creation"]["ephemeral_1h_input_tokens"]
        self.assertGreater(written, 0)
        self.assertEqual(first["cache_creation_input_tokens"], written)
        self.assertEqual(second["cache_read_input_tokens"], written)
        self.assertEqual(second["cache_creation_input_tokens"], 0)
        self.assertEqual(first["input_tokens"], second["input_tokens"])
        counted = json.loads(self.sim.call({"model": body["model"], "messages": body["messages"],
                                            "system": body["system"]},
                                           "/v1/messages/count_tokens")[2])["input_tokens"]
        self.assertEqual(counted, first["input_tokens"] + written)

    def test_fails_as_asked_in_the_prompt(self):
        for status, kind in ((429, "rate_limit_error"), (500, "api_error"), (529, "overloaded_error"),
                             (403, "permission_error")):
            got, headers, text = self.sim.call(ask(f"[[fail {status}]]"))
            self.assertEqual((got, json.loads(text)["error"]["type"]), (status, kind))
            self.assertEqual(headers["x-should-retry"], "false" if status == 403 else "true")
        self.assertEqual(self.sim.call(ask("[[fail 429 7]]"))[1]["retry-after"], "7")
        middle = parse_sse(self.sim.call(ask("[[fail-mid overloaded_error]]", stream=True))[2])
        self.assertEqual(middle[-1]["error"]["type"], "overloaded_error")
        self.assertEqual(middle[0]["type"], "message_start")
        self.assertTrue(self.sim.call(ask("[[cut]]", stream=True))[2].endswith(b"<cut>"))

    def test_lists_models(self):
        status, _, text = self.sim.call(b"", "/v1/models?limit=1000", "GET")
        self.assertEqual(status, 200)
        self.assertIn("claude-opus-5-5", [model["id"] for model in json.loads(text)["data"]])
        self.assertEqual(self.sim.call(b"", "/v1/models/claude-opus-5-5", "GET")[0], 200)
        self.assertEqual(self.sim.call(b"", "/v1/models/nothing", "GET")[0], 404)
        self.assertEqual(self.sim.call(b"", "/v1/nothing", "GET")[0], 404)

    def test_logs_the_exact_body_and_no_key(self):
        body = json.dumps(ask("logged")).encode() + b" \n"
        self.sim.call(body)
        with open(self.sim.log, encoding="utf-8") as log:
            text = log.read()
        self.assertTrue(base64.b64encode(body).decode() in text, "the body is not in the log")
        self.assertNotIn("sk-test", text)


class PlanTest(unittest.TestCase):
    def test_follows_the_fault_plan_and_the_key(self):
        sim = Running("--fail", "529*2,ok,429/3,500*", "--api-key", "sk-right")
        try:
            headers = {**KEY, "x-api-key": "sk-right"}
            self.assertEqual(sim.call(ask())[0], 401)
            got = [sim.call(ask(), headers=headers) for _ in range(6)]
            self.assertEqual([status for status, _, _ in got], [529, 529, 200, 429, 500, 500])
            self.assertEqual(got[3][1]["retry-after"], "3")
        finally:
            sim.stop()

    def test_refuses_a_plan_it_does_not_understand(self):
        done = subprocess.run([sys.executable, os.path.join(HERE, "claude_sim.py"), "--fail", "often"],
                              stderr=subprocess.PIPE, check=False)
        self.assertEqual(done.returncode, 2)
        self.assertIn(b"often", done.stderr)


class AccountTest(unittest.TestCase):
    ADMIN = {"x-api-key": "sk-ant-admin-test", "anthropic-version": "2023-06-01"}

    def report(self, running, name, headers=None, **query):
        group = "description" if name == "cost_report" else "model"
        fields = {"starting_at": time.strftime("%Y-%m-%dT00:00:00Z", time.gmtime(time.time() - 3 * 86400)),
                  "ending_at": time.strftime("%Y-%m-%dT00:00:00Z", time.gmtime(time.time() + 86400)),
                  "group_by[]": group, **query}
        return running.call(b"", f"/v1/organizations/{name}?{urllib.parse.urlencode(fields)}", "GET",
                            self.ADMIN if headers is None else headers)

    def test_adds_up_what_was_asked_and_tells_only_an_admin(self):
        running = Running("--admin-key", "sk-ant-admin-test", "--report-page", "3")
        self.addCleanup(running.stop)
        usage = [json.loads(running.call(ask("Hi " * n))[2])["usage"] for n in (1, 50)]
        self.assertEqual(self.report(running, "cost_report", headers=KEY)[0], 401)
        page = json.loads(self.report(running, "usage_report/messages")[2])
        self.assertEqual((len(page["data"]), page["has_more"]), (3, True))
        page = json.loads(self.report(running, "usage_report/messages", page=page["next_page"])[2])
        self.assertFalse(page["has_more"])
        found = page["data"][-1]["results"]
        self.assertEqual([one["uncached_input_tokens"] for one in found],
                         [sum(one["input_tokens"] for one in usage)])
        cost = json.loads(self.report(running, "cost_report", page="page_3")[2])
        cents = sum(float(one["amount"]) for one in cost["data"][-1]["results"])
        tokens = [sum(one[kind] for one in usage) for kind in ("input_tokens", "output_tokens")]
        self.assertAlmostEqual(cents, (tokens[0] * 4 + tokens[1] * 20) / 1e6 * 100, places=6)

    def test_tells_nothing_of_the_latest_while_it_lags(self):
        running = Running("--admin-key", "sk-ant-admin-test", "--report-lag-s", "3600")
        self.addCleanup(running.stop)
        running.call(ask())
        page = json.loads(self.report(running, "usage_report/messages")[2])
        self.assertEqual([bucket["results"] for bucket in page["data"]], [[]] * 4)


class Batches(unittest.TestCase):
    def setUp(self):
        self.running = Running("--batch-ms", "300", "--batch-cut", "1")
        self.addCleanup(self.running.stop)

    def call(self, method, path="", body=None):
        status, _, text = self.running.call(b"" if body is None else body, "/v1/messages/batches" + path, method)
        return status, text

    def make(self, **items):
        body = {"requests": [{"custom_id": name, "params": params} for name, params in items.items()]}
        return self.call("POST", body=body)

    def test_one_that_was_cut_was_made_and_the_next_is_told_of(self):
        with self.assertRaises((ConnectionError, http.client.RemoteDisconnected)):
            self.make(a=ask())
        status, text = self.make(a=ask("[[say hello]]"), b=ask("[[fail 529]]"), c=ask("[[batch-expire]]"),
                                 d=ask(stream=True))
        self.assertEqual((status, json.loads(text)["processing_status"]), (200, "in_progress"))
        listed = json.loads(self.call("GET")[1])["data"]
        self.assertEqual(len(listed), 2)
        path = "/" + json.loads(text)["id"]
        self.assertEqual(self.call("GET", path + "/results")[0], 404)
        time.sleep(0.4)
        counts = json.loads(self.call("GET", path)[1])["request_counts"]
        self.assertEqual(counts, {"processing": 0, "succeeded": 1, "errored": 2, "canceled": 0, "expired": 1})
        lines = [json.loads(line) for line in self.call("GET", path + "/results")[1].splitlines()]
        self.assertEqual(lines[0]["result"]["message"]["usage"]["service_tier"], "batch")
        self.assertEqual(lines[1]["result"]["error"]["error"]["type"], "overloaded_error")
        self.assertIn("stream", lines[3]["result"]["error"]["error"]["message"])

    def test_one_that_is_cancelled_answers_nothing_more(self):
        with self.assertRaises((ConnectionError, http.client.RemoteDisconnected)):
            self.make(a=ask())
        path = "/" + json.loads(self.make(a=ask())[1])["id"]
        self.assertEqual(json.loads(self.call("POST", path + "/cancel")[1])["request_counts"]["canceled"], 1)
        self.assertEqual(self.make(**{"not an id": ask()})[0], 400)
        self.assertEqual(self.call("GET", "/msgbatch_unknown")[0], 404)


if __name__ == "__main__":
    unittest.main()

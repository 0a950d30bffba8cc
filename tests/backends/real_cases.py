"""What holds for every real server behind the gateway. Mixed into a TestCase that starts one."""

import json
import os
import urllib.request

import real
from dialects import DIALECTS, TOOL, ask
from rig import Rig, wait_until

HELLO = [("user", "Write one sentence about the sea.")]
LIMIT = 24
CONTEXT = 2048


def post(url, value):
    request = urllib.request.Request(url, json.dumps(value).encode(), {"content-type": "application/json"})
    with urllib.request.urlopen(request, timeout=120) as response:
        return json.loads(response.read())


class RealServerCases:
    """A subclass has kind, model, start_server(folder, model file), direct() and busy()."""

    @classmethod
    def setUpClass(cls):
        path = real.model_file("smollm2")
        cls.rig = Rig()
        try:
            cls.server = cls.start_server(cls.rig.folder, path)
            cls.rig.running.append(cls.server)
            cls.rig.declare(cls.kind, "other", cls.server.url, {"context_tokens": CONTEXT})
            cls.gateway = cls.rig.open(model_file=path)
            cls.rig.wait_for("other/" + cls.model)
        except BaseException:
            cls.rig.close()
            raise

    @classmethod
    def tearDownClass(cls):
        cls.rig.close()

    def ask(self, dialect, turns, stream=False, **more):
        return ask(self.gateway, dialect, "other/" + self.model, turns, stream, **more)

    def test_gives_what_the_server_gives_without_us_in_every_dialect(self):
        text, reason, input_tokens, output_tokens = self.direct()
        self.assertTrue(text)
        for dialect, speaker in DIALECTS.items():
            for stream in (False, True):
                with self.subTest(dialect, stream=stream):
                    answer = self.ask(dialect, HELLO, stream, limit=LIMIT, temperature=0)
                    self.assertEqual((answer.status, answer.text), (200, text), answer.raw)
                    self.assertEqual(answer.reason, speaker.reasons[reason])
                    self.assertEqual((answer.input_tokens, answer.output_tokens), (input_tokens, output_tokens))
                    self.assertEqual(answer.headers["x-tophand-backend"], "other")

    def test_what_does_not_fit_and_images_are_the_clients_errors(self):
        for dialect in DIALECTS:
            with self.subTest(dialect):
                answer = self.ask(dialect, [("user", "word " * 5000)])
                self.assertEqual(answer.status, 400, answer.raw)
                self.assertIn(str(CONTEXT), answer.error)
                answer = self.ask(dialect, [("image", "AAAA")])
                self.assertEqual(answer.status, 400, answer.raw)

    def test_a_client_that_hangs_up_stops_the_work(self):
        speaker = DIALECTS["anthropic"]
        body = speaker.body("other/" + self.model, [("user", "Count from one to a thousand.")], stream=True, limit=1500)
        connection, response = self.gateway.open("POST", speaker.path, body, {"anthropic-version": "2023-06-01"})
        response.read(200)
        self.assertTrue(self.busy())
        connection.close()
        wait_until(lambda: not self.busy(), "an idle server", 20)


class RealToolCases:
    """Tool calls need a model that can make them; the tests' own is too small, and a larger one takes
    minutes. By hand: TOPHAND_TEST_REAL_TOOLS=1. The subclass has open(), which returns a gateway and the name of a
    model; or kind, model and start_server(folder, model file)."""

    def setUp(self):
        if not os.environ.get("TOPHAND_TEST_REAL_TOOLS"):
            self.skipTest("takes minutes: TOPHAND_TEST_REAL_TOOLS=1")
        self.rig = Rig()
        self.addCleanup(self.rig.close)

    def open(self):
        server = self.start_server(self.rig.folder, real.model_file("qwen-0.5b"))
        self.rig.running.append(server)
        self.rig.declare(self.kind, "other", server.url, {"context_tokens": CONTEXT})
        gateway = self.rig.open()
        self.rig.wait_for("other/" + self.model)
        return gateway, "other/" + self.model

    def test_a_tool_call_goes_out_and_its_result_comes_back(self):
        gateway, model = self.open()
        turns = [("user", "What is the weather like in Paris? Use the tool get_weather.")]
        for dialect, speaker in DIALECTS.items():
            for stream in (False, True):
                with self.subTest(dialect, stream=stream):
                    called = ask(gateway, dialect, model, turns, stream, tools=True, temperature=0)
                    self.assertEqual([name for _, name, _ in called.tools], [TOOL[0]], called.raw)
                    arguments = called.tools[0][2]
                    self.assertEqual(list(arguments), ["city"])
                    self.assertIn("Paris", arguments["city"])
                    self.assertEqual(called.reason, speaker.reasons["tools"])
                    back = turns + [("calls", called.tools), ("results", [(called.tools[0][0], TOOL[0], "22 degrees")])]
                    self.assertTrue(ask(gateway, dialect, model, back, stream, limit=30).text)

"""What reaches a client when a backend refuses, breaks off, says nothing or is not there, and what reaches
the backend when the client goes away."""

import json
import pathlib
import socket
import time
import unittest

from dialects import DIALECTS, ask
from rig import KINDS, EveryKind, Rig, model_of, start_simulator, wait_until
from script import Script

HELLO = [("user", "Hello there.")]


def pairs():
    return [(kind, dialect) for kind in KINDS for dialect in DIALECTS]


class FailuresTest(EveryKind, unittest.TestCase):
    def play(self, kind, dialect, script, stream=False, turns=HELLO):
        self.simulators[kind].script = script
        return ask(self.gateway, dialect, self.name(kind), turns, stream)

    def only_row(self, answer):
        rows = self.gateway.rows(answer.headers["x-request-id"])
        self.assertEqual(len(rows), 1, rows)
        return rows[0]

    def test_a_refusal_keeps_its_meaning_and_its_words(self):
        # A wrong key is the operator's mistake, not the client's: never a 401.
        cases = ((400, {400}), (401, {500, 502, 503}), (429, {429, 503, 529}), (500, {500, 502, 503}),
                 (503, {503, 529}))
        for kind, dialect in pairs():
            for status, expected in cases:
                for stream in (False, True):
                    with self.subTest(kind, dialect=dialect, status=status, stream=stream):
                        script = Script(status=status, message="the reason is blue")
                        answer = self.play(kind, dialect, script, stream)
                        self.assertIn(answer.status, expected, answer.raw)
                        if status != 401:
                            self.assertIn("the reason is blue", answer.error)

    def test_retry_after_is_passed_on(self):
        for kind, dialect in pairs():
            with self.subTest(kind, dialect=dialect):
                answer = self.play(kind, dialect, Script(status=429, headers={"retry-after": "17"}))
                self.assertEqual(answer.headers.get("retry-after"), "17", answer.raw)

    def test_an_error_inside_a_stream_before_content_is_still_a_status(self):
        """With nobody else to ask, in a 200 stream of the backend's."""
        for kind, dialect in pairs():
            for stream in (False, True):
                with self.subTest(kind, dialect=dialect, stream=stream):
                    answer = self.play(kind, dialect, Script(error_after=0, message="out of memory"), stream)
                    self.assertIn(answer.status, (500, 502, 503), answer.raw)
                    cuts = kind == "text-generation-webui" and stream  # it has no error event: it hangs up
                    self.assertIn("cut short" if cuts else "out of memory", answer.error)
                    self.assertEqual(self.only_row(answer)["outcome"], "failed")

    def test_an_error_inside_a_stream_after_content_ends_it_in_the_dialects_own_form(self):
        for kind, dialect in pairs():
            with self.subTest(kind, dialect=dialect):
                answer = self.play(kind, dialect, Script(error_after=2, message="out of memory"), stream=True)
                self.assertEqual(answer.status, 200, answer.raw)
                self.assertTrue(answer.error, answer.raw)
                self.assertEqual(self.only_row(answer)["outcome"], "partial")

    def test_a_stream_that_is_cut_anywhere_gives_no_byte_twice_and_one_row(self):
        script = Script(pieces=tuple(f"{number} " for number in range(12)))
        for kind, dialect in pairs():
            simulator = self.simulators[kind]
            whole = b"".join(frame for frame, _ in simulator.kind.frames(script, {"model": model_of(kind)}))
            for cut_at in range(0, len(whole) - 1, max(1, len(whole) // 23)):
                with self.subTest(kind, dialect=dialect, cut_at=cut_at):
                    answer = self.play(kind, dialect, Script(pieces=script.pieces, cut_at=cut_at), stream=True)
                    if answer.status != 200:
                        self.assertGreaterEqual(answer.status, 500)
                    elif answer.error:
                        self.assertTrue(script.text.startswith(answer.text), answer.text)
                    else:  # the cut came after everything that counts
                        self.assertEqual(answer.text, script.text)
                    self.only_row(answer)

    def test_a_model_that_is_loading_is_told_as_such(self):
        for kind in ("llama-server", "localai", "ollama"):
            simulator = self.simulators[kind]
            simulator.loading = True
            self.addCleanup(setattr, simulator, "loading", False)
            for dialect in DIALECTS:
                with self.subTest(kind, dialect=dialect):
                    answer = ask(self.gateway, dialect, self.name(kind), HELLO)
                    self.assertIn(answer.status, (503, 529), answer.raw)
            simulator.loading = False

    def test_a_client_that_hangs_up_frees_the_backend(self):
        """Within 250 ms: the median of five, so that a busy machine is no failure; all of them in the end."""
        for kind in KINDS:
            for stall_after in (0, 2):  # while the prompt is read, and between two words
                with self.subTest(kind, stall_after=stall_after):
                    took = sorted(self.hang_up(kind, stall_after) for _ in range(5))
                    self.assertLess(took[2], 0.25, took)

    def hang_up(self, kind, stall_after):
        simulator = self.simulators[kind]
        simulator.script = Script(stall_after=stall_after)
        before = len(simulator.chats())
        speaker = DIALECTS["openai"]
        body = json.dumps(speaker.body(self.name(kind), HELLO, stream=True)).encode()
        with socket.create_connection(("127.0.0.1", self.gateway.port), timeout=30) as raw:
            raw.sendall((f"POST {speaker.path} HTTP/1.1\r\nhost: 127.0.0.1:{self.gateway.port}\r\n"
                         f"authorization: Bearer {self.gateway.key}\r\ncontent-type: application/json\r\n"
                         f"content-length: {len(body)}\r\n\r\n").encode() + body)
            wait_until(lambda: len(simulator.chats()) > before, "the request upstream", 20)
            if stall_after:
                text = b""
                while b"Hello" not in text:
                    text += raw.recv(65536)
        left = time.monotonic()
        seen = simulator.chats()[-1]
        wait_until(lambda: seen.left_at, "the upstream connection closed", 20)
        return seen.left_at - left


def kept(port):
    """A socket that holds the port without listening, so that no outgoing connection is given it."""
    keeper = socket.socket()
    keeper.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    keeper.bind(("127.0.0.1", port))
    return keeper


class ComingAndGoingTest(unittest.TestCase):
    """Backends are found, lost and found again while the gateway runs."""

    def setUp(self):
        self.rig = Rig()
        self.addCleanup(self.rig.close)

    def listed(self):
        return {model["id"] for model in self.gateway.call("GET", "/v1/models").json()["data"]}

    def test_a_backend_that_is_down_at_the_start_is_found_when_it_comes_up(self):
        late = {}
        for kind in KINDS:
            simulator = start_simulator(kind)  # to learn a free port
            simulator.stop()
            late[kind] = kept(simulator.port)
            self.rig.declare(kind, "b-" + kind, simulator.url)
        self.gateway = self.rig.open()
        for kind in KINDS:
            answer = ask(self.gateway, "openai", f"b-{kind}/{model_of(kind)}", HELLO)
            self.assertIn(answer.status, (404, 503), answer.raw)
        for kind, keeper in late.items():
            port = keeper.getsockname()[1]
            keeper.close()
            self.rig.running.append(start_simulator(kind, port))
        self.rig.wait_for(*(f"b-{kind}/{model_of(kind)}" for kind in KINDS))
        for kind in KINDS:
            with self.subTest(kind):
                self.assertEqual(ask(self.gateway, "openai", f"b-{kind}/{model_of(kind)}", HELLO).status, 200)

    def test_a_backend_that_dies_is_an_error_that_names_it(self):
        simulators = {kind: self.rig.simulator_of(kind, "b-" + kind) for kind in KINDS}
        self.gateway = self.rig.open()
        self.rig.wait_for(*(f"b-{kind}/{model_of(kind)}" for kind in KINDS))
        for simulator in simulators.values():
            simulator.stop()
        for kind, dialect in pairs():
            with self.subTest(kind, dialect=dialect):
                answer = ask(self.gateway, dialect, f"b-{kind}/{model_of(kind)}", HELLO)
                self.assertIn(answer.status, (502, 503), answer.raw)
                self.assertIn("b-" + kind, answer.error)

    def test_models_with_slashes_are_asked_for_by_their_whole_name(self):
        name = "Qwen/Qwen3-8B"
        simulator = self.rig.simulator_of("vllm", "gpu", models=(name,))
        self.gateway = self.rig.open()
        self.rig.wait_for("gpu/" + name)
        for asked in ("gpu/" + name, name):
            with self.subTest(asked):
                self.assertEqual(ask(self.gateway, "anthropic", asked, HELLO).status, 200)
                self.assertEqual(simulator.chats()[-1].json()["model"], name)

    def test_only_the_models_named_in_the_configuration_are_offered(self):
        self.rig.simulator_of("vllm", "gpu", {"models": '["one"]'}, models=("one", "two"))
        self.gateway = self.rig.open()
        self.rig.wait_for("gpu/one")
        self.assertNotIn("gpu/two", self.listed())

    def test_the_backends_own_key_is_sent_and_nothing_of_the_clients(self):
        simulators = {}
        for kind in ("openai", "vllm", "llama-server", "localai", "text-generation-webui"):
            key = self.rig_file(kind + ".key", "own-" + kind)
            simulators[kind] = self.rig.simulator_of(kind, "b-" + kind, {"key_file": f'"{key}"'},
                                                     api_key="own-" + kind)
        self.gateway = self.rig.open()
        for kind, simulator in simulators.items():
            with self.subTest(kind):
                self.rig.wait_for(f"b-{kind}/sim-7b")
                self.assertEqual(ask(self.gateway, "openai", f"b-{kind}/sim-7b", HELLO).status, 200)
                for seen in simulator.requests:
                    self.assertNotIn(self.gateway.key, json.dumps(seen.headers))
                    self.assertFalse([name for name in seen.headers if name.startswith("x-tophand")])

    def rig_file(self, name, text):
        path = pathlib.Path(self.rig.folder) / name
        path.write_text(text)
        path.chmod(0o600)
        return path


if __name__ == "__main__":
    unittest.main()

"""Another gateway as a backend: its own engine answers, both ledgers say the same."""

import json
import pathlib
import unittest

from dialects import DIALECTS, ask
from rig import Rig

HELLO = [("user", "Hello there.")]


class PeerTest(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.rigs = [Rig(), Rig()]
        try:
            cls.far = cls.rigs[0].open()
            cls.far.worker_pid()
            key = pathlib.Path(cls.rigs[1].folder) / "peer.key"
            key.write_text(cls.far.key)
            key.chmod(0o600)
            cls.rigs[1].declare("tophand", "peer", cls.far.url, {"key_file": f'"{key}"'})
            cls.near = cls.rigs[1].open()
            cls.rigs[1].wait_for("peer/" + cls.far.model)
        except BaseException:
            cls.tearDownClass()
            raise

    @classmethod
    def tearDownClass(cls):
        for rig in cls.rigs:
            rig.close()

    def test_its_own_engine_answers_in_every_dialect(self):
        for dialect in DIALECTS:
            for stream in (False, True):
                with self.subTest(dialect, stream=stream):
                    answer = ask(self.near, dialect, "peer/" + self.far.model, HELLO, stream, limit=8)
                    self.assertEqual((answer.status, answer.error), (200, ""), answer.raw)
                    self.assertEqual(answer.headers["x-tophand-backend"], "peer")
                    near = self.near.rows(answer.headers["x-request-id"])[0]
                    far = max(self.far.rows(), key=lambda row: row["started_ms"])
                    self.assertEqual((near["backend"], far["backend"]), ("peer", "local"))
                    for count in ("input_tokens", "output_tokens"):
                        self.assertEqual(near[count], far[count])
                    self.assertEqual(near["output_tokens"], answer.output_tokens)

    def test_two_gateways_that_list_each_other_do_not_pass_a_request_around(self):
        body = DIALECTS["openai"].body("peer/" + self.far.model, HELLO)
        got = self.near.post("/v1/chat/completions", body, headers={"x-tophand-hops": "9"})
        self.assertGreaterEqual(got.status, 400, got.body)
        self.assertIn("message", json.loads(got.body)["error"])


if __name__ == "__main__":
    unittest.main()

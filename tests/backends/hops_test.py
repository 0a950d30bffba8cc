"""A gateway whose only other backend is itself: what it cannot answer must not go round for ever."""

import json
import pathlib
import socket
import threading
import unittest

from rig import Rig
from harness import run_tophand


class Relay:
    """A port that leads to one chosen later: the gateway's own is known only once it runs."""

    def __init__(self):
        self.listener = socket.create_server(("127.0.0.1", 0))
        self.port = self.listener.getsockname()[1]
        self.target = None
        threading.Thread(target=self.serve, daemon=True).start()

    def serve(self):
        while True:
            try:
                client, _ = self.listener.accept()
            except OSError:
                return  # closed
            if self.target is None:
                client.close()
                continue
            server = socket.create_connection(("127.0.0.1", self.target))
            for a, b in ((client, server), (server, client)):
                threading.Thread(target=self.copy, args=(a, b), daemon=True).start()

    def copy(self, source, sink):
        try:
            while data := source.recv(65536):
                sink.sendall(data)
            sink.shutdown(socket.SHUT_WR)
        except OSError:
            pass  # one side has gone

    def stop(self):
        self.listener.close()


class HopsTest(unittest.TestCase):
    def test_a_gateway_that_lists_itself_does_not_loop(self):
        rig = Rig()
        self.addCleanup(rig.close)
        relay = Relay()
        rig.running.append(relay)
        folder = pathlib.Path(rig.folder)
        key = folder / "key"
        rig.config = '[server]\nallowed_hosts = ["127.0.0.1"]\n'  # at the relay's port
        rig.declare("tophand", "mirror", f"http://127.0.0.1:{relay.port}",
                    {"models": '["nowhere"]', "key_file": f'"{key}"'})
        key.touch(mode=0o600)
        key.write_text("th-not-made-yet")
        gateway = rig.open()
        gateway.stop()
        made = run_tophand("keys", "create", "mirror", "--data", str(gateway.data), env=gateway.env)
        self.assertEqual(made.returncode, 0, made.stderr)
        key.write_text(next(word for word in made.stdout.split() if word.startswith("th-")))
        gateway.start()
        relay.target = gateway.port

        answer = gateway.post("/v1/chat/completions", {
            "model": "nowhere", "messages": [{"role": "user", "content": "hello"}]})
        self.assertGreaterEqual(answer.status, 400)
        self.assertIn("went through 3 gateways", json.dumps(answer.json()))
        # The first, and one for each hop.
        self.assertEqual(len(gateway.rows()), 4)


if __name__ == "__main__":
    unittest.main()

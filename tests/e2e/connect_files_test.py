"""`tophand connect` where the user's files are not what it hopes for, and what becomes of its keys.

That the real clients read what it writes is tested in tests/clients."""

import json
import os
import pathlib
import socket
import subprocess
import tempfile
import unittest

from harness import TOPHAND, environment, run_tophand


class ConnectTest(unittest.TestCase):
    def setUp(self):
        folder = tempfile.TemporaryDirectory(prefix="tophand-connect-")
        self.addCleanup(folder.cleanup)
        self.home = pathlib.Path(folder.name)
        self.settings = self.home / ".claude/settings.json"
        self.codex = self.home / ".codex/tophand.config.toml"
        self.env = environment(HOME=str(self.home), XDG_DATA_HOME=str(self.home / "data"))

    def tophand(self, *words, code=0):
        done = run_tophand(*words, env=self.env, timeout=30)
        self.assertEqual(done.returncode, code, done.stdout + done.stderr)
        return done.stdout + done.stderr

    def connect(self, client, *words, code=0):
        return self.tophand("connect", client, "--yes", *words, code=code)

    def write(self, path, text):
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)

    def keys(self):
        return [key["name"] for key in json.loads(self.tophand("keys", "list", "--json"))["keys"]]

    def test_refuses_what_is_no_plain_file(self):
        self.settings.mkdir(parents=True)
        self.assertIn("not a regular file", self.connect("claude-code", code=2))
        self.settings.rmdir()
        os.mkfifo(self.settings)
        self.assertIn("not a regular file", self.connect("claude-code", code=2))
        self.settings.unlink()
        self.settings.symlink_to("nowhere.json")
        self.assertIn("link to a file that is not there", self.connect("claude-code", code=1))
        self.assertEqual(os.readlink(self.settings), "nowhere.json")
        self.assertEqual(self.keys(), [])

    def test_refuses_what_it_could_not_give_back(self):
        self.codex.parent.mkdir()
        self.codex.write_bytes(b'model="x"  # \xe9\n')
        self.assertIn("not UTF-8", self.connect("codex", code=2))
        self.assertEqual(self.codex.read_bytes(), b'model="x"  # \xe9\n')

    def test_a_key_that_was_replaced_is_revoked(self):
        self.connect("claude-code")
        self.assertEqual(self.keys(), ["connect claude-code"])
        self.connect("claude-code", "--url", "http://10.0.0.5:7433", "--key", "th-abc")
        self.assertEqual(self.keys(), [])
        self.connect("claude-code")
        self.assertEqual(self.keys(), ["connect claude-code"])
        key = json.loads(self.settings.read_text())["env"]["ANTHROPIC_AUTH_TOKEN"]
        self.connect("claude-code", "--url", "http://10.0.0.5:7433", "--key", key)  # its own
        self.assertEqual(self.keys(), ["connect claude-code"])
        self.connect("claude-code", "--undo")
        self.assertEqual(self.keys(), [])
        self.assertFalse(self.settings.exists())

    def test_finds_the_gateway_that_runs_where_it_was_told_to(self):
        with socket.create_server(("127.0.0.1", 0)) as free:
            fixed = f"127.0.0.1:{free.getsockname()[1]}"
        for listen in ("127.0.0.1:0", fixed):
            serve = subprocess.Popen([TOPHAND, "serve", "--listen", listen, "--no-preload", "--no-first-key"],
                                     env=self.env, stdout=subprocess.PIPE, text=True)
            self.addCleanup(serve.communicate)
            self.addCleanup(serve.terminate)
            serve.stdout.readline()
            said = self.connect("claude-code")
            self.assertEqual("took any free port" in said, listen != fixed, said)
            url = json.loads(self.settings.read_text())["env"]["ANTHROPIC_BASE_URL"]
            # Any port is another one the next time: the configuration's is better.
            self.assertEqual(url, f"http://{fixed}" if listen == fixed else "http://127.0.0.1:7433")
            serve.terminate()
            serve.wait()
        self.connect("claude-code")
        url = json.loads(self.settings.read_text())["env"]["ANTHROPIC_BASE_URL"]
        self.assertEqual(url, "http://127.0.0.1:7433")

    def test_another_machines_gateway_needs_a_key_of_its_own(self):
        refused = self.connect("claude-code", "--url", "http://203.0.113.9:7433", code=2)
        self.assertIn("give a key of its, too, with --key", refused)
        self.assertEqual(self.keys(), [])
        self.assertFalse(self.settings.exists())
        self.env["TOPHAND_URL"] = "http://203.0.113.9:7433/"
        self.assertIn("TOPHAND_URL names the gateway of another machine", self.connect("claude-code", code=2))
        self.connect("claude-code", "--key", "th-given")
        url = json.loads(self.settings.read_text())["env"]["ANTHROPIC_BASE_URL"]
        self.assertEqual(url, "http://203.0.113.9:7433")
        del self.env["TOPHAND_URL"]
        self.connect("claude-code", "--url", "http://localhost:7433")
        self.assertEqual(self.keys(), ["connect claude-code"])

    def test_an_empty_key_is_refused(self):
        for key in ("", "a b"):
            self.assertIn("--key: expected", self.connect("claude-code", "--key", key, code=2))
        self.assertFalse(self.settings.exists())

    def test_shows_no_secret(self):
        self.write(self.settings, '{"env": {"ANTHROPIC_API_KEY": "sk-ant-api03-mine"}}')
        shown = self.connect("claude-code")
        key = json.loads(self.settings.read_text())["env"]["ANTHROPIC_AUTH_TOKEN"]
        shown += self.connect("claude-code", "--url", "http://10.0.0.5:7433", "--key", "th-of-another")
        shown += self.connect("claude-code", "--undo")
        for secret in (key, "mine", "th-of-another"):
            self.assertNotIn(secret, shown)
        self.assertIn('"ANTHROPIC_AUTH_TOKEN": "th-..."', shown)

    def test_a_file_with_the_name_of_the_copy_is_the_users(self):
        self.write(self.settings, '{"mine": 1}')
        theirs = self.settings.parent / "settings.json.before-tophand"
        theirs.write_text("keep me")
        self.connect("claude-code")
        self.assertEqual(theirs.read_text(), "keep me")
        ours = self.settings.parent / "settings.json.before-tophand.2"
        self.assertEqual(ours.read_text(), '{"mine": 1}')
        self.connect("claude-code", "--undo")
        self.assertEqual(theirs.read_text(), "keep me")
        self.assertFalse(ours.exists())
        self.assertEqual(self.settings.read_text(), '{"mine": 1}')

    def test_a_copy_from_before_copies_had_names_goes_with_the_connection(self):
        self.write(self.settings, '{"mine": 1}')
        self.connect("claude-code")
        record = self.home / "data/tophand/connect/claude-code.json"
        old = json.loads(record.read_text())
        del old["copy"]
        record.write_text(json.dumps(old))
        self.connect("claude-code", "--undo")
        self.assertEqual(list(self.settings.parent.iterdir()), [self.settings])

    def test_a_write_that_fails_leaves_nothing_behind(self):
        self.env["CLAUDE_CONFIG_DIR"] = "/proc"  # where nobody can make a file
        self.assertIn("write /proc/settings.json", self.connect("claude-code", code=1))
        self.assertEqual(self.keys(), [])
        self.assertEqual(list((self.home / "data/tophand/connect").iterdir()), [])
        (self.home / ".codex").write_text("a file")
        self.assertIn("Not a directory", self.connect("codex", code=1))
        self.assertEqual(self.keys(), [])

    def test_a_write_that_fails_leaves_the_connection_before_it(self):
        self.connect("claude-code")
        before = self.settings.read_text()
        self.env["CLAUDE_CONFIG_DIR"] = "/proc"
        self.connect("claude-code", code=1)
        self.assertEqual(self.keys(), ["connect claude-code"])
        self.assertEqual(self.settings.read_text(), before)
        self.connect("claude-code", "--undo")
        self.assertFalse(self.settings.exists())
        self.assertEqual(self.keys(), [])


if __name__ == "__main__":
    unittest.main()

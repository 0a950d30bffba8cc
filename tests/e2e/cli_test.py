"""The command line: help everywhere, exit codes that scripts can rely on, the configuration check."""

import json
import os
import pathlib
import re
import signal
import socket
import subprocess
import sys
import tempfile
import unittest

from harness import TOPHAND, environment, run_tophand, wait_until


class CliTest(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.folder = tempfile.TemporaryDirectory(prefix="tophand-cli-")
        cls.env = environment(XDG_DATA_HOME=cls.folder.name + "/data",
                              XDG_CONFIG_HOME=cls.folder.name + "/config")

    @classmethod
    def tearDownClass(cls):
        cls.folder.cleanup()

    def run_with(self, *words, **more):
        return run_tophand(*words, env={**self.env, **more})

    def commands(self):
        """Every command that the overview names."""
        overview = self.run_with("--help")
        self.assertEqual(overview.returncode, 0)
        names = re.findall(r"^  ([a-z]+(?: [a-z]+)?)  ", overview.stdout, re.MULTILINE)
        self.assertTrue({"serve", "ask", "savings", "config check"} <= set(names), overview.stdout)
        return names

    def test_has_help_for_every_command(self):
        for name in self.commands():
            with self.subTest(name):
                shown = self.run_with(*name.split(), "--help")
                self.assertEqual(shown.returncode, 0, shown.stderr)
                self.assertIn(f"usage: tophand {name}", shown.stdout)

    def test_refuses_a_wrong_option_of_every_command_with_2(self):
        for name in self.commands():
            with self.subTest(name):
                refused = self.run_with(*name.split(), "--no-such-option")
                self.assertEqual(refused.returncode, 2, refused.stderr)
                self.assertIn("--no-such-option", refused.stderr)
                self.assertEqual(refused.stdout, "")

    def test_says_that_it_does_not_know_a_log_level(self):
        told = self.run_with("version", TOPHAND_LOG="loud")
        self.assertEqual(told.returncode, 0)
        self.assertIn("TOPHAND_LOG=loud is none of debug, info, warn, error and off", told.stderr)
        for level in ("debug", "info", "off"):
            self.assertEqual(self.run_with("version", TOPHAND_LOG=level).stderr, "")

    def test_refuses_unknown_commands_with_2_and_a_hint(self):
        refused = self.run_with("savigns")
        self.assertEqual(refused.returncode, 2)
        self.assertIn("savings", refused.stderr)

    def run_into(self, stdout, *words):
        return subprocess.run([TOPHAND, *words], stdout=stdout, stderr=subprocess.PIPE, text=True,
                              env=self.env, timeout=120)

    def test_says_1_when_the_output_cannot_be_written(self):
        for words in (["--help"], ["version"], ["list"], ["config", "show"], ["completion", "bash"],
                      ["prices"]):
            with self.subTest(words), open("/dev/full", "w") as full:
                lost = self.run_into(full, *words)
                self.assertEqual(lost.returncode, 1, lost.stderr)
                self.assertIn("cannot write the output: No space left on device", lost.stderr)

    def test_is_quiet_when_the_reader_has_left(self):
        ours, theirs = os.pipe()
        os.close(ours)
        left = self.run_into(theirs, "list", "--json")
        os.close(theirs)
        self.assertEqual((left.returncode, left.stderr), (0, ""))

    def test_takes_a_key_back_that_nobody_could_read(self):
        with open("/dev/full", "w") as full:
            lost = self.run_into(full, "keys", "create", "lost")
        self.assertEqual(lost.returncode, 1, lost.stderr)
        self.assertIn("it is revoked", lost.stderr)
        self.assertNotIn("lost", self.run_with("keys", "list").stdout)

    def test_says_3_when_the_named_gateway_is_not_there(self):
        for words in (["ask", "hello"], ["savings"]):
            refused = self.run_with(*words, TOPHAND_URL="http://127.0.0.1:9")
            self.assertEqual(refused.returncode, 3, refused.stderr)
            self.assertIn("tophand serve", refused.stderr)

    def test_a_folder_without_a_ledger_is_said_and_not_made(self):
        typo = pathlib.Path(self.folder.name) / "typo"
        policy = pathlib.Path(self.folder.name) / "policy.toml"
        policy.write_text("")
        for words in (["savings", "--json"], ["savings", "--since", "7d"], ["budget"], ["ledger", "head"],
                      ["replay", "--policy", str(policy)]):
            told = self.run_with(*words, "--data", str(typo))
            self.assertEqual((told.returncode, told.stdout), (3, ""), words)
            self.assertIn(f"there is no ledger at {typo}/ledger.db", told.stderr)
        self.assertEqual(self.run_with("keys", "list", "--data", str(typo)).returncode, 0)
        revoked = self.run_with("keys", "revoke", "k1", "--data", str(typo))
        self.assertEqual(revoked.returncode, 1)
        self.assertIn("its folder must be there", revoked.stderr)
        self.assertFalse(typo.exists())
        self.assertEqual(self.run_with("savings", "--since", "soon").returncode, 2)
        self.assertEqual(self.run_with("savings", "--json", "--csv").returncode, 2)

    def test_a_folder_that_cannot_be_looked_at_is_not_an_empty_one(self):
        folder = pathlib.Path(self.folder.name) / "circle"
        folder.mkdir()
        (folder / "ledger.db").symlink_to("ledger.db")  # root may look at every other
        told = self.run_with("budget", "--data", str(folder))
        self.assertEqual(told.returncode, 1, told.stderr)
        self.assertIn(f"cannot look at {folder}/ledger.db", told.stderr)

    def test_the_key_of_the_commands_is_made_anew_when_it_is_revoked(self):
        data = pathlib.Path(self.folder.name) / "revoked"
        self.assertEqual(self.run_with("keys", "create", "cli", "--data", str(data)).returncode, 2)
        self.assertEqual(self.run_with("keys", "revoke", "--data", str(data)).returncode, 2)  # which?
        self.assertEqual(self.run_with("keys", "revoke", "cli", "--data", str(data)).returncode, 3)
        serve = subprocess.Popen([TOPHAND, "serve", "--listen", "127.0.0.1:0", "--no-preload", "--no-first-key",
                                  "--data", str(data)], env=self.env, stdout=subprocess.PIPE, text=True)
        self.addCleanup(serve.communicate)
        self.addCleanup(serve.terminate)
        url = serve.stdout.readline().split()[-1]
        old = (data / "run/cli-key").read_text().strip()
        self.assertEqual(self.run_with("savings", "--data", str(data)).returncode, 0)
        revoked = self.run_with("keys", "revoke", "cli", "--data", str(data))
        self.assertEqual(revoked.returncode, 0, revoked.stderr)
        self.assertIn("the commands have a new one", revoked.stderr)
        self.assertEqual(self.run_with("savings", "--data", str(data)).returncode, 0)
        stranger = self.run_with("savings", "--data", str(data), TOPHAND_URL=url, TOPHAND_KEY=old)
        self.assertNotEqual(stranger.returncode, 0)
        self.assertIn("key", stranger.stderr)

    def test_what_waits_for_a_restart_is_told(self):
        data, file = (pathlib.Path(self.folder.name) / name for name in ("waits", "waits.toml"))
        file.write_text("")
        own = ("--data", str(data), "--config", str(file))
        serve = subprocess.Popen([TOPHAND, "serve", "--listen", "127.0.0.1:0", "--no-preload", "--no-first-key",
                                  *own], env=self.env, stdout=subprocess.PIPE, text=True)
        self.addCleanup(serve.communicate)
        self.addCleanup(serve.terminate)
        serve.stdout.readline()
        self.assertNotIn("not in effect yet", self.run_with("status", *own).stdout)
        file.write_text("[server]\nconnections_max = 77\n")
        serve.send_signal(signal.SIGHUP)
        wait_until(lambda: "server.connections_max was changed and is not in effect yet"
                   in self.run_with("status", *own).stdout, "what waits for a restart")
        self.assertIn("server.connections_max", self.run_with("doctor", "--offline", *own).stdout)

    def test_shows_the_first_key_after_another_command_ran(self):
        own = {"XDG_DATA_HOME": self.folder.name + "/asked-first"}
        self.run_with("ask", "hi", **own)  # no model: it fails, after a gateway has run for it
        keys = self.run_with("keys", "list", **own)
        self.assertIn("cli", keys.stdout)
        serve = subprocess.Popen([TOPHAND, "serve", "--listen", "127.0.0.1:0", "--no-preload"],
                                 env={**self.env, **own}, stdout=subprocess.PIPE,
                                 stderr=subprocess.STDOUT, text=True)
        said = serve.stdout.readline()
        while "http://" not in said:
            line = serve.stdout.readline()
            self.assertTrue(line, said)
            said += line
        serve.terminate()
        said += serve.communicate(timeout=30)[0]
        self.assertIn("your API key, shown this once: th-", said)

    def test_a_missing_input_file_is_wrong_use(self):
        policy = pathlib.Path(self.folder.name) / "policy.toml"
        policy.write_text("")
        for words in (["explain", "--dry-run", "/nosuch"], ["tokenize", "m", "--file", "/nosuch"],
                      ["replay", "/nosuch", "--policy", str(policy)]):
            refused = self.run_with(*words)
            self.assertEqual(refused.returncode, 2, refused.stderr)
            self.assertIn("cannot open '/nosuch': No such file", refused.stderr)
        empty = self.run_with("explain", "--dry-run", "/dev/null")
        self.assertEqual(empty.returncode, 2)
        self.assertIn("'/dev/null' is empty; expected a request's body", empty.stderr)

    def test_says_what_to_do_about_what_lies_in_the_way(self):
        with socket.create_server(("127.0.0.1", 0)) as taken:
            address = f"127.0.0.1:{taken.getsockname()[1]}"
            refused = self.run_with("serve", "--listen", address, "--no-preload", "--no-first-key")
        self.assertEqual(refused.returncode, 1, refused.stderr)
        self.assertIn("address already in use; another program listens there", refused.stderr)
        folder = pathlib.Path(self.folder.name) / "no-ledger"
        folder.mkdir()
        (folder / "ledger.db").write_text("a text that is long enough to be read as a page of something")
        told = self.run_with("budget", "--data", str(folder))
        self.assertEqual(told.returncode, 1, told.stderr)
        self.assertIn("no ledger lies there: move the file away", told.stderr)

    def test_connects_before_the_first_start_and_leaves_a_removed_file_alone(self):
        home = pathlib.Path(self.folder.name) / "fresh"
        own = {"CLAUDE_CONFIG_DIR": str(home), "XDG_DATA_HOME": str(home / "data")}
        config = home / "settings.json"
        home.mkdir()
        config.write_text("{}")
        done = self.run_with("connect", "claude-code", "--yes", **own)
        self.assertEqual(done.returncode, 0, done.stderr)
        self.assertIn("No Claude key was found", done.stdout)
        self.assertIn("th-", config.read_text())
        config.unlink()
        self.assertEqual(self.run_with("connect", "claude-code", "--undo", "--yes", **own).returncode, 0)
        self.assertFalse(config.exists())

    def test_checks_the_configuration(self):
        good = pathlib.Path(self.folder.name) / "good.toml"
        good.write_text('[routing]\ndefault_priority = "high"\n')
        self.assertEqual(self.run_with("config", "check", "--config", str(good)).returncode, 0)
        bad = pathlib.Path(self.folder.name) / "bad.toml"
        bad.write_text('[routing]\n\ndefault_prority = "high"\n')
        refused = self.run_with("config", "check", "--config", str(bad))
        self.assertEqual(refused.returncode, 2)
        self.assertIn("default_priority", refused.stderr)
        self.assertIn("3", refused.stderr)
        self.assertEqual(self.run_with("config", "check", "--config", "/nonexistent.toml").returncode, 2)

    def test_shows_every_section_of_the_configuration(self):
        file = pathlib.Path(self.folder.name) / "sections.toml"
        file.write_text('''
[[rules]]
name = "nights"
when.class = "qa"
tier = "local"
[classes.invoices]
weight = 3
[keys.ci]
class = "git_commit"
[personas.monday]
egress = "local-only"
[[budget.caps]]
scope = "agent"
name = "scout"
usd = 2.5
[[backends]]
name = "box"
kind = "ollama"
url = "http://127.0.0.1:9"
''')
        shown = json.loads(self.run_with("config", "show", "--config", str(file)).stdout)
        self.assertEqual(shown["rules"][0]["name"], "nights")
        self.assertEqual(shown["rules"][0]["when"]["class"], ["qa"])
        self.assertEqual(shown["rules"][0]["tier"], "local")
        self.assertEqual(shown["classes"]["invoices"]["weight"], 3)
        self.assertEqual(shown["keys"]["ci"]["class"], "git_commit")
        self.assertEqual(shown["personas"]["monday"]["egress"], "local-only")
        self.assertEqual((shown["budget"]["caps"][0]["name"], shown["budget"]["caps"][0]["usd"]), ("scout", 2.5))
        self.assertEqual(shown["backends"][0]["name"], "box")

    def test_checks_what_the_settings_name(self):
        file = pathlib.Path(self.folder.name) / "named.toml"
        for text, want in (('prices_file = "nosuch.json"\n', "prices_file: "),
                           ('[engine]\nkernel = "avx9"\n', "engine.kernel: 'avx9' cannot run here"),
                           ('[models]\nlocal = "a"\naliases = {a = "b", b = "a"}\n', "a -> b -> a")):
            with self.subTest(text):
                file.write_text(text)
                refused = self.run_with("config", "check", str(file))
                self.assertEqual(refused.returncode, 2, refused.stdout)
                self.assertRegex(refused.stderr, re.escape(str(file)) + r" line \d+: ")
                self.assertIn(want, refused.stderr)
                served = self.run_with("serve", "--config", str(file), "--listen", "127.0.0.1:0")
                self.assertEqual(served.returncode, 2, served.stdout)
                self.assertIn(want, served.stderr)
        file.write_text('[server]\nlisten = "0.0.0.0:7433"\n[claude]\nca_file = "nosuch.pem"\n')
        refused = self.run_with("config", "check", str(file))
        self.assertEqual(refused.returncode, 2, refused.stdout)
        self.assertIn("set [server] allow_remote = true", refused.stderr)
        file.write_text('[models]\nlocal = "a"\naliases = {a = "b"}\n')
        warned = self.run_with("config", "check", str(file))
        self.assertEqual(warned.returncode, 0, warned.stderr)
        self.assertIn("warning: models.local: 'a' is an alias", warned.stdout)

    def test_says_which_models_answer_no_chats_and_takes_what_the_configuration_names(self):
        source = pathlib.Path(__file__).parents[1] / "reference/data/tiny_qwen2.gguf"  # without a template
        data = pathlib.Path(self.folder.name) / "chatless"
        odd = pathlib.Path(self.folder.name) / "odd.gguf"
        head, behind = source.read_bytes().split(b"tokenizer.ggml.pre", 1)
        odd.write_bytes(head + b"tokenizer.ggml.pre" + behind.replace(b"qwen2", b"qwerz", 1))
        pulled = self.run_with("pull", str(odd), "--data", str(data))
        self.assertEqual(pulled.returncode, 0, pulled.stderr)
        self.assertIn("odd answers no chats: ", pulled.stderr)
        listed = self.run_with("list", "--data", str(data))
        self.assertIn("answers no chats", listed.stdout)
        [model] = json.loads(self.run_with("list", "--json", "--data", str(data)).stdout)["models"]
        self.assertFalse(model["chats"])
        self.assertIn("[models.templates]", model["why_not"])
        named = pathlib.Path(self.folder.name) / "named-models.toml"
        named.write_text('[models.templates]\nodd = "chatml"\n[models.pre_tokenizers]\nodd = "llama-bpe"\n')
        listed = self.run_with("list", "--json", "--data", str(data), "--config", str(named))
        self.assertTrue(json.loads(listed.stdout)["models"][0]["chats"])
        own = {"TOPHAND_DATA": str(data)}
        refused = self.run_with("tokenize", "odd", "--text", "hi", **own)
        self.assertIn('unknown pre-tokenizer "qwerz"', refused.stderr)
        self.assertIn("[models.pre_tokenizers] in the configuration", refused.stderr)
        for command in (["tokenize", "odd", "--text", "hi"], ["perplexity", "odd", "--file", __file__]):
            taken = self.run_with(*command, TOPHAND_CONFIG=str(named), **own)
            self.assertEqual(taken.returncode, 0, taken.stderr)

    def test_leaves_no_half_configuration_on_a_full_disk(self):
        """A limit on the size of files fails as a full disk does, with another errno."""
        file = pathlib.Path(self.folder.name) / "full/tophand.toml"
        bounded = ("import resource, signal, sys, os; signal.signal(signal.SIGXFSZ, signal.SIG_IGN); "
                   "resource.setrlimit(resource.RLIMIT_FSIZE, (100, 100)); os.execv(sys.argv[1], sys.argv[1:])")
        command = [TOPHAND, "config", "init", "--config", str(file)]
        full = subprocess.run([sys.executable, "-c", bounded, *command], env=self.env, capture_output=True,
                              text=True, timeout=60)
        self.assertEqual(full.returncode, 1, full.stderr)
        self.assertIn("cannot write", full.stderr)
        self.assertFalse(file.exists())
        self.assertEqual(self.run_with("config", "init", "--config", str(file)).returncode, 0)

    def test_pulls_no_file_that_cannot_be_read_as_a_model(self):
        whole = (pathlib.Path(__file__).resolve().parents[1] / "reference/data/tiny_llama.gguf").read_bytes()
        file = pathlib.Path(self.folder.name) / "cut.gguf"
        for size in (10, 3000, len(whole) - 1):  # nothing, a part of the header, all but the last byte
            file.write_bytes(whole[:size])
            for words in ([], ["--link"]):
                refused = self.run_with("pull", str(file), "--name", "broken", *words)
                self.assertEqual(refused.returncode, 2, refused.stdout + refused.stderr)
                self.assertIn("cut.gguf", refused.stderr)
        file.write_bytes(whole)
        for name in ("claude", "Local", "auto", "high", "low", "claude-opus-5-5"):
            refused = self.run_with("pull", str(file), "--name", name)
            self.assertEqual(refused.returncode, 2, refused.stdout)
            self.assertIn("means something else here; take another name", refused.stderr)
        file.rename(file.parent / "auto.gguf")
        self.assertEqual(self.run_with("pull", str(file.parent / "auto.gguf")).returncode, 2)
        self.assertEqual(json.loads(self.run_with("list", "--json").stdout)["models"], [])
        done = self.run_with("pull", str(file.parent / "auto.gguf"), "--name", "whole", "--link")
        self.assertEqual(done.returncode, 0, done.stderr)
        self.assertNotIn("cannot run", done.stderr)
        self.assertEqual(self.run_with("rm", "whole").returncode, 0)

    def test_quantizes_a_model_file(self):
        source = pathlib.Path(__file__).resolve().parents[1] / "reference/data/tiny_bitnet.gguf"
        out = pathlib.Path(self.folder.name) / "ternary.gguf"
        done = self.run_with("quantize", str(source), str(out), "--type", "pq2_0", "--embedding", "q8_0",
                             "--lossy", "--json")
        self.assertEqual(done.returncode, 0, done.stderr)
        report = json.loads(done.stdout)
        self.assertEqual(report["bytes_after"], out.stat().st_size)
        errors = {item["class"]: item["relative_rms_error"] for item in report["changed"]}
        self.assertTrue(0 < errors["attn_q"] < 0.001, errors)  # float32 scales become float16
        self.assertTrue(0 < errors["token_embd"] < 0.01, errors)
        again = self.run_with("quantize", str(source), str(out), "--type", "pq2_0", "--lossy")
        self.assertEqual(again.returncode, 1, again.stderr)
        self.assertIn("--force", again.stderr)
        ids = pathlib.Path(self.folder.name) / "ids.json"
        ids.write_text("[1, 2, 3, 4, 5, 6, 7, 8]")
        measured = self.run_with("perplexity", str(out), "--tokens", str(ids), "--json")
        self.assertEqual(measured.returncode, 0, measured.stderr)
        self.assertGreater(json.loads(measured.stdout)["perplexity"], 1)
        self.assertEqual([path.name for path in out.parent.glob("ternary*")], ["ternary.gguf"])

    def test_refuses_to_quantize_with_the_exit_codes_of_other_commands(self):
        source = pathlib.Path(__file__).resolve().parents[1] / "reference/data/tiny_bitnet.gguf"
        out = pathlib.Path(self.folder.name) / "refused.gguf"
        for code, words, said in ((2, [str(source), str(out)], "--type"),
                                  (2, [str(source), str(out), "--type", "q9"], "TQ2_0"),
                                  (2, [str(source), str(out), "--type", "q4_0"], "--lossy"),
                                  (3, [self.folder.name + "/none.gguf", str(out), "--type", "q8_0"], "none.gguf"),
                                  (2, [__file__, str(out), "--type", "q8_0"], "GGUF")):
            refused = self.run_with("quantize", *words)
            self.assertEqual(refused.returncode, code, refused.stderr)
            self.assertIn(said, refused.stderr)
            self.assertFalse(out.exists())


if __name__ == "__main__":
    unittest.main()

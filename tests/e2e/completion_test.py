"""Shell completion, asked of the shells themselves: where one is not installed, its part is skipped."""

import os
import pathlib
import pty
import select
import shutil
import subprocess
import tempfile
import time
import unittest

from harness import run_tophand

# What is typed, and words of which each must be offered.
OFFERS = [
    ([""], {"ask", "config", "help", "ledger", "serve"}),
    (["config", ""], {"check", "init", "show"}),
    (["ledger", ""], {"head", "reconcile", "verify"}),
    (["keys", ""], {"create", "list", "revoke"}),
    (["completion", ""], {"bash", "fish", "zsh"}),
    (["connect", "o"], {"openclaw", "opencode"}),
    (["help", "c"], {"config", "commit"}),
    (["config", "check", "--"], {"--config", "--json"}),
    (["keys", "list", "--j"], {"--json"}),
]


def missing(shell):
    return unittest.skipUnless(shutil.which(shell), f"{shell} is not installed")


class Completion(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        folder = tempfile.TemporaryDirectory(prefix="tophand-completion-")
        cls.addClassCleanup(folder.cleanup)
        cls.folder = pathlib.Path(folder.name)

    def code_for(self, shell):
        done = run_tophand("completion", shell)
        self.assertEqual(done.returncode, 0, done.stderr)
        path = self.folder / {"zsh": "_tophand"}.get(shell, f"tophand.{shell}")
        path.write_text(done.stdout)
        return path

    def said_by(self, *words):
        done = subprocess.run(words, capture_output=True, text=True, timeout=60,
                              env={**os.environ, "HOME": str(self.folder)})
        self.assertEqual((done.returncode, done.stderr), (0, ""), words)
        return done.stdout

    def check(self, offered_for):
        for typed, wanted in OFFERS:
            with self.subTest(typed):
                offered = offered_for(typed)
                self.assertEqual(len(offered), len(set(offered)), "nothing is offered twice")
                self.assertLessEqual(wanted, set(offered))

    @missing("bash")
    def test_bash(self):
        code = self.code_for("bash")
        script = ('source "$0"; COMP_WORDS=(tophand "$@"); COMP_CWORD=$#; _tophand; '
                  'printf "%s\\n" "${COMPREPLY[@]}"')
        self.check(lambda typed: self.said_by("bash", "-c", script, str(code), *typed).split())
        behind = self.said_by("bash", "-c", script, str(code), "config", "check", "--config", "")
        self.assertEqual(behind.strip(), "", "a value is no option: bash offers files")

    @missing("fish")
    def test_fish(self):
        code = self.code_for("fish")
        self.said_by("fish", "--no-execute", str(code))

        def offered(typed):
            script = f"source {code}; complete -C 'tophand {' '.join(typed)}'"
            lines = self.said_by("fish", "--no-config", "-c", script).splitlines()
            return [line.split("\t")[0] for line in lines]
        self.check(offered)

    @missing("zsh")
    def test_zsh(self):
        code = self.code_for("zsh")
        # The shell's own matching is left to the test below: here is what it is handed.
        script = ('compdef() { }; _files() { print files }; '
                  '_describe() { print -l -- "${${(@P)@[-1]}[@]%%:*}" }; '
                  'source "$0"; words=(tophand "$@"); CURRENT=$(($# + 1)); _tophand')
        self.check(lambda typed: self.said_by("zsh", "-f", "-c", script, str(code), *typed).split())
        behind = self.said_by("zsh", "-f", "-c", script, str(code), "config", "check", "--config", "")
        self.assertEqual(behind.strip(), "files")

    @missing("zsh")
    def test_zsh_offers_at_the_first_tab(self):
        self.code_for("zsh")
        child, terminal = pty.fork()
        if child == 0:
            os.execvpe("zsh", ["zsh", "-f", "-i"], {"PATH": os.environ["PATH"], "TERM": "dumb",
                                                    "HOME": str(self.folder)})
        seen = b""

        def until(text):
            nonlocal seen
            deadline = time.monotonic() + 30
            while text not in seen and time.monotonic() < deadline:
                if select.select([terminal], [], [], 0.1)[0]:
                    seen += os.read(terminal, 4096)
            self.assertIn(text, seen)
        try:
            # The quotes keep what is typed from being taken for what it prints.
            os.write(terminal, f"fpath=({self.folder} $fpath); autoload -U compinit; "
                               "compinit -u -D; print rea''dy\n".encode())
            until(b"ready")
            seen = b""
            os.write(terminal, b"tophand config \t")
            until(b"Check the configuration")
            self.assertNotIn(b"unrecognized", seen)
        finally:
            os.kill(child, 9)
            os.waitpid(child, 0)
            os.close(terminal)


if __name__ == "__main__":
    unittest.main()

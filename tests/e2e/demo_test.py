"""The demonstration, with the small model that `make test` fetches, as someone who has just installed git."""

import re
import subprocess
import sys
import tempfile
import unittest

import harness

MODEL = harness.installed_model("smollm2:135m")


@unittest.skipIf(MODEL is None, "smollm2:135m is not installed: `tophand pull smollm2:135m`")
class DemoTest(unittest.TestCase):
    def test_runs_to_its_end_where_git_was_told_no_name_and_signs_all_commits(self):
        with tempfile.TemporaryDirectory(prefix="tophand-demo-test-") as home:
            with open(home + "/.gitconfig", "w", encoding="utf-8") as file:
                file.write("[user]\nuseConfigOnly = true\n[commit]\ngpgSign = true\n[gpg]\nprogram = /bin/false\n")
            env = harness.environment(HOME=home, TOPHAND_DATA=str(harness.models_dir().parent))
            done = subprocess.run([sys.executable, str(harness.ROOT / "scripts/demo/demo.py"), "--tophand",
                                   harness.TOPHAND, "--model", MODEL],
                                  env=env, capture_output=True, text=True, check=False, timeout=600)
        self.assertEqual(done.returncode, 0, done.stdout + done.stderr)
        # What so small a model writes may well fail its check; that it was asked and has answered must not.
        self.assertNotIn("FAILED: tophand", done.stdout)
        self.assertRegex(done.stdout, r"\d of [89] tasks passed their check")
        rows = re.findall(r"^(?:Commit message, a fix|Commit message, documentation|Summarise the README|Coordination message) "
                          r".*smollm2:135m", done.stdout, re.MULTILINE)
        self.assertEqual(len(rows), 4, done.stdout)
        self.assertRegex(done.stdout, r"\nDesign question .*\(SIMULATOR\)")

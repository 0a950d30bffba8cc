"""What becomes of local answers, and is noted without anybody's saying so."""

import json
import pathlib
import sqlite3
import subprocess
import time
import unittest

from rig import Rig, run_tophand
from script import Script

DAY_S = 86_400
PERSON = {"GIT_CONFIG_GLOBAL": "/dev/null", "GIT_AUTHOR_NAME": "A", "GIT_AUTHOR_EMAIL": "a@example.org",
          "GIT_COMMITTER_NAME": "A", "GIT_COMMITTER_EMAIL": "a@example.org", "GIT_EDITOR": "true"}


def labels_of(gateway):
    """(class, verdict, note) of every downstream label, in the order in which they came."""
    with sqlite3.connect(f"file:{gateway.data}/ledger.db?mode=ro", uri=True) as ledger:
        return ledger.execute("select task_class, verdict, note from labels where source = 'downstream' "
                              "order by id").fetchall()


class LabelsTest(unittest.TestCase):
    def setUp(self):
        self.rig = Rig()
        self.addCleanup(self.rig.close)
        self.model = self.rig.simulator_of("vllm", "sim")
        self.gateway = self.rig.open()
        self.rig.wait_for("sim/sim-7b")


class EditsTest(LabelsTest):
    TOOLS = [{"name": "Edit", "description": "Edits a file.", "input_schema": {"type": "object", "properties": {
        name: {"type": "string"} for name in ("file_path", "old_string", "new_string")}}}]

    def setUp(self):
        super().setUp()
        self.history = []

    def person(self, text):
        self.history.append({"role": "user", "content": text})

    def agent(self, before, after, result="The file has been updated."):
        """The model edits, and the tool says `result`."""
        edit = {"file_path": "/src/a.py", "old_string": before, "new_string": after}
        self.model.script = Script(pieces=(), tools=(("Edit", edit),))
        self.answer()
        call = self.history[-1]["content"][-1]
        self.history.append({"role": "user", "content": [
            {"type": "tool_result", "tool_use_id": call["id"], "content": result,
             "is_error": result.startswith("Error")}]})

    def answer(self):
        got = self.gateway.post("/v1/messages", {"model": "sim/sim-7b", "max_tokens": 100, "tools": self.TOOLS,
                                                 "messages": self.history}, headers={"x-task-class": "file_edit"})
        self.assertEqual(got.status, 200, got.body)
        self.history.append({"role": "assistant", "content": got.json()["content"]})

    def says(self, text):
        self.model.script = Script(pieces=(text,))
        self.answer()

    def test_what_is_edited_again_was_bad_and_what_stands_was_good(self):
        self.person("Round the total.")
        self.agent("return total", "total = round(total)\nreturn total")
        self.agent("total = round(total)", "total = round(total, 2)")
        self.says("Done.")
        self.assertEqual(labels_of(self.gateway), [("file_edit", "bad", "its edit was edited again")])
        self.person("Now the tax.")
        self.says("Which?")
        self.assertEqual(len(labels_of(self.gateway)), 1)
        self.person("Mine.")
        self.says("Fine.")
        self.assertEqual(labels_of(self.gateway)[1:], [("file_edit", "good", "its edit was kept")])

    def test_an_edit_that_the_tool_refused_says_nothing(self):
        self.person("Round the total.")
        self.agent("return totl", "total = round(total)", "Error: old_string was not found")
        self.agent("return total", "total = round(total)")
        self.agent("x = 1", "x = 2")
        self.says("Done.")
        self.assertEqual(labels_of(self.gateway), [])


class CommitsTest(LabelsTest):
    def setUp(self):
        super().setUp()
        self.repository = pathlib.Path(self.rig.folder) / "repository"
        self.env = {**self.gateway.env, **PERSON}
        self.git("init", "-q", "-b", "main", str(self.repository), inside=False)

    def git(self, *words, inside=True):
        place = ["-C", str(self.repository)] if inside else []
        return subprocess.run(["git", *place, *words], check=True, capture_output=True, text=True,
                              env=self.env).stdout.strip()

    def tophand(self, *words):
        done = run_tophand("commit", *words, "--repo", str(self.repository), "--config", str(self.gateway.config),
                           "--data", str(self.gateway.data), env=self.env)
        self.assertEqual(done.returncode, 0, done.stderr)
        return done

    def commit(self, name, age_s=0):
        """Commits a file of that name, as if its author had done so `age_s` ago."""
        (self.repository / f"{name}.md").write_text(f"# {name}\n")
        self.git("add", ".")
        self.model.script = Script(pieces=(f"docs: add {name}.md",))
        self.env["GIT_AUTHOR_DATE"] = f"@{int(time.time()) - age_s} +0000"
        done = self.tophand("--apply", "--model", "sim/sim-7b")
        del self.env["GIT_AUTHOR_DATE"]
        return done

    def look_back(self):
        return json.loads(self.tophand("--look-back", "--json").stdout)

    def test_kept_reworded_and_reverted_messages_are_labels_once(self):
        self.commit("kept", 2 * DAY_S)
        self.commit("reverted", 100)
        self.git("revert", "--no-edit", "HEAD")
        self.commit("young", 50)
        self.commit("amended", 60)
        (self.repository / "amended.md").write_text("# Amended\n")
        self.git("commit", "-q", "-a", "--amend", "--no-edit")
        self.assertEqual([label[1] for label in labels_of(self.gateway)], ["good", "bad"])  # told by later commits
        self.commit("reworded", 40)
        self.git("commit", "-q", "--amend", "-m", "docs: describe it")
        self.assertEqual(self.look_back(), {"kept": 0, "reworded": 1, "reverted": 0, "waiting": 2})
        self.assertEqual(labels_of(self.gateway), [("git_commit", "good", "the commit was kept for a day"),
                                                   ("git_commit", "bad", "the commit was reverted"),
                                                   ("git_commit", "bad", "the message was reworded")])
        self.assertEqual(self.look_back(), {"kept": 0, "reworded": 0, "reverted": 0, "waiting": 2})
        self.assertEqual(len(labels_of(self.gateway)), 3)

    def test_a_rebase_that_rewords_is_seen_and_one_that_does_not_is_none(self):
        self.commit("first", 100)
        self.git("branch", "-q", "other")
        self.git("switch", "-q", "other")
        self.commit("second", 90)
        self.git("switch", "-q", "main")
        self.commit("third", 2 * DAY_S)
        self.git("rebase", "-q", "other")  # `third` has another id now
        self.assertEqual(self.look_back(), {"kept": 1, "reworded": 0, "reverted": 0, "waiting": 2})

    def test_a_gateway_that_is_away_is_told_later_and_of_its_own_answers_only(self):
        self.commit("kept", 2 * DAY_S)
        self.gateway.stop()
        away = run_tophand("commit", "--look-back", "--repo", str(self.repository), "--data",
                           str(self.gateway.data), env=self.env)
        self.assertEqual(away.returncode, 3, away.stderr)
        self.gateway.start()
        watched = self.repository / ".git/tophand-commits"
        line = json.loads(watched.read_text())
        watched.write_text(json.dumps(line) + "\n" + json.dumps({**line, "request_id": "req_of_another"}) + "\n")
        self.assertEqual(self.look_back()["waiting"], 0)
        self.assertEqual(len(labels_of(self.gateway)), 1)
        self.assertFalse(watched.exists())


if __name__ == "__main__":
    unittest.main()

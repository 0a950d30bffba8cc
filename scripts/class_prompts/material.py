"""What prompts are about: diffs, code, pages and log lines of this repository at a fixed commit.

The commit is fixed so that the same seed makes the same prompts for ever.
"""
import pathlib
import subprocess

COMMIT = "779bc42"
ROOT = pathlib.Path(__file__).resolve().parents[2]


def git(*words):
    done = subprocess.run(["git", "-C", ROOT, *words], check=True, capture_output=True, text=True, errors="replace")
    return done.stdout


class Material:
    def __init__(self, rng):
        self.rng = rng
        self.subjects = git("log", "--no-merges", "--format=%s", COMMIT).splitlines()
        hashes = git("log", "--no-merges", "--format=%h", COMMIT).split()
        self.diffs = [git("show", "--format=", "--unified=2", h)[:6000] for h in rng.sample(hashes, min(160, len(hashes)))]
        self.diffs = [d for d in self.diffs if d.strip()]
        files = git("ls-tree", "-r", "--name-only", COMMIT).split("\n")
        self.paths = [f for f in files if f]
        def some(ends, n):
            named = [f for f in self.paths if f.endswith(ends)]
            return [git("show", f"{COMMIT}:{f}") for f in rng.sample(named, min(n, len(named)))]
        self.code = some((".cc", ".h", ".py", ".js", ".sh"), 120)
        self.pages = some((".md",), 40)

    def _lines(self, text, least, most):
        lines = text.split("\n")
        n = self.rng.randint(least, most)
        start = self.rng.randrange(max(1, len(lines) - n))
        return "\n".join(lines[start:start + n])

    def diff(self):
        """A whole patch, one hunk of it, or only its changed lines."""
        text = self.rng.choice(self.diffs)
        kind = self.rng.random()
        if kind < 0.45:
            return text[: self.rng.choice([400, 1200, 3000])]
        if kind < 0.75:
            at = text.find("@@")
            return text[max(at, 0):][: self.rng.choice([200, 600, 1200])]
        changed = [line for line in text.split("\n") if line[:1] in "+-" and line[:3] not in ("+++", "---")]
        return "\n".join(changed[: self.rng.randint(1, 8)])

    def snippet(self):
        return self._lines(self.rng.choice(self.code), 2, 30)

    def line(self):
        for _ in range(20):
            line = self._lines(self.rng.choice(self.code), 1, 1).strip()
            if len(line) > 12:
                return line
        return "return value;"

    def page(self):
        return self._lines(self.rng.choice(self.pages), 2, 25)

    def path(self):
        return self.rng.choice(self.paths)

    def subject(self):
        return self.rng.choice(self.subjects)

    def conflict(self):
        ours, theirs = self.rng.choice(["HEAD", "ours", "main", "local", "Updated upstream"]), self.rng.choice(
            ["feature/x", "theirs", "origin/main", "a1b2c3d", "remote", "dev"])
        base = f"||||||| base\n{self.line()}\n" if self.rng.random() < 0.2 else ""
        return (f"{self.snippet() if self.rng.random() < .5 else ''}\n<<<<<<< {ours}\n{self.line()}\n{base}=======\n"
                f"{self.line()}\n>>>>>>> {theirs}\n{self.line()}")

"""A Claude API behind certificates that must not be trusted: nothing is sent there, the next backend answers."""

import pathlib
import shutil
import subprocess
import unittest

from harness import Stage

MESSAGE = {"model": "claude-opus-5-5", "max_tokens": 8, "messages": [{"role": "user", "content": "Hi"}]}
FALLBACK = "[claude]\nallow_local_fallback = true\n"


class Authority:
    """A certificate authority made for one test. openssl's `ca` command can date a certificate into the past."""

    def __init__(self, folder, name):
        self.folder = pathlib.Path(folder) / name
        self.folder.mkdir()
        self.certificate, self.key = self.folder / "ca.pem", self.folder / "ca.key"
        run("req", "-x509", "-newkey", "rsa:2048", "-nodes", "-keyout", self.key, "-out", self.certificate,
            "-subj", f"/CN={name}", "-days", "2")
        (self.folder / "index.txt").touch()
        (self.folder / "serial").write_text("01\n")
        (self.folder / "ca.cnf").write_text(
            f"[ca]\ndefault_ca = d\n[d]\ndir = {self.folder}\ndatabase = $dir/index.txt\nserial = $dir/serial\n"
            "new_certs_dir = $dir\ndefault_md = sha256\npolicy = p\ncopy_extensions = copy\nunique_subject = no\n"
            "[p]\ncommonName = supplied\n")

    def sign(self, name, host, start="20250101000000Z", end="20991231235959Z"):
        """-> (certificate, key), for one host."""
        key, asked, certificate = (self.folder / f"{name}.{end_}" for end_ in ("key", "csr", "pem"))
        run("req", "-newkey", "rsa:2048", "-nodes", "-keyout", key, "-out", asked, "-subj", f"/CN={host}",
            "-addext", f"subjectAltName=DNS:{host}")
        run("ca", "-batch", "-notext", "-config", self.folder / "ca.cnf", "-cert", self.certificate,
            "-keyfile", self.key, "-in", asked, "-out", certificate, "-startdate", start, "-enddate", end)
        return certificate, key


def run(*arguments):
    done = subprocess.run(["openssl", *map(str, arguments)], capture_output=True, text=True, check=False)
    if done.returncode != 0:
        raise AssertionError(f"openssl {arguments[0]}: {done.stderr}")


@unittest.skipUnless(shutil.which("openssl"), "openssl is not installed")
class Certificates(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.stage = Stage()
        cls.addClassCleanup(cls.stage.close)
        cls.ours = Authority(cls.stage.folder, "ours")
        cls.theirs = Authority(cls.stage.folder, "theirs")

    def ask(self, certificate, key, trusted=None):
        """-> (the answer, what reached the simulator); a gateway that trusts `ours` unless told otherwise."""
        stage = Stage()
        self.addCleanup(stage.close)
        simulator = stage.simulator("--tls", str(certificate), str(key))
        url = simulator.url.replace("http://127.0.0.1", "https://localhost")
        ca_file = trusted or self.ours.certificate
        gateway = stage.gateway(url, config=f'{FALLBACK}ca_file = "{ca_file}"\n')
        answer = gateway.post("/v1/messages", MESSAGE, priority="high")
        return answer, simulator.requests(), gateway

    def test_of_an_authority_that_is_trusted_is_taken(self):
        """The control: without it every refusal below could be a fault of the rig."""
        answer, requests, _ = self.ask(*self.ours.sign("good", "localhost"))
        self.assertEqual((answer.status, answer.headers["x-tophand-backend"]), (200, "claude"), answer.body)
        self.assertEqual(len(requests), 1)

    def test_that_must_not_be_trusted_are_failures_before_anything_is_sent(self):
        self_signed = self.theirs.certificate, self.theirs.key
        cases = {
            "expired": self.ours.sign("expired", "localhost", "20200101000000Z", "20200201000000Z"),
            "not valid yet": self.ours.sign("early", "localhost", "20980101000000Z"),
            "of another host": self.ours.sign("other", "api.example.org"),
            "self-signed": self_signed,
            "of an unknown authority": self.theirs.sign("unknown", "localhost"),
        }
        for what, (certificate, key) in cases.items():
            with self.subTest(what):
                answer, requests, gateway = self.ask(certificate, key)
                self.assertEqual(requests, [])
                self.assertEqual((answer.status, answer.headers["x-tophand-backend"]), (200, "local"), answer.body)
                rows = gateway.rows(answer.headers["x-request-id"])
                self.assertEqual([(row["backend"], row["outcome"], row["cost_nano_usd"]) for row in rows],
                                 [("claude", "failed", 0), ("local", "done", 0)])


if __name__ == "__main__":
    unittest.main()

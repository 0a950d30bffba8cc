"""Starts the real gateway and the Claude simulator on free ports, and speaks plain HTTP to them."""

import base64
import http.client
import json
import os
import pathlib
import shutil
import signal
import subprocess
import sys
import tempfile
import time

import tiny_model

ROOT = pathlib.Path(__file__).resolve().parents[2]
TOPHAND = os.environ.get("TOPHAND_BIN", str(ROOT / "build/release/bin/tophand"))
CLAUDE_KEY = "sk-ant-the-operators-own"
START_S = 60


def environment(**more):
    """Ours, without what would point the program at the user's own gateway, key or files."""
    env = {name: value for name, value in os.environ.items()
           if not name.startswith(("TOPHAND_", "ANTHROPIC_", "XDG_"))}
    return {**env, **more}


def run_tophand(*arguments, env=None, text_in=None, timeout=120):
    return subprocess.run([TOPHAND, *arguments], capture_output=True, text=True, check=False,
                          env=env or environment(), input=text_in, timeout=timeout)


def models_dir():
    """The user's own models, as `make test` and `tophand pull` leave them."""
    home = os.environ.get("XDG_DATA_HOME") or str(pathlib.Path.home() / ".local/share")
    return pathlib.Path(home) / "tophand/models"


def installed_model(*names):
    """The first of the names that is in models_dir(), or None."""
    return next((name for name in names
                 if (models_dir() / f"{name.replace(':', '_')}.model.json").exists()), None)


def wait_until(condition, what, seconds=START_S):
    """Polls; a condition that never comes is a failure with a name, not a hang."""
    deadline = time.monotonic() + seconds
    while time.monotonic() < deadline:
        found = condition()
        if found:
            return found
        time.sleep(0.02)
    raise AssertionError(f"{what}: not within {seconds} s")


def zone_before_the_night(seconds):
    """A time zone in which it is so long before 22:00."""
    offset = int(22 * 3600 - seconds - time.time() % 86400)  # to be added to UTC
    sign, offset = ("-", offset) if offset >= 0 else ("+", -offset)
    return f"TST{sign}{offset // 3600:02}:{offset // 60 % 60:02}:{offset % 60:02}"


class Simulator:
    def __init__(self, folder, *arguments):
        self.log_path = pathlib.Path(folder) / "simulator.log"
        port_file = pathlib.Path(folder) / "simulator.port"
        port_file.unlink(missing_ok=True)
        self.process = subprocess.Popen(
            [sys.executable, str(ROOT / "tests/claude_sim/claude_sim.py"), "--port-file",
             str(port_file), "--log", str(self.log_path), "--api-key", CLAUDE_KEY, *arguments],
            stdout=subprocess.DEVNULL)
        wait_until(port_file.exists, "the simulator's port")
        self.url = f"http://127.0.0.1:{port_file.read_text().strip()}"

    def requests(self, path="/v1/messages"):
        """Every request so far, with the exact bytes of its body."""
        lines = [json.loads(line) for line in self.log_path.read_text().splitlines()]
        return [{**line, "body": base64.b64decode(line["body_base64"])} for line in lines
                if line.get("path") == path]

    def stop(self):
        self.process.terminate()
        self.process.wait(20)


class Answer:
    def __init__(self, response, body):
        self.status = response.status
        self.headers = {name.lower(): value for name, value in response.getheaders()}
        self.body = body

    def json(self):
        return json.loads(self.body)


class Gateway:
    """One `tophand serve` with a data folder of its own. Its model is a tiny random one, or
    `model_file`, or `installed`: the name of one in the user's own model folder."""

    def __init__(self, folder, claude_url=None, config="", model_file=None, env=None,
                 installed=None):
        self.folder = pathlib.Path(folder)
        self.data = self.folder / "data"
        self.config = self.folder / "tophand.toml"
        self.env = environment(**(env or {}))
        if claude_url:
            self.env.update(TOPHAND_CLAUDE_URL=claude_url, ANTHROPIC_API_KEY=CLAUDE_KEY)
        models = f'[models]\ndir = "{models_dir()}"\n' if installed else "[models]\n"
        self.model = installed or self.pull(model_file)
        self.config.write_text(f'{models}local = "{self.model}"\n[engine]\nthreads = 2\n' + config)
        self.log_path = self.folder / "gateway.log"
        self.start()

    def pull(self, model_file):
        if model_file is None:
            model_file = self.folder / "tiny.gguf"
            tiny_model.make(model_file)
        done = run_tophand("pull", str(model_file), "--data", str(self.data), env=self.env)
        if done.returncode != 0:
            raise AssertionError(f"tophand pull {model_file}: {done.stderr}")
        return pathlib.Path(model_file).stem

    def start(self):
        with open(self.log_path, "a", encoding="utf-8") as log:
            self.process = subprocess.Popen(
                [TOPHAND, "serve", "--listen", "127.0.0.1:0", "--config", str(self.config),
                 "--data", str(self.data)], env=self.env, stdout=subprocess.PIPE, stderr=log, text=True)
        line = self.process.stdout.readline()
        if "http://" not in line:
            raise AssertionError(f"tophand serve said {line!r}; its log: {self.log_path.read_text()}")
        self.url = line[line.index("http://"):].strip()
        self.port = int(self.url.rsplit(":", 1)[1])
        self.key = (self.data / "run/cli-key").read_text().strip()

    def stop(self):
        if self.process.poll() is None:
            self.process.send_signal(signal.SIGTERM)
            try:
                self.process.wait(30)
            except subprocess.TimeoutExpired:
                self.process.kill()
                self.process.wait()
        self.process.stdout.close()

    def send(self, method, path, body=None, headers=None, key=True, timeout=60):
        """Sends a request; returns the connection, nothing read from it."""
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=timeout)
        data = body if body is None or isinstance(body, bytes) else json.dumps(body).encode()
        own = {"content-type": "application/json"} if data is not None else {}
        if key:
            own["authorization"] = f"Bearer {self.key}"
        own.update(headers or {})
        connection.request(method, path, data, own)
        return connection

    def open(self, method, path, body=None, headers=None, key=True, timeout=60):
        """Sends a request; returns the connection and the response, its body unread."""
        connection = self.send(method, path, body, headers, key, timeout)
        return connection, connection.getresponse()

    def call(self, method, path, body=None, headers=None, key=True, timeout=60):
        connection, response = self.open(method, path, body, headers, key, timeout)
        try:
            text = response.read()
        except http.client.IncompleteRead as cut:
            text = cut.partial
        finally:
            connection.close()
        return Answer(response, text)

    def post(self, path, body, priority=None, **more):
        headers = dict(more.pop("headers", {}))
        if priority:
            headers["x-tophand-priority"] = priority
        if path == "/v1/messages":
            headers.setdefault("anthropic-version", "2023-06-01")
        return self.call("POST", path, body, headers, **more)

    def health(self):
        return self.call("GET", "/healthz", key=False).json()

    def worker_pid(self, but=None):
        """The pid of the worker that is ready; waits for it, and for another one than `but`."""
        def ready():
            for worker in self.health().get("workers", []):
                if worker["state"] == "ready" and worker.get("pid") not in (None, 0, but):
                    return worker["pid"]
            return None
        return wait_until(ready, "a ready worker")

    def rows(self, request_id=None):
        """The ledger's rows, oldest first, once every one of them has ended."""
        def ended():
            rows = self.call("GET", "/tophand/v1/requests?limit=1000").json()["requests"]
            if request_id is not None:
                rows = [row for row in rows if row["request_id"] == request_id]
            return rows if rows and all(row["state"] != "reserved" for row in rows) else None
        return wait_until(ended, f"settled rows of {request_id}", 30)


class Stage:
    """A temporary folder with whatever was started in it; close() ends it all."""

    def __init__(self):
        self.folder = tempfile.mkdtemp(prefix="tophand-e2e-")
        self.running = []

    def simulator(self, *arguments):
        self.running.append(Simulator(self.folder, *arguments))
        return self.running[-1]

    def gateway(self, *arguments, **options):
        self.running.append(Gateway(self.folder, *arguments, **options))
        return self.running[-1]

    def close(self):
        for started in reversed(self.running):
            started.stop()
        shutil.rmtree(self.folder, ignore_errors=True)

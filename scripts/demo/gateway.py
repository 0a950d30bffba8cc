"""Starts what the demonstration talks to: a gateway on a scratch data folder and, when no Claude key
is set, the bundled Claude simulator."""

import json
import os
import pathlib
import signal
import subprocess
import sys
import time
import urllib.request

ROOT = pathlib.Path(__file__).resolve().parents[2]


class Service:
    """A child process that is stopped with us."""

    def __init__(self, argv, env, log_path):
        self.log_path = log_path
        self.log = open(log_path, "wb")
        self.process = subprocess.Popen(argv, env=env, stdout=subprocess.PIPE, stderr=self.log)

    def first_line(self, what, timeout_s):
        """The line a service prints when it is ready."""
        os.set_blocking(self.process.stdout.fileno(), False)
        deadline, text = time.monotonic() + timeout_s, b""
        while time.monotonic() < deadline:
            text += self.process.stdout.read() or b""
            if b"\n" in text:
                return text.split(b"\n")[0].decode()
            if self.process.poll() is not None:
                break
            time.sleep(0.02)
        self.log.flush()
        tail = pathlib.Path(self.log_path).read_text(errors="replace")[-800:]
        raise SystemExit(f"{what} did not start; the end of {self.log_path}:\n{tail}")

    def stop(self):
        if self.process.poll() is None:
            self.process.send_signal(signal.SIGTERM)
            try:
                self.process.wait(15)
            except subprocess.TimeoutExpired:
                self.process.kill()
                self.process.wait()
        self.log.close()


def user_models_dir():
    data = os.environ.get("TOPHAND_DATA")
    if not data:
        home = os.environ.get("XDG_DATA_HOME") or str(pathlib.Path.home() / ".local/share")
        data = home + "/tophand"
    return data + "/models"


def start_simulator(scratch):
    port_file = scratch / "claude_sim.port"
    simulator = Service(
        [sys.executable, str(ROOT / "tests/claude_sim/claude_sim.py"), "--port", "0",
         "--port-file", str(port_file), "--latency-ms", "300", "--token-ms", "12"],
        dict(os.environ), scratch / "claude_sim.log")
    deadline = time.monotonic() + 15
    while time.monotonic() < deadline and simulator.process.poll() is None:
        if port_file.exists() and port_file.read_text().strip():
            return simulator, "http://127.0.0.1:" + port_file.read_text().strip()
        time.sleep(0.02)
    raise SystemExit(f"the Claude simulator did not start; see {simulator.log_path}")


def start_gateway(tophand, scratch, claude_url, model=None):
    config = scratch / "tophand.toml"
    local = f"local = {json.dumps(model)}\n" if model else ""
    config.write_text(f"[models]\ndir = {json.dumps(user_models_dir())}\n{local}")
    env = dict(os.environ)
    for name in ("TOPHAND_URL", "TOPHAND_KEY", "TOPHAND_CONFIG", "TOPHAND_DATA"):
        env.pop(name, None)
    if claude_url:
        env["TOPHAND_CLAUDE_URL"] = claude_url
        env["ANTHROPIC_API_KEY"] = "sk-ant-simulator"
    gateway = Service([tophand, "serve", "--listen", "127.0.0.1:0", "--config", str(config),
                       "--data", str(scratch / "data")], env, scratch / "gateway.log")
    line = gateway.first_line("the gateway", 30)
    url = line[line.index("http://"):].strip()
    return gateway, url, (scratch / "data/run/cli-key").read_text().strip()


def wait_for_model(url, timeout_s=300):
    """Waits until the local model is loaded; returns the seconds it took."""
    start = time.monotonic()
    while time.monotonic() - start < timeout_s:
        with urllib.request.urlopen(url + "/healthz", timeout=10) as response:
            health = json.load(response)
        states = [worker.get("state") for worker in health.get("workers", [])]
        if states and all(state == "ready" for state in states):
            return time.monotonic() - start
        if "failed" in states:
            raise SystemExit("the local model did not load: " + json.dumps(health))
        time.sleep(0.1)
    raise SystemExit("the local model did not load within %d s: %s" % (timeout_s, json.dumps(health)))

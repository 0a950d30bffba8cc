"""Real servers with a real model: where they come from, and starting and stopping them."""

import os
import pathlib
import socket
import subprocess
import unittest
import urllib.request

from rig import HERE, wait_until

CACHE = HERE.parents[1] / ".cache/backends"
MODEL_FILES = {"smollm2": "SmolLM2-135M-Instruct.Q4_1.gguf",
               "qwen-0.5b": "qwen2.5-coder-0.5b-instruct-q4_k_m.gguf"}


def model_file(name):
    """The model as `tophand pull` installed it for this user; a test without it is skipped."""
    base = os.environ.get("TOPHAND_DATA") or \
        os.environ.get("XDG_DATA_HOME", str(pathlib.Path.home() / ".local/share")) + "/tophand"
    path = pathlib.Path(base) / "models" / MODEL_FILES[name]
    if not path.is_file():
        raise unittest.SkipTest(f"{path.name} is not installed (tophand pull)")
    return path


def installed(name):
    """The command that starts the server; SkipTest with the reason where it cannot be had."""
    done = subprocess.run(["bash", str(HERE / "install.sh"), name], capture_output=True, text=True, check=False,
                          timeout=1500)
    if done.returncode == 3:
        raise unittest.SkipTest(f"{name}: {done.stderr.strip()}")
    if done.returncode != 0:
        raise AssertionError(f"install.sh {name}: {done.stderr}")
    return done.stdout.strip()


def free_port():
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


class Program:
    """A server of its own process; `health` is the path that says it is ready."""

    def __init__(self, command, folder, port, health, env=None):
        self.url, self.log = f"http://127.0.0.1:{port}", pathlib.Path(folder) / "server.log"
        with open(self.log, "w", encoding="utf-8") as log:
            self.process = subprocess.Popen(command, stdout=log, stderr=log, env=env)
        try:
            wait_until(lambda: self.ready(health), f"{command[0]} ready", 120)
        except BaseException:
            self.stop()
            raise

    def ready(self, path):
        if self.process.poll() is not None:
            raise AssertionError(f"it ended: {self.log.read_text()[-2000:]}")
        try:
            return urllib.request.urlopen(self.url + path, timeout=5).status == 200
        except OSError:
            return False

    def stop(self):
        if self.process.poll() is None:
            self.process.terminate()
            try:
                self.process.wait(20)
            except subprocess.TimeoutExpired:
                self.process.kill()
                self.process.wait()


def llama_server(folder, path, *options):
    port = free_port()
    command = [installed("llama-server"), "-m", str(path), "--host", "127.0.0.1", "--port", str(port), "--jinja",
               "-c", "2048", "-np", "1", "-t", "2", "--slots", *options]
    return Program(command, folder, port, "/health")


def ollama(folder, path, name):
    """Ollama with this GGUF imported under `name`."""
    program, port = installed("ollama"), free_port()
    env = {**os.environ, "OLLAMA_HOST": f"127.0.0.1:{port}", "OLLAMA_MODELS": f"{folder}/ollama", "HOME": str(folder),
           "OLLAMA_KEEP_ALIVE": "10m"}
    server = Program([program, "serve"], folder, port, "/api/version", env)
    try:
        recipe = pathlib.Path(folder) / "Modelfile"
        recipe.write_text(f"FROM {path}\n")
        subprocess.run([program, "create", name, "-f", str(recipe)], env=env, check=True, capture_output=True,
                       timeout=300)
    except BaseException:
        server.stop()
        raise
    return server

"""Runs a command with a gateway and the Claude simulator up: GATEWAY_URL and GATEWAY_KEY say where."""

import os
import pathlib
import subprocess
import sys

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1] / "e2e"))
from harness import Stage  # noqa: E402


def main():
    stage = Stage()
    try:
        gateway = stage.gateway(stage.simulator().url)
        gateway.worker_pid()
        env = {**os.environ, "GATEWAY_URL": gateway.url, "GATEWAY_KEY": gateway.key,
               "GATEWAY_LOCAL_MODEL": gateway.model}
        for name in ("ANTHROPIC_API_KEY", "ANTHROPIC_BASE_URL", "OPENAI_API_KEY", "OPENAI_BASE_URL"):
            env.pop(name, None)
        return subprocess.run(sys.argv[1:], env=env, check=False, timeout=300).returncode
    finally:
        stage.close()


if __name__ == "__main__":
    sys.exit(main())

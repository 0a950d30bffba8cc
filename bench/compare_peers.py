#!/usr/bin/env python3
"""Tophand beside other CPU engines on this machine: decode, prefill and eight sequences together.

    make bench-peers
    bench/compare_peers.py [--models bitnet-2b,qwen-1.5b] [--engines Tophand,llama.cpp] [--rounds 3] [--add]

The engines take turns in short bursts, each round in another order, so that a slow minute of the machine
hurts all alike; the table has medians with minimum and maximum. The machine's limits are measured with each
of Tophand's bursts. How much of the processor other programs used is measured during every burst: the run does
not begin on a busy machine, and a table from one is marked. BitNet and Bonsai are models of random weights in
the published shapes, in the encoding each engine has for them (bench/random_gguf.py), made in build/bench-models
(up to 12 GB; TOPHAND_PEER_MODELS names another folder). Every engine prefills and decodes from an empty context.

Peers are found by TOPHAND_PEER_BITNET, TOPHAND_PEER_IK_LLAMA, TOPHAND_PEER_LLAMA_CPP and TOPHAND_PEER_PRISM, the
folders with their llama-bench and llama-batched-bench; llama.cpp also on PATH. Missing ones are left out, and
it is said where they come from. Results: build/bench-results/peers.md and peers.json.
"""
import argparse
import dataclasses
import datetime
import json
import os
import pathlib
import platform
import resource
import sys
import time

import peer_table
import random_gguf
from peer_engines import ROOT, Burst, BurstFailed, Tophand, peers

OTHERS_MAX = 0.05  # of the processor: above, the machine counts as busy


@dataclasses.dataclass(frozen=True)
class Workload:
    key: str
    title: str
    prompt: int
    generate: int
    encodings: dict  # engine -> encodings of the random shape, or of the published file
    shape: str = ""
    file: str = ""
    catalogue: str = ""


WORKLOADS = [
    Workload("bitnet-2b", "BitNet-2B4T shape, Q6_K head", 512, 64, shape="bitnet-2b", encodings={
        "Tophand": ["i2_s"], "bitnet.cpp": ["i2_s"], "ik_llama.cpp": ["iq2_bn"], "llama.cpp": ["tq2_0"]}),
    Workload("qwen-1.5b", "Qwen2.5-Coder-1.5B Q4_K_M", 512, 64, catalogue="qwen2.5-coder:1.5b",
             file="qwen2.5-coder-1.5b-instruct-q4_k_m.gguf", encodings={
                 "Tophand": ["q4_k_m"], "ik_llama.cpp": ["q4_k_m"], "llama.cpp": ["q4_k_m"]}),
    Workload("qwen-0.5b", "Qwen2.5-Coder-0.5B Q4_K_M", 512, 64, catalogue="qwen2.5-coder:0.5b",
             file="qwen2.5-coder-0.5b-instruct-q4_k_m.gguf", encodings={
                 "Tophand": ["q4_k_m"], "ik_llama.cpp": ["q4_k_m"], "llama.cpp": ["q4_k_m"]}),
    # llama.cpp of August 2026 has no x86 kernel for Q2_0 (0.2 tokens a second): TQ2_0 is its two-bit type that has.
    Workload("bonsai-8b", "Bonsai-8B shape, 2 bits", 128, 32, shape="bonsai-8b", encodings={
        "Tophand": ["q2_0", "pq2_0"], "PrismML llama.cpp": ["pq2_0"], "ik_llama.cpp": ["iq2_bn"],
        "llama.cpp": ["tq2_0"]}),
    Workload("bonsai-8b-1bit", "Bonsai-8B shape, 1 bit", 128, 32, shape="bonsai-8b", encodings={
        "Tophand": ["q1_0"], "PrismML llama.cpp": ["q1_0"], "ik_llama.cpp": ["q1_0"], "llama.cpp": ["q1_0"]}),
]


def processor_seconds():
    """(used by everything since boot, used by our children and us), in seconds of one processor."""
    fields = pathlib.Path("/proc/stat").read_text().splitlines()[0].split()[1:]
    user, nice, system, _, _, irq, softirq, steal = (int(f) / os.sysconf("SC_CLK_TCK") for f in fields[:8])
    own = sum(usage.ru_utime + usage.ru_stime for usage in map(
        resource.getrusage, (resource.RUSAGE_CHILDREN, resource.RUSAGE_SELF)))
    return user + nice + system + irq + softirq + steal, own


class OtherLoad:
    """The share of the processors that other programs (or other guests of the host) use meanwhile."""

    def __enter__(self):
        self.start, self.before = time.monotonic(), processor_seconds()
        return self

    def __exit__(self, *_):
        seconds = time.monotonic() - self.start
        used, own = (after - before for after, before in zip(processor_seconds(), self.before))
        self.share = max(0.0, used - own) / max(seconds, 1e-3) / os.cpu_count()


def cpu_name():
    for line in pathlib.Path("/proc/cpuinfo").read_text().splitlines():
        if line.startswith("model name"):
            return line.split(":", 1)[1].strip()
    return platform.machine()


def model_file(workload, encoding, folder):
    """The file to run, made first if it is a random one; None when a published one is not installed."""
    if workload.file:
        data = os.environ.get("XDG_DATA_HOME") or os.path.expanduser("~/.local/share")
        path = pathlib.Path(data, "tophand", "models", workload.file)
        return path if path.exists() else None
    path = folder / f"random-{workload.shape}-{encoding}.gguf"
    if not path.exists():
        print(f"making {path}", file=sys.stderr)
        folder.mkdir(parents=True, exist_ok=True)
        random_gguf.write_random_gguf(workload.shape, encoding, str(path))
    return path


def rows_of(workload, engines, folder):
    """[(engine, encoding, file)] of the engines at hand."""
    rows = []
    for engine in engines:
        for encoding in workload.encodings.get(engine.name, []):
            path = model_file(workload, encoding, folder)
            if path is None:
                print(f"{workload.title} is left out: tophand pull {workload.catalogue}", file=sys.stderr)
                return []
            rows.append((engine, encoding, path))
    return rows


def measure(engine, path, workload, threads):
    with OtherLoad() as others:
        try:
            burst = engine.burst(path, workload.prompt, workload.generate, threads)
        except BurstFailed as failed:
            burst = Burst({"prefill": None, "decode": None, "together": None, "note": str(failed)})
    return burst, others.share


def save(folder, results):
    """After every burst: what was measured is kept when a long run is broken off. Returns the table."""
    folder.mkdir(parents=True, exist_ok=True)
    table = peer_table.markdown(results, WORKLOADS, OTHERS_MAX)
    (folder / "peers.json").write_text(json.dumps(results, indent=1) + "\n")
    (folder / "peers.md").write_text(table)
    return table


def run_rounds(args, engines, results):
    for key in args.models:
        workload = next(w for w in WORKLOADS if w.key == key)
        first = 1 + max((b["round"] for b in results["bursts"] if b["workload"] == key), default=0)
        rows = rows_of(workload, engines, args.model_folder)
        for number in range(first, first + args.rounds if rows else first):
            turn = number % len(rows)
            for engine, encoding, path in rows[turn:] + rows[:turn]:
                burst, others = measure(engine, path, workload, args.threads)
                results["bursts"].append({
                    "workload": key, "engine": engine.name, "encoding": encoding, "round": number,
                    "build": burst.build, "others": others, "load_average": os.getloadavg()[0], **burst.speeds})
                results["limits"] += burst.limits
                print(json.dumps(results["bursts"][-1]), file=sys.stderr, flush=True)
                save(args.results, results)


def refuse_when_busy():
    with OtherLoad() as others:
        time.sleep(2)
    if others.share > OTHERS_MAX:
        sys.exit(f"Other programs use {others.share:.0%} of the processor (load average {os.getloadavg()[0]:.1f}): "
                 f"figures would mean nothing. Wait, or say --busy to have the table marked.")


def read_arguments():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    keys = [w.key for w in WORKLOADS]
    parser.add_argument("--models", type=lambda text: text.split(","), default=keys, help=",".join(keys))
    parser.add_argument("--engines", type=lambda text: text.split(","), help="default: all that are found")
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--tophand", default=str(ROOT / "build/release/bin/tophand"))
    parser.add_argument("--model-folder", type=pathlib.Path, help="where random models are kept",
                        default=pathlib.Path(os.environ.get("TOPHAND_PEER_MODELS", ROOT / "build/bench-models")))
    parser.add_argument("--results", type=pathlib.Path, default=ROOT / "build/bench-results")
    parser.add_argument("--add", action="store_true", help="add rounds to the results that are there")
    parser.add_argument("--busy", action="store_true", help="measure on a busy machine too, and mark the table")
    args = parser.parse_args()
    args.tophand, args.model_folder = os.path.abspath(args.tophand), args.model_folder.resolve()
    if unknown := set(args.models) - set(keys):
        parser.error(f"there is no model {', '.join(sorted(unknown))}; there are {', '.join(keys)}")
    return args


def start_results(args):
    facts = {"cpu": cpu_name(), "processors": os.cpu_count(), "threads": args.threads}
    previous = args.results / "peers.json"
    if args.add and previous.exists():
        results = json.loads(previous.read_text())
        if any(results[name] != value for name, value in facts.items()):
            sys.exit(f"{previous} is of another machine or number of threads: leave out --add")
        return results
    return {**facts, "date": datetime.date.today().isoformat(), "bursts": [], "limits": []}


def main():
    args = read_arguments()
    engines = [Tophand(args.tophand)]
    for peer in peers():
        if peer.find():
            engines.append(peer)
        else:
            print(peer.how_to_get(), file=sys.stderr)
    if args.engines:
        engines = [engine for engine in engines if engine.name in args.engines]
    if not os.access(args.tophand, os.X_OK):
        sys.exit(f"{args.tophand} is missing: make build")
    if not args.busy:
        refuse_when_busy()
    results = start_results(args)
    run_rounds(args, engines, results)
    print(save(args.results, results))


if __name__ == "__main__":
    main()

#!/usr/bin/env python3
"""Tokens a second of the engine and of llama.cpp, side by side on this machine.

    compare_llama_cpp.py MODEL.gguf [--threads 2] [--rounds 5] [--cpu-time] [--bench build/bench/engine_bench]

Both run the same 512 tokens of prefill and 32 of decode after them, in turns, in short bursts; the
best burst of each counts, so that other load on the machine hurts both alike. On a machine that is
busy, --cpu-time with one thread counts processor time instead of time on the wall. Needs llama.cpp's
Python package: pip install llama-cpp-python (builds from source; takes some minutes).
"""
import argparse
import json
import os
import subprocess
import sys
import time

PROMPT = [1000 + (i * 7919) % 40000 for i in range(512)]
DECODE = 32


def ours(args):
    env = dict(os.environ, TOPHAND_BENCH_MODEL=args.model, TOPHAND_BENCH_THREADS=str(args.threads))
    out = subprocess.run([args.bench, "--benchmark_format=json", "--benchmark_min_time=0.01"], env=env,
                         check=True, capture_output=True, text=True).stdout
    runs = {b["name"].split("/")[0]: b for b in json.loads(out)["benchmarks"]}
    key = "cpu_time" if args.cpu_time else "real_time"  # milliseconds a burst
    return (len(PROMPT) / runs["prefill_512"][key] * 1e3,
            DECODE / runs["decode_after_512"][key] * 1e3)


class LlamaCpp:
    def __init__(self, model, threads):
        try:
            import llama_cpp
        except ImportError:
            sys.exit("llama.cpp's package is missing: pip install llama-cpp-python")
        self.api = llama_cpp
        self.llama = llama_cpp.Llama(model, n_ctx=1024, n_batch=512, n_ubatch=512, n_threads=threads,
                                     n_threads_batch=threads, verbose=False)

    def decode(self, tokens, at):
        api, ctx = self.api, self.llama._ctx.ctx
        batch = api.llama_batch_init(len(tokens), 0, 1)
        batch.n_tokens = len(tokens)
        for i, token in enumerate(tokens):
            batch.token[i], batch.pos[i], batch.n_seq_id[i] = token, at + i, 1
            batch.seq_id[i][0], batch.logits[i] = 0, i == len(tokens) - 1
        assert api.llama_decode(ctx, batch) == 0
        api.llama_get_logits_ith(ctx, -1)  # waits for the result
        api.llama_batch_free(batch)

    def burst(self, clock):
        self.api.llama_memory_clear(self.api.llama_get_memory(self.llama._ctx.ctx), True)
        start = clock()
        self.decode(PROMPT, 0)
        middle = clock()
        for i in range(DECODE):
            self.decode([PROMPT[i]], len(PROMPT) + i)
        end = clock()
        return len(PROMPT) / (middle - start), DECODE / (end - middle)


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("model")
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--cpu-time", action="store_true")
    parser.add_argument("--bench", default="build/bench/engine_bench")
    args = parser.parse_args()
    llama = LlamaCpp(args.model, args.threads)
    if args.cpu_time and args.threads != 1:
        sys.exit("--cpu-time needs --threads 1")
    clock = time.process_time if args.cpu_time else time.perf_counter
    llama.burst(clock)  # warms the page cache
    best = {"tophand": (0, 0), "llama.cpp": (0, 0)}
    for _ in range(args.rounds):
        for name, run in (("tophand", lambda: ours(args)), ("llama.cpp", lambda: llama.burst(clock))):
            best[name] = tuple(map(max, best[name], run()))
    print(f"{'':10s} prefill 512 tok/s   decode tok/s   ({args.threads} threads, best of {args.rounds})")
    for name, (prefill, decode) in best.items():
        print(f"{name:10s} {prefill:17.1f} {decode:14.1f}")
    ratio = [a / b for a, b in zip(best["tophand"], best["llama.cpp"])]
    print(f"{'ratio':10s} {ratio[0]:17.2f} {ratio[1]:14.2f}")


if __name__ == "__main__":
    main()

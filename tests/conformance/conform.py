#!/usr/bin/env python3
"""Scores a gateway by URL: what its clients get, and what its upstreams are asked, for every client
dialect and upstream. Python 3 standard library only; docs/conformance.md tells how to use it."""

import argparse
import asyncio
import json
import random
import sys

import runner
from checks import CHECKS
from shapes import DIALECTS, UPSTREAMS

SWEEP_TEXT = "a stream cut after any byte ends in an error, with only what the upstream gave"
SHORT = {"anthropic": "anth", "openai": "chat", "responses": "resp", "ollama": "olla",
         "completions": "comp", "generate": "gen"}
UP_SHORT = {"anthropic": "claude", "openai": "openai", "ollama": "ollama"}


def texts():
    return {**{identity: rule.text for identity, rule in CHECKS.items()}, "K1": SWEEP_TEXT}


def table(results):
    pairs = list(results)
    heads = [f"{SHORT[dialect]}>{UP_SHORT[upstream]}" for dialect, upstream in pairs]
    lines = ["check  " + "  ".join(f"{head:11}" for head in heads)]
    for identity in texts():
        marks = [results[pair][identity].mark if identity in results[pair] else "-" for pair in pairs]
        lines.append(f"{identity:5}  " + "  ".join(f"{mark:11}" for mark in marks).rstrip())
    totals = [count(results[pair]) for pair in pairs]
    lines.append("passed " + "  ".join(f"{f'{passed}/{passed + failed}':11}" for passed, failed in totals))
    return "\n".join(lines)


def count(cells):
    """(passed, failed) checks of one pair."""
    failed = sum(1 for cell in cells.values() if cell.mark == "FAIL")
    return sum(1 for cell in cells.values() if cell.mark == "ok"), failed


def reasons(results):
    for (dialect, upstream), cells in results.items():
        for identity, cell in cells.items():
            if cell.problems:
                yield f"{dialect} x {upstream}: {identity} ({texts()[identity]}): " \
                      f"{len(cell.problems)} of {cell.applied}"
                yield from (f"    {problem}" for problem in cell.problems[:6])


def parse_options(argv):
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--target", help="JSON file that describes the gateway")
    parser.add_argument("--url", help="of the gateway, instead of the file's")
    parser.add_argument("--key", help="instead of the file's")
    parser.add_argument("--ports", default="9401,9402,9403", metavar="CLAUDE,OPENAI,OLLAMA",
                        help="where the upstreams listen (%(default)s)")
    parser.add_argument("--dialect", choices=DIALECTS, action="append", help="only this one")
    parser.add_argument("--upstream", choices=UPSTREAMS, action="append", help="only this one")
    parser.add_argument("--sweep-step", type=int, default=97, metavar="N",
                        help="cut the stream after every N-th byte (%(default)s; 0: no cuts)")
    parser.add_argument("--all", action="store_true", help="cut after every byte")
    parser.add_argument("--seed", type=int, default=random.randrange(1 << 32))
    parser.add_argument("--json", metavar="FILE", help="write the results there")
    parser.add_argument("--list", action="store_true", help="print the checks and end")
    return parser.parse_args(argv)


def print_checks():
    for identity, rule in CHECKS.items():
        print(f"{identity:5}{rule.text}" + (f"  [{rule.source}]" if rule.source else ""))
    print(f"K1   {SWEEP_TEXT}")


async def score(options):
    target = runner.Target.read(options.target, url=options.url, key=options.key)
    ports = dict(zip(UPSTREAMS, map(int, options.ports.split(","))))
    suite = runner.Suite(target, ports)
    await suite.start()
    step = 1 if options.all else options.sweep_step
    print(f"seed {options.seed}", flush=True)
    results = await suite.run(options.dialect or DIALECTS, options.upstream or UPSTREAMS, step,
                              options.seed, lambda line: print(line, file=sys.stderr, flush=True))
    await suite.stop()
    print("\n".join(reasons(results)))
    print(table(results))
    if options.json:
        with open(options.json, "w", encoding="utf-8") as out:
            json.dump(runner.dump_results(target, results, options.seed), out, indent=1, ensure_ascii=False)
    return 1 if any(count(cells)[1] for cells in results.values()) or not results else 0


def main():
    options = parse_options(sys.argv[1:])
    if options.list:
        print_checks()
        return 0
    if not options.target:
        print("--target FILE says what is tested; docs/conformance.md has an example", file=sys.stderr)
        return 2
    return asyncio.run(score(options))


if __name__ == "__main__":
    sys.exit(main())

#!/usr/bin/env python3
"""What the gateway adds to a request, beside a direct connection to the same model server.

    make bench-gateway
    bench/gateway_latency.py [--rate 1000] [--seconds 5] [--rounds 3] [--beside build/tuned/bin/tophand]
        [--peer 'LiteLLM=http://127.0.0.1:4000/v1/chat/completions authorization:Bearer%20x']

A model server that answers at once (gateway_load upstream), a gateway with everything on (keys, routing, ledger,
limits), and a load generator, all on this machine. Requests go to the server and through the gateway in turn, on a
fixed schedule, at the rate for both together; the difference of the percentiles is what the gateway adds. Paid requests to Claude, whose
reservation is synced to the disk before anything is sent, are measured apart. Results: build/bench-results/gateway.json.
"""
import argparse
import http.client
import json
import os
import pathlib
import shutil
import signal
import statistics
import subprocess
import sys
import tempfile
import time

ROOT = pathlib.Path(__file__).resolve().parents[1]
PROMPT = "You fix small things in a code base. What does HTTP status 429 mean? " * 8


def chat_body(max_tokens=64, stream=False, model="up/m", word=""):
    return {"model": model, "max_tokens": max_tokens, "stream": stream,
            "messages": [{"role": "user", "content": word + PROMPT}]}


class Upstream:
    def __init__(self, load):
        self.process = subprocess.Popen([load, "upstream"], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
        self.url = f"http://127.0.0.1:{self.process.stdout.readline().strip()}"

    def stop(self):
        self.process.stdin.close()
        self.process.wait(10)


class Gateway:
    def __init__(self, tophand, folder, upstream_url):
        self.data = folder / "data"
        config = folder / "tophand.toml"
        config.write_text(
            '[server]\nconnections_max = 4096\n'
            f'[[backends]]\nname = "up"\nkind = "openai"\nurl = "{upstream_url}/v1"\nmodels = ["m"]\n'
            'concurrency = 1024\n')
        env = {name: value for name, value in os.environ.items()
               if not name.startswith(("TOPHAND_", "ANTHROPIC_", "XDG_"))}
        env.update(TOPHAND_CLAUDE_URL=upstream_url, ANTHROPIC_API_KEY="sk-ant-bench")
        begun = time.monotonic()
        self.process = subprocess.Popen(
            [tophand, "serve", "--listen", "127.0.0.1:0", "--config", str(config), "--data", str(self.data)],
            env=env, stdout=subprocess.PIPE, stderr=open(folder / "gateway.log", "w", encoding="utf-8"), text=True)
        line = self.process.stdout.readline()
        if "http://" not in line:
            sys.exit(f"tophand serve said {line!r}; see {folder}/gateway.log")
        self.url = line[line.index("http://"):].strip()
        connection = http.client.HTTPConnection(self.url.removeprefix("http://"))
        connection.request("GET", "/healthz")
        connection.getresponse().read()
        self.start_ms = (time.monotonic() - begun) * 1000
        self.key = (self.data / "run/cli-key").read_text().strip()

    def resident_mib(self):
        for line in pathlib.Path(f"/proc/{self.process.pid}/status").read_text().splitlines():
            if line.startswith("VmRSS"):
                return int(line.split()[1]) / 1024
        return 0.0

    def target(self, name, path, *headers):
        return " ".join([f"{name}={self.url}{path}", f"x-api-key:{self.key}", *headers])

    def stop(self):
        self.process.send_signal(signal.SIGTERM)
        self.process.wait(30)


class Bench:
    def __init__(self, args, folder):
        self.args, self.folder, self.rows = args, folder, []
        self.upstream = Upstream(args.load)
        self.gateway = Gateway(args.tophand, folder, self.upstream.url)
        self.beside = {}
        for program in args.beside:
            data = folder / f"beside{len(self.beside)}"
            data.mkdir()
            self.beside[program] = Gateway(program, data, self.upstream.url)

    def run(self, body, targets, rate, seconds):
        file = self.folder / "body.json"
        file.write_text(json.dumps(body))
        done = subprocess.run([self.args.load, "run", "--rate", str(rate), "--seconds", str(seconds), "--connections",
                               "8", "--body", str(file), *targets], capture_output=True, text=True, check=False)
        if done.returncode:
            sys.exit(f"gateway_load failed: {done.stderr}")
        result = json.loads(done.stdout)
        for name, one in result.items():
            if one["failed"] or not one["requests"]:
                sys.exit(f"{name}: {one['failed']} requests failed; see {self.folder}/gateway.log")
        return result

    def compare(self, title, body, path, *headers, rate=None, events=0, peers=(), direct_path=None):
        """Rounds of direct and through the gateway; per percentile the median of the rounds."""
        rate = rate or self.args.rate
        targets = [f"direct={self.upstream.url}{direct_path or path}", self.gateway.target("Tophand", path, *headers), *peers]
        rounds = [self.run(body, targets, rate, self.args.seconds) for _ in range(self.args.rounds)]
        row = {"what": title, "rate": rate, "events": events}
        for name in rounds[0]:
            row[name] = {key: statistics.median(one[name][key] for one in rounds)
                         for key in ("requests", "p50_us", "p90_us", "p99_us", "max_us", "late_p99_us")}
        self.rows.append(row)

    def idle(self):
        file = self.folder / "body.json"
        file.write_text(json.dumps(chat_body(stream=True, word="IDLE-STREAM ")))
        before = self.gateway.resident_mib()
        target = self.gateway.target("Tophand", "/v1/chat/completions")
        with subprocess.Popen([self.args.load, "idle", "--streams", "1000", "--body", str(file), target],
                              stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as process:
            opened = int(process.stdout.readline())
            used = self.gateway.resident_mib() - before
            process.stdin.close()
        return {"streams": opened, "mib": used}

    def stop(self):
        for gateway in (self.gateway, *self.beside.values()):
            gateway.stop()
        self.upstream.stop()


def show(rows, out):
    out.write("| what | requests/s | target | p50 us | p90 us | p99 us | added p50 | added p99 |\n|---|---|---|---|---|---|---|---|\n")
    for row in rows:
        direct = row["direct"]
        for name, one in row.items():
            if not isinstance(one, dict):
                continue
            added = ("", "") if name == "direct" else (f"{one['p50_us'] - direct['p50_us']:.0f}",
                                                       f"{one['p99_us'] - direct['p99_us']:.0f}")
            out.write(f"| {row['what']} | {row['rate']:.0f} | {name} | {one['p50_us']:.0f} | {one['p90_us']:.0f} "
                      f"| {one['p99_us']:.0f} | {added[0]} | {added[1]} |\n")
            if row["events"] and name != "direct":
                an_event = (one["p50_us"] - direct["p50_us"]) / row["events"]
                out.write(f"| per streamed event | | {name} | {an_event:.2f} | | | | |\n")


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--tophand", default=str(ROOT / "build/bench/bin/tophand"))
    parser.add_argument("--load", default=str(ROOT / "build/bench/gateway_load"))
    parser.add_argument("--rate", type=float, default=1000)
    parser.add_argument("--seconds", type=float, default=5)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--peer", action="append", default=[], help="'NAME=URL HEADER:VALUE' (a space in it: %%20): another gateway before a server that answers at once")
    parser.add_argument("--peer-rate", type=float, default=50, help="requests a second while peers are measured too")
    parser.add_argument("--beside", action="append", default=[], metavar="PROGRAM", help="another build of tophand, asked in turn with the others: how far apart two builds are is seen in no other way on a machine whose speed changes")
    parser.add_argument("--results", default=str(ROOT / "build/bench-results/gateway.json"))
    parser.add_argument("--upstream-only", action="store_true", help="start the model server, print its address, wait: to set up peers")
    args = parser.parse_args()
    if args.upstream_only:
        upstream = Upstream(args.load)
        print(upstream.url, flush=True)
        signal.pause()
    folder = pathlib.Path(tempfile.mkdtemp(prefix="tophand-latency-"))
    bench = Bench(args, folder)
    try:
        bench.compare("Chat to a local backend", chat_body(), "/v1/chat/completions")
        bench.compare("Chat, the rate through the gateway alone", chat_body(), "/v1/chat/completions", rate=2 * args.rate)
        bench.compare("Messages to a local backend", chat_body(), "/v1/messages", "anthropic-version:2023-06-01")
        bench.compare("Messages to Claude, reservation synced", chat_body(model="claude-opus-5-5"), "/v1/messages",
                      "anthropic-version:2023-06-01", "x-tophand-priority:high", rate=args.rate / 10)
        for title, path in (("stream of 1,000 events, Chat", "/v1/chat/completions"),
                            ("stream of 1,000 events, Chat to Messages", "/v1/messages")):
            bench.compare(title, chat_body(max_tokens=1000, stream=True), path, "anthropic-version:2023-06-01",
                          rate=20, events=1000)
        for title, path in (("stream of 1,000 events, Claude's, passed on", "/v1/messages"),
                            ("stream of 1,000 events, Claude's to Chat", "/v1/chat/completions")):
            bench.compare(title, chat_body(model="claude-opus-5-5", max_tokens=1000, stream=True), path, "anthropic-version:2023-06-01",
                          "x-tophand-priority:high", rate=20, events=1000, direct_path="/v1/messages")
        if args.beside:
            path = "/v1/chat/completions"
            others = [gateway.target(program, path) for program, gateway in bench.beside.items()]
            bench.compare("Chat, beside other builds", chat_body(), path, rate=args.rate * (2 + len(others)) / 2, peers=others)
        if args.peer:
            bench.compare("Chat, beside other gateways", chat_body(model="m"), "/v1/chat/completions",
                          rate=args.peer_rate, peers=args.peer)
        idle = bench.idle()
        result = {"rows": bench.rows, "idle": idle, "start_ms": bench.gateway.start_ms}
        show(bench.rows, sys.stdout)
        print(f"\n{idle['streams']} idle streams: {idle['mib']:.1f} MiB; start to first answer {result['start_ms']:.0f} ms")
        target = pathlib.Path(args.results)
        target.parent.mkdir(parents=True, exist_ok=True)
        target.write_text(json.dumps(result, indent=1))
    finally:
        bench.stop()
        shutil.rmtree(folder, ignore_errors=True)


if __name__ == "__main__":
    main()

"""Fills a ledger that the program has made with two weeks of made-up, seeded work: agents, sessions
with local detours, escalations, shadows, judges, a hold-out arm, failures, power. The amounts are
worked out here, by recompute_savings.py's reading of docs/savings.md.

    python3 tests/reference/make_ledger.py DATA/ledger.db --prices prices/anthropic.json [--seed N]"""

import argparse
import random
import sqlite3
import sys
import time

import recompute_savings as reference

DAY_MS = 86_400_000
# name: requests a day, of low priority, prompt tokens, answer tokens, local succeeds
CLASSES = {"git_commit": (60, 1.0, 2500, 90, 0.93), "file_edit": (45, 0.8, 6000, 700, 0.75),
           "coordination": (40, 1.0, 900, 60, 0.95), "qa": (30, 0.9, 1500, 250, 0.85),
           "review": (12, 0.3, 20_000, 900, 0.5), "reasoning": (10, 0.0, 40_000, 2500, 0.0),
           "": (8, 0.7, 700, 120, 0.8)}
SONNET, OPUS, HAIKU = "claude-sonnet-5-5", "claude-opus-5-5", "claude-haiku-5-5"
LOCAL = "qwen2.5-coder:1.5b"
POWER = {"milliwatts": 65_000, "micro_usd_per_kwh": 320_000}


class Writer:
    def __init__(self, database, prices, seed):
        self.database, self.prices, self.random = database, prices, random.Random(seed)
        self.columns = {row[1] for row in database.execute("PRAGMA table_info(attempts)")}
        self.id = database.execute("SELECT coalesce(max(id), 0) FROM attempts").fetchone()[0]

    def row(self, **values):
        self.id += 1
        monday = values["started_ms"] - (values["started_ms"] - 4 * DAY_MS) % (7 * DAY_MS)
        row = {"id": self.id, "state": "settled", "week_ms": monday, "key_id": "key1", "session": "",
               "dialect": "anthropic_messages", "reason": "made up", "outcome": "done", "charged": 0,
               "price_version": f"{self.prices.date}-made", "reserved": 0, **values}
        unknown = set(row) - self.columns
        assert not unknown, unknown
        self.insert("attempts", row)
        labelled = 0.9 if row.get("arm") == "holdout" else 0.05
        if row["outcome"] == "done" and row.get("purpose", "answer") == "answer" and \
                (row["backend"] == "local" or row.get("arm")) and self.random.random() < labelled:
            self.label(row)

    def label(self, row):
        """Some have several labels: the strongest counts, of equal ones the latest."""
        for source in self.random.choices(("gate", "shadow", "audit_judge", "downstream", "human"),
                                          k=self.random.randrange(1, 4)):
            good = self.random.random() < (0.97 if row["backend"] == "claude" else 0.9)
            self.insert("labels", {
                "row_id": row["id"], "request_id": row["request_id"], "attempt": row["attempt"],
                "time_ms": row["started_ms"] + 60_000, "source": source, "note": "", "version": "",
                "verdict": "good" if good else "bad", "task_class": row["task_class"],
                "model": row["model"], "gate": ""})

    def insert(self, table, row):
        self.database.execute(
            f"INSERT INTO {table} ({', '.join(row)}) VALUES ({', '.join('?' * len(row))})",
            list(row.values()))

    def claude(self, model, prompt, cached, written, output, **values):
        tokens = {"cache_read": cached, "cache_write_5m": written, "input": prompt - cached - written}
        cost = self.prices.cost(model, **tokens, output=output)
        off = self.random.gauss(0.95, 0.06)  # of the estimate
        thinking = output // 3 if model == OPUS else 0
        self.row(backend="claude", model=model, tier={SONNET: "default", OPUS: "hard"}.get(model, "small"),
                 input_tokens=tokens["input"], cache_read=cached, cache_write_5m=written,
                 output_tokens=output, reserved=cost * 3, charged=cost,
                 estimated_tokens=max(1, round(prompt * off)),
                 counterfactual_basis=f"cf1 answer={output - thinking} thinking={thinking}", **values)

    def local(self, prompt, output, succeeds, rival=SONNET, **values):
        work_ms = 200 + prompt // 2 + output * 25
        energy = {"work_ms": work_ms, **POWER}
        words = {}
        ppm = self.random.choice((1_000_000, 1_050_000, 1_063_217))
        estimated = round(prompt * 0.95)
        if succeeds:
            seen = self.random.choice(("assumed", "observed"))
            words = {"model": rival, "why": "configured", "split": seen, "tokens_ppm": ppm,
                     "prompt": (estimated * ppm + 500_000) // 1_000_000,
                     "read_ppm": 612_345, "write_5m_ppm": 98_765, "write_1h_ppm": 0, "answer": output,
                     "verbosity_ppm": 1_123_456, "thinking": 17,
                     "output": (output * 1_123_456 + 500_000) // 1_000_000 + 17}
        text = "cf1 " + " ".join(f"{key}={value}" for key, value in {**words, **energy}.items())
        basis = dict(word.split("=", 1) for word in text.split()[1:])
        floor, expected, ceiling = 0, 0, 0
        if succeeds and values.get("purpose", "answer") == "answer":
            floor, expected, ceiling = reference.counterfactual_of(basis, self.prices)
        self.row(backend="local", model=LOCAL, tier="local", input_tokens=prompt,
                 output_tokens=output, outcome="done" if succeeds else "failed",
                 estimated_tokens=estimated if succeeds else 0, counterfactual_basis=text,
                 energy=reference.energy_of(basis), counterfactual=expected,
                 counterfactual_floor=floor, counterfactual_ceiling=ceiling,
                 duration_ms=work_ms, **values)


def one_request(writer, name, at_ms, number):
    rng = writer.random
    _, low_share, prompt, answer, works = CLASSES[name]
    low = rng.random() < low_share
    size = rng.lognormvariate(0, 0.5)
    prompt, answer = max(30, int(prompt * size)), max(5, int(answer * rng.lognormvariate(0, 0.4)))
    common = {"request_id": f"req_made{number:06d}", "task_class": name, "started_ms": at_ms,
              "priority": "low" if low else "high", "agent": rng.choice(("monday", "scout", "fixer")),
              "model_asked": rng.choice(("auto", SONNET)) if low else OPUS}
    cached = int(prompt * rng.uniform(0.3, 0.9)) if prompt > 1024 else 0
    if low and rng.random() < 0.02:
        writer.claude(SONNET, prompt, cached, 0, answer, attempt=1, arm="holdout", **common)
    elif low:
        good = rng.random() < works
        writer.local(prompt, answer, good, attempt=1, **common)
        if not good:
            writer.claude(HAIKU, prompt, cached, 0, answer, attempt=2, **common)
        elif rng.random() < 0.05:
            writer.claude(SONNET, prompt, cached, 0, answer, attempt=2, purpose="shadow",
                          **{**common, "started_ms": at_ms + 900})
            writer.claude(HAIKU, 2 * answer + 300, 0, 0, 40, attempt=3, purpose="judge",
                          **{**common, "started_ms": at_ms + 1800})
    elif rng.random() < 0.01:
        writer.row(backend="claude", model=OPUS, state="recovered", outcome="", reserved=10 ** 8,
                   charged=10 ** 8, attempt=1, **common)
    else:
        writer.claude(OPUS if name == "reasoning" else SONNET, prompt, cached, 0, answer, attempt=1,
                      **common)


def session(writer, at_ms, number):
    """A conversation with Claude whose cache lapses: in some by a local detour, in some by itself."""
    rng = writer.random
    name, prefix = f"session{number}", rng.randrange(20_000, 60_000)
    common = {"task_class": "tool_loop", "agent": "fixer", "session": name, "model_asked": SONNET}
    for step, gap_s in enumerate((0, 120, 480, 600, 60)):
        detour = (gap_s == 480, rng.random() < 0.5)
        for part in range(2 if all(detour) else 0):
            writer.local(3000, 200, True, attempt=1, request_id=f"req_detour{number}_{step}_{part}",
                         priority="low", **{**common, "started_ms": at_ms + 160_000 * (part + 1)})
        at_ms += gap_s * 1000
        lapsed = gap_s > 300 or step == 0
        writer.claude(SONNET, prefix + 800, 0 if lapsed else prefix, prefix if lapsed else 500, 300,
                      attempt=1, request_id=f"req_session{number}_{step}", priority="high",
                      **{**common, "started_ms": at_ms})
        prefix += 0 if lapsed else 500


def fill(path, price_text, seed, until_ms, days=14):
    database = sqlite3.connect(path)
    writer = Writer(database, reference.Prices(price_text), seed)
    begun_ms = until_ms - days * DAY_MS
    events = []
    for name, (a_day, *_) in CLASSES.items():
        events += [(begun_ms + writer.random.randrange(days * DAY_MS), name)
                   for _ in range(a_day * days)]
    events += [(begun_ms + writer.random.randrange(days * DAY_MS - DAY_MS // 4), None)
               for _ in range(6 * days)]
    for number, (at_ms, name) in enumerate(sorted(events, key=lambda event: event[0])):
        if name is None:
            session(writer, at_ms, number)
        else:
            one_request(writer, name, at_ms, number)
    database.commit()
    database.close()


def main(argv):
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("ledger")
    parser.add_argument("--prices", required=True)
    parser.add_argument("--seed", type=int, default=20261126)
    options = parser.parse_args(argv)
    with open(options.prices, encoding="utf-8") as file:
        fill(options.ledger, file.read(), options.seed, int(time.time() * 1000))
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))

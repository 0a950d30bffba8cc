"""Reckons the figures of `tophand savings --json` again, from the ledger's file and the price file
alone. docs/savings.md has the formulas; this is another program that follows them.

    python3 tests/reference/recompute_savings.py DATA/ledger.db --prices prices/anthropic.json \
        [--since-ms T] [--class NAME] [--agent NAME] [--key ID] [--model NAME] [--check REPORT.json]

Prints the figures as JSON. With --check it compares them with a report of the program, says what
differs, and ends with 1 if anything does. Money must agree to the nano-dollar."""

import argparse
import json
import math
import sqlite3
import statistics
import sys
from fractions import Fraction

MILLION = 1_000_000
CACHE_LIFE_MS = 300_000
ARM_MIN = 30


class Prices:
    """Nano-dollars a token: dollars per million tokens are thousands of them."""

    def __init__(self, text):
        self.date = json.loads(text)["date"]
        self.models = {model["id"]: model for model in json.loads(text)["models"]}

    def find(self, model):
        if model in self.models:
            return self.models[model]
        stem, _, stamp = model.rpartition("-")
        return self.models.get(stem) if len(stamp) == 8 and stamp.isdigit() else None

    def cost(self, model, **counts):
        price = self.find(model)
        prompt = sum(count for name, count in counts.items() if name != "output")
        if "long_prompt" in price and prompt > price["long_prompt"]["over"]:
            price = price["long_prompt"]
        total = sum(Fraction(price[name]) * 1000 * count for name, count in counts.items())
        assert total.denominator == 1
        return int(total)


def basis_of(row):
    words = row["counterfactual_basis"].split()
    return dict(word.split("=", 1) for word in words[1:]) if words[:1] == ["cf1"] else {}


def counterfactual_of(basis, prices):
    """Floor, expected and ceiling of a local answer from what its row says they were made of."""
    number = {key: int(value) for key, value in basis.items() if value.lstrip("-").isdigit()}
    prompt, output = number["prompt"], number["output"]
    spoken = (number["answer"] * number["verbosity_ppm"] + MILLION // 2) // MILLION
    assert output == spoken + number["thinking"], basis
    split = {"cache_read": prompt * number["read_ppm"] // MILLION,
             "cache_write_5m": prompt * number["write_5m_ppm"] // MILLION,
             "cache_write_1h": prompt * number["write_1h_ppm"] // MILLION}
    split["input"] = prompt - sum(split.values())
    model = basis["model"]
    expected = prices.cost(model, **split, output=output)
    return (min(expected, prices.cost(model, cache_read=prompt, output=output)), expected,
            max(expected, prices.cost(model, input=prompt, output=output)))


def energy_of(basis):
    if "work_ms" not in basis:
        return 0
    millijoules = int(basis["milliwatts"]) * int(basis["work_ms"]) // 1000
    return (millijoules * int(basis["micro_usd_per_kwh"]) + 1_800_000) // 3_600_000


def faults_of_rows(rows, prices):
    """Rows whose amounts are not what their own basis says. Those of another price book are not
    looked at, as their prices are not known here."""
    for row in rows:
        basis = basis_of(row)
        if row["energy"] != energy_of(basis):
            yield f"row {row['id']}: energy {row['energy']}, its basis gives {energy_of(basis)}"
        if "prompt" not in basis or not row["price_version"].startswith(prices.date):
            continue
        wrote = (row["counterfactual_floor"], row["counterfactual"], row["counterfactual_ceiling"])
        made = counterfactual_of(basis, prices) if row["purpose"] == "answer" else (0, 0, 0)
        if wrote != made:
            yield f"row {row['id']}: counterfactual {wrote}, its basis gives {made}"
        corrected = (row["estimated_tokens"] * int(basis["tokens_ppm"]) + MILLION // 2) // MILLION
        if corrected != int(basis["prompt"]):
            yield f"row {row['id']}: prompt {basis['prompt']}, its estimate gives {corrected}"


def prompt_of(row):
    return row["input_tokens"] + row["cache_read"] + row["cache_write_5m"] + row["cache_write_1h"]


def cost_of(row):
    return row["charged"] + row["adjusted"]


def cache_damage(rows, prices):
    """Row id -> nano-dollars: for each two paid answers of a session by one model that follow each
    other, with more than five minutes between them that local answers filled without such a gap."""
    damage = {}
    answers = [row for row in rows
               if row["session"] and row["purpose"] == "answer" and row["outcome"] == "done"]
    for session in {row["session"] for row in answers}:
        own = [row for row in answers if row["session"] == session]
        for model in {row["model"] for row in own if row["backend"] == "claude"}:
            paid = [row for row in own if row["backend"] == "claude" and row["model"] == model]
            for before, after in zip(paid, paid[1:]):
                detour = [row["started_ms"] for row in own
                          if row["backend"] != "claude" and before["id"] < row["id"] < after["id"]]
                times = [before["started_ms"], *detour, after["started_ms"]]
                if not detour or times[-1] - times[0] <= CACHE_LIFE_MS:
                    continue
                if any(b - a > CACHE_LIFE_MS for a, b in zip(times, times[1:])):
                    continue
                prefix = before["cache_read"] + before["cache_write_5m"]
                tokens = min(after["cache_write_5m"], max(0, prefix - after["cache_read"]))
                damage[after["id"]] = max(0, prices.cost(model, cache_write_5m=tokens) -
                                          prices.cost(model, cache_read=tokens))
    return damage


SUMS = ("requests local_requests claude_requests escalated redone failed running local_input_tokens "
        "local_output_tokens claude_input_tokens claude_output_tokens spent_nano_usd router_nano_usd "
        "outstanding_nano_usd counterfactual_nano_usd counterfactual_floor_nano_usd "
        "counterfactual_ceiling_nano_usd energy_nano_usd energy_lost_nano_usd "
        "cache_damage_nano_usd adjusted_nano_usd").split()


def sums_of(requests, damage, labels):
    sums = dict.fromkeys(SUMS, 0)
    for rows in requests:
        for row in rows:
            where = "claude" if row["backend"] == "claude" else "local"
            sums[f"{where}_input_tokens"] += prompt_of(row)
            sums[f"{where}_output_tokens"] += row["output_tokens"]
            open_ = row["state"] == "reserved"
            sums["outstanding_nano_usd" if open_ else "spent_nano_usd"] += cost_of(row)
            if row["purpose"] != "answer" and not open_:
                sums["router_nano_usd"] += cost_of(row)
            sums["adjusted_nano_usd"] += row["adjusted"]
            sums["energy_nano_usd"] += row["energy"]
            sums["energy_lost_nano_usd"] += row["energy"]
            sums["cache_damage_nano_usd"] += damage.get(row["id"], 0)
        answers = [row for row in rows if row["purpose"] == "answer"]
        if not answers:
            continue
        last = max(answers, key=lambda row: row["attempt"])
        sums["requests"] += 1
        if last["state"] == "reserved":
            sums["running"] += 1
        elif last["outcome"] != "done":
            sums["failed"] += 1
        elif last["backend"] == "claude":
            sums["claude_requests"] += 1
            sums["escalated"] += any(row["backend"] != "claude" for row in answers)
        else:
            sums["local_requests"] += 1
            if labels.get(last["id"]) is False:
                sums["redone"] += 1
                continue
            sums["counterfactual_nano_usd"] += last["counterfactual"]
            sums["counterfactual_floor_nano_usd"] += last["counterfactual_floor"]
            sums["counterfactual_ceiling_nano_usd"] += last["counterfactual_ceiling"]
            sums["energy_lost_nano_usd"] -= last["energy"]
    for part in ("", "_floor", "_ceiling"):
        saved = (sums[f"counterfactual{part}_nano_usd"] - sums["router_nano_usd"] -
                 sums["cache_damage_nano_usd"] - sums["energy_nano_usd"])
        without = saved + sums["spent_nano_usd"] + sums["energy_nano_usd"]
        sums[f"saved{part}_nano_usd"] = saved
        sums[f"saved{part}_permille"] = nearest(saved / without * 1000) if without > 0 else 0
    return sums


def nearest(value):
    return int(math.copysign(math.floor(abs(value) + 0.5), value))


def student_quantile(freedom):
    """At 0.975, by bisection on Student's distribution, its density integrated by Simpson's rule."""
    scale = math.exp(math.lgamma((freedom + 1) / 2) - math.lgamma(freedom / 2))
    scale /= math.sqrt(freedom * math.pi)

    def below(x, steps=400):
        width = x / steps
        values = [scale * (1 + (i * width) ** 2 / freedom) ** (-(freedom + 1) / 2)
                  for i in range(steps + 1)]
        inner = 4 * sum(values[1:-1:2]) + 2 * sum(values[2:-1:2])
        return 0.5 + width / 3 * (values[0] + inner + values[-1])
    low, high = 1.9, 2.2
    for _ in range(40):
        middle = (low + high) / 2
        low, high = (middle, high) if below(middle) < 0.975 else (low, middle)
    return low


def hold_out(requests, labels):
    costs, judged = {True: [], False: []}, {True: [], False: []}
    for rows in requests:
        answers = sorted((row for row in rows if row["purpose"] == "answer"),
                         key=lambda row: row["id"])
        if not answers or rows[0]["priority"] != "low":
            continue
        last = max(answers, key=lambda row: row["attempt"])
        held_out = any(row["arm"] == "holdout" for row in answers)
        first = answers[0]
        named = first["model_asked"] in ("local", first["model"])
        if last["state"] == "reserved" or \
                (not held_out and (first["backend"] == "claude" or named)):
            continue
        costs[held_out].append(sum(row["energy"] + (cost_of(row) if row["state"] != "reserved" else 0)
                                   for row in rows))
        if last["id"] in labels:
            judged[held_out].append(labels[last["id"]])
    out = {"held_out": len(costs[True]), "treated": len(costs[False]),
           "saved_usd_per_request": None, "quality_difference": None}
    if min(len(costs[True]), len(costs[False])) >= ARM_MIN:
        errors = [statistics.variance(costs[arm]) / len(costs[arm]) for arm in (True, False)]
        estimate = statistics.fmean(costs[True]) - statistics.fmean(costs[False])
        half = 0
        if sum(errors) > 0:
            freedom = sum(errors) ** 2 / sum(error ** 2 / (len(costs[arm]) - 1)
                                             for error, arm in zip(errors, (True, False)))
            half = student_quantile(freedom) * math.sqrt(sum(errors))
        out["saved_usd_per_request"] = {"estimate": estimate / 1e9, "lower_95": (estimate - half) / 1e9,
                                        "upper_95": (estimate + half) / 1e9}
    if min(len(judged[True]), len(judged[False])) >= ARM_MIN:
        (ours, low, high), (theirs, their_low, their_high) = (
            wilson(sum(judged[arm]), len(judged[arm])) for arm in (False, True))
        out["quality_difference"] = {
            "estimate": ours - theirs,
            "lower_95": ours - theirs - math.hypot(ours - low, their_high - theirs),
            "upper_95": ours - theirs + math.hypot(high - ours, theirs - their_low)}
    return out


def wilson(good, n, z=1.9599639845400545):
    rate = good / n
    middle = (rate + z * z / (2 * n)) / (1 + z * z / n)
    half = z / (1 + z * z / n) * math.sqrt(rate * (1 - rate) / n + z * z / (4 * n * n))
    return rate, middle - half, middle + half


def token_estimate(rows):
    """How far the estimate of prompt tokens was off, and how far after the correction that was known
    before each row: the mean ratio of its class (of the latest twenty or so), from five rows on."""
    seen, out = {}, {"n": 0, "counted_tokens": 0, "estimated_tokens": 0, "corrected_tokens": 0}
    raw = corrected_error = 0.0
    for row in rows:
        counted, estimated = prompt_of(row), row["estimated_tokens"]
        if row["backend"] != "claude" or row["purpose"] == "judge" or row["state"] != "settled" or \
                row["outcome"] != "done" or counted <= 0 or estimated <= 0:
            continue
        groups = [seen.setdefault(name, [0, 1.0]) for name in (("class", row["task_class"]), "all")]
        known = next((group for group in groups if group[0] >= 5), (0, 1.0))
        ratio = nearest(min(4, max(0.25, known[1])) * MILLION) / MILLION
        corrected = nearest(estimated * ratio)
        out["n"] += 1
        out["counted_tokens"] += counted
        out["estimated_tokens"] += estimated
        out["corrected_tokens"] += corrected
        raw += abs(estimated - counted) / counted
        corrected_error += abs(corrected - counted) / counted
        for group in groups:
            group[0] += 1
            group[1] += max(0.05, 1 / group[0]) * (min(4, max(0.25, counted / estimated)) - group[1])
    if out["n"]:
        out.update(mean_error=raw / out["n"], mean_error_corrected=corrected_error / out["n"])
    return out


def read_labels(database):
    """Row id -> whether its answer was good: the strongest and latest label of each."""
    sources = ("shadow", "audit_judge", "downstream", "human")
    labels = [row for row in database.execute("SELECT id, row_id, source, verdict FROM labels")
              if row["source"] in sources]
    labels.sort(key=lambda row: (sources.index(row["source"]), row["id"]))
    return {row["row_id"]: row["verdict"] == "good" for row in labels}


def recompute(path, price_text, since_ms=0, key="", agent="", task_class="", model=""):
    prices = Prices(price_text)
    database = sqlite3.connect(f"file:{path}?mode=ro", uri=True)
    database.row_factory = sqlite3.Row
    rows = database.execute("SELECT * FROM attempts WHERE started_ms >= ? ORDER BY id",
                            (since_ms,)).fetchall()
    labels = read_labels(database)
    database.close()
    by_request = {}
    for row in rows:
        by_request.setdefault(row["request_id"], []).append(row)

    def wanted(first):
        return all(not asked or asked == first[name] for name, asked in
                   (("key_id", key), ("agent", agent), ("task_class", task_class)))

    def model_of(request):
        answers = [row for row in request if row["purpose"] == "answer"]
        return max(answers, key=lambda row: row["attempt"])["model"] if answers else ""
    chosen = [request for request in by_request.values() if wanted(request[0])]
    estimate = token_estimate([row for row in rows if wanted(by_request[row["request_id"]][0])])
    chosen = [request for request in chosen
              if not model or model in (model_of(request), request[0]["model_asked"])]
    damage = cache_damage(rows, prices)

    def groups(name, value_of):
        values = sorted({value_of(request) for request in chosen})
        return [{name: value, **sums_of([request for request in chosen if value_of(request) == value],
                                        damage, labels)} for value in values if name != "model" or value]
    return {**sums_of(chosen, damage, labels),
            "routine": sums_of([request for request in chosen if request[0]["priority"] == "low"],
                               damage, labels),
            "classes": groups("task_class", lambda request: request[0]["task_class"]),
            "models": groups("model", model_of),
            "hold_out": hold_out(chosen, labels),
            "token_estimate": estimate,
            "row_faults": list(faults_of_rows(rows, prices))}


def differences(ours, theirs, where=""):
    """What of `ours` is otherwise in `theirs`. Whole numbers must be equal; intervals and errors are
    floating-point sums, so nine digits of them (five of the intervals, whose quantile is a series)."""
    if isinstance(ours, dict):
        for key, value in ours.items():
            if key != "row_faults":
                found = theirs.get(key) if isinstance(theirs, dict) else None
                yield from differences(value, found, f"{where}.{key}")
    elif isinstance(ours, list):
        if not isinstance(theirs, list) or len(ours) != len(theirs):
            yield f"{where}: {len(ours)} entries, the program has {theirs!r}"
            return
        for index, value in enumerate(ours):
            yield from differences(value, theirs[index], f"{where}[{index}]")
    elif isinstance(ours, float):
        digits = 1e-5 if "95" in where else 1e-9
        if not isinstance(theirs, (int, float)) or \
                not math.isclose(ours, theirs, rel_tol=digits, abs_tol=1e-12):
            yield f"{where}: {ours!r}, the program has {theirs!r}"
    elif ours != theirs:
        yield f"{where}: {ours!r}, the program has {theirs!r}"


def main(argv):
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("ledger")
    parser.add_argument("--prices", required=True)
    parser.add_argument("--since-ms", type=int, default=0)
    for name in ("key", "agent", "model"):
        parser.add_argument(f"--{name}", default="")
    parser.add_argument("--class", dest="task_class", default="")
    parser.add_argument("--check", metavar="REPORT.json")
    options = parser.parse_args(argv)
    with open(options.prices, encoding="utf-8") as file:
        figures = recompute(options.ledger, file.read(), options.since_ms, options.key, options.agent,
                            options.task_class, options.model)
    if not options.check:
        print(json.dumps(figures, indent=1))
        return 0
    with open(options.check, encoding="utf-8") as file:
        found = [*differences(figures, json.load(file)), *figures["row_faults"]]
    for line in found:
        print(line)
    print(f"{'differs' if found else 'agrees'}: {figures['requests']} requests")
    return 1 if found else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))

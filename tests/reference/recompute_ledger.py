"""Recomputes a ledger.db from what is in it, independently of the program: its own reading of the
journal, of the prices and of the sums. Whole numbers and fractions only; a nano-dollar that is not
accounted for is a fault.

Usage: recompute_ledger.py LEDGER [--prices FILE_OR_FOLDER ...] [--head SEQ:HASH] [--json]

Prints a summary and ends with 0, or prints every fault and ends with 1. Reads only; works while
the gateway runs. docs/ledger.md says what the tables mean.
"""

import argparse
import collections
import hashlib
import json
import pathlib
import re
import sqlite3
import sys
from fractions import Fraction

DAY_MS = 86_400_000
TEXT_COLUMNS = {
    "request_id", "state", "key_id", "dialect", "task_class", "priority", "backend", "model",
    "model_asked", "reason", "price_version", "outcome", "error_code", "agent", "persona",
    "session", "class_source", "tier", "purpose", "arm", "provider_key", "gate", "cost_basis",
    "counterfactual_basis"}
ABOUT_THE_EVENT = {"event", "row", "at_ms"}


# --- prices -------------------------------------------------------------------------------------

def load_books(paths):
    """Every price book in the given files and folders, by the version that rows are stamped with."""
    books = {}
    for path in map(pathlib.Path, paths):
        for file in sorted(path.glob("*.json")) if path.is_dir() else [path]:
            data = file.read_bytes()
            book = json.loads(data)
            if "models" in book and "date" in book:
                books[f"{book['date']}-{hashlib.sha256(data).hexdigest()[:8]}"] = book
    return books


def cost_of(book, row):
    """Nano-dollars that the row's tokens cost: dollars per million tokens are thousands of
    nano-dollars a token. Rounded up once, where batch or US-only inference leave a fraction."""
    models = {model["id"]: model for model in book["models"]}
    name = row["model"]
    price = models.get(name) or models[re.fullmatch(r"(.+)-\d{8}", name).group(1)]
    counts = {"input": row["input_tokens"], "cache_read": row["cache_read"],
              "cache_write_5m": row["cache_write_5m"], "cache_write_1h": row["cache_write_1h"]}
    if "long_prompt" in price and sum(counts.values()) > price["long_prompt"]["over"]:
        price = price["long_prompt"]
    counts["output"] = row["output_tokens"]
    tokens = sum(Fraction(price[kind]) * 1000 * count for kind, count in counts.items())
    for term in ("batch", "us_only"):
        if row[term]:
            tokens *= Fraction(book[term])
    searches = row["web_searches"] * Fraction(book.get("web_search", 0)) * 1_000_000
    return -(-tokens // 1) + searches


# --- the journal --------------------------------------------------------------------------------

class Faults(list):
    def add(self, where, what):
        self.append(f"{where}: {what}")


def check_chain(events, head, faults):
    last = "0" * 64
    for number, (seq, row_id, text, stored) in enumerate(events, 1):
        where = f"event {seq}"
        if seq != number:
            faults.add(where, f"expected event {number}")
            return
        last = hashlib.sha256((last + text).encode()).hexdigest()
        if last != stored:
            faults.add(where, "the hash does not fit")
            return
        if json.loads(text).get("row") != row_id:
            faults.add(where, "is filed under another row")
        if head and head[0] == seq and head[1] != stored:
            faults.add(where, "is not the head that was kept")
    if head and head[0] == 0 and head[1] != 64 * "0":
        faults.add("journal", "the head that was kept is of an empty journal, whose hash is all zeros")
    if head and head[0] > len(events):
        faults.add("journal", f"ends at event {len(events)}, the head that was kept is {head[0]}")


def rows_of(events, faults):
    """The table of attempts as the events make it: {id: {column: value}}."""
    rows = {}
    for seq, _, text, _ in events:
        event = json.loads(text)
        kind, row_id = event["event"], event["row"]
        columns = {name: value for name, value in event.items() if name not in ABOUT_THE_EVENT}
        row = rows.get(row_id)
        where = f"event {seq}"
        if kind in ("reserve", "import"):
            if row is not None:
                faults.add(where, f"row {row_id} begins twice")
            rows[row_id] = columns
            if kind == "reserve":
                columns.update(state="reserved", charged=columns.get("reserved", 0))
            columns["imported"] = kind == "import"
        elif row is None:
            faults.add(where, f"{kind} of row {row_id}, which has not begun")
        elif kind == "adjust":
            if row["state"] == "reserved" or not columns.get("reason"):
                faults.add(where, "an adjustment of a running row, or without a reason")
            row["adjusted"] = row.get("adjusted", 0) + columns.get("amount", 0)
        elif row["state"] != "reserved":
            faults.add(where, f"{kind} of row {row_id}, which had ended")
        elif kind == "recover":
            row["state"] = "recovered"
        elif kind in ("settle", "release"):
            note = columns.pop("note", "")
            row.update(columns, state="settled" if kind == "settle" else "released",
                       charged=columns.get("charged", 0))
            if note:
                row["reason"] = row.get("reason", "") + "; " + note
        else:
            faults.add(where, f"unknown: {kind}")
    return rows


# --- rows, charges, sums ------------------------------------------------------------------------

def check_rows(table, told, faults):
    for row_id in sorted(table.keys() | told.keys()):
        where = f"row {row_id}"
        if row_id not in told or row_id not in table:
            faults.add(where, "is not in the " + ("journal" if row_id in table else "table"))
            continue
        for column, value in table[row_id].items():
            default = "" if column in TEXT_COLUMNS else 0
            expected = told[row_id].get(column, default)
            if column != "id" and value != expected:
                faults.add(where, f"{column} is {value!r}, its events say {expected!r}")
    twice = collections.Counter((row["request_id"], row["attempt"]) for row in table.values())
    for (request, attempt), count in twice.items():
        if count > 1:
            faults.add(f"request {request}", f"attempt {attempt} has {count} rows")


def check_charges(table, told, books, faults):
    counts = collections.Counter()
    for row_id, row in table.items():
        where, state, charged = f"row {row_id}", row["state"], row["charged"]
        if not 0 <= row["started_ms"] - row["week_ms"] < 8 * DAY_MS:
            faults.add(where, "is booked to another week than it began in")
        if charged + row["adjusted"] < 0:
            faults.add(where, "costs less than nothing")
        if state == "released" and charged != 0:
            faults.add(where, "was released and charged")
        if state in ("recovered", "reserved") and charged != row["reserved"]:
            faults.add(where, f"is {state}, so it must be charged its reservation")
        if state != "settled" or charged == 0:
            continue
        if row["cost_basis"] == "bound":
            counts["bounded"] += 1
            if charged > row["reserved"]:
                faults.add(where, "a bound above its reservation")
        elif row["cost_basis"] != "usage":
            counts["without prices"] += 1
            if not told.get(row_id, {}).get("imported"):
                faults.add(where, "does not say by what it was charged")
        elif row["price_version"] not in books:
            counts["without prices"] += 1
        else:
            counts["recomputed"] += 1
            cost = cost_of(books[row["price_version"]], row)
            if cost != charged:
                faults.add(where, f"is charged {charged}, its tokens cost {cost}")
    return counts


def windows_of(stored, faults):
    """{period: [(start, end)]} in which the team has a sum, sorted. They may overlap: a week counts what
    began in it, also where another calendar had cut the weeks differently."""
    windows = {"week": set(), "day": set(), "ever": set()}
    for scope, name, period, start, end, *_ in stored:
        if scope == "team":
            windows.setdefault(period, set()).add((start, end))
    for period, most in (("week", 8), ("day", 2)):
        for start, end in windows[period]:
            if not 0 < end - start < most * DAY_MS:
                faults.add(f"balance {period} from {start}", f"lasts until {end}")
    return {period: sorted(spans) for period, spans in windows.items()}


def sums_of(table, windows, faults):
    sums = collections.defaultdict(lambda: [0, 0])
    for row in table.values():
        if not (row["reserved"] or row["charged"] or row["adjusted"]):
            continue
        at = row["started_ms"]
        lies_in = [(period, *span) for period, spans in windows.items() for span in spans
                   if span[0] <= at < span[1]]
        for period in windows:
            if not any(span[0] == period for span in lies_in):
                faults.add(f"row {row['id']}", f"counts in no {period}")
        model = re.fullmatch(r"(.+)-\d{8}", row["model"])
        names = {"team": "", "key": row["key_id"], "agent": row["agent"],
                 "persona": row["persona"], "session": row["session"],
                 "model": model.group(1) if model else row["model"], "provider": row["backend"]}
        running = row["state"] == "reserved"
        for scope, name in names.items():
            for span in lies_in:
                if name or scope == "team":
                    entry = sums[scope, name, *span]
                    entry[0] += row["adjusted"] + (0 if running else row["charged"])
                    entry[1] += row["charged"] if running else 0
    return sums


def check_sums(table, stored, faults):
    want = sums_of(table, windows_of(stored, faults), faults)
    have = {tuple(line[:5]): list(line[5:]) for line in stored}
    for key in sorted(want.keys() | have.keys(), key=str):
        if want.get(key, [0, 0]) != have.get(key, [0, 0]):
            faults.add(f"balance {key}", f"is {have.get(key)}, the rows make {want.get(key)}")


def recompute(path, books, head=None):
    """-> (faults, summary) of the ledger at `path`; `head`: (seq, hash) that was kept elsewhere."""
    faults = Faults()
    database = sqlite3.connect(f"file:{pathlib.Path(path).resolve()}?mode=ro", uri=True)
    database.row_factory = sqlite3.Row
    with database:
        database.execute("BEGIN")  # one moment, though the gateway goes on writing
        table = {row["id"]: dict(row) for row in database.execute("SELECT * FROM attempts")}
        events = [tuple(row) for row in
                  database.execute("SELECT seq, row_id, event, hash FROM journal ORDER BY seq")]
        stored = [tuple(row) for row in database.execute(
            "SELECT scope, name, period, start_ms, end_ms, spent, outstanding FROM balances")]
    database.close()
    check_chain(events, head, faults)
    told = rows_of(events, faults)
    check_rows(table, told, faults)
    counts = check_charges(table, told, books, faults)
    check_sums(table, stored, faults)
    spent = sum(row["charged"] + row["adjusted"] for row in table.values()
                if row["state"] != "reserved")
    summary = {"rows": len(table), "events": len(events), "balances": len(stored),
               "spent_nano_usd": spent, **{name: counts[name] for name in
                                           ("recomputed", "bounded", "without prices")}}
    return faults, summary


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n\n", 1)[0])
    parser.add_argument("ledger")
    parser.add_argument("--prices", nargs="*", metavar="FILE_OR_FOLDER",
                        default=[pathlib.Path(__file__).resolve().parents[2] / "prices"])
    parser.add_argument("--head", help="what `tophand ledger head` printed at some earlier time")
    parser.add_argument("--json", action="store_true")
    options = parser.parse_args()
    head = None
    if options.head:
        seq, digest = options.head.split(":")
        head = (int(seq), digest)
    faults, summary = recompute(options.ledger, load_books(options.prices), head)
    if options.json:
        print(json.dumps({"faults": faults, **summary}))
    else:
        print(", ".join(f"{name} {value}" for name, value in summary.items()))
        for fault in faults:
            print(fault, file=sys.stderr)
    return 1 if faults else 0


if __name__ == "__main__":
    sys.exit(main())

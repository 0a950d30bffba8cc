"""The table of compare_peers.py."""
import statistics

COLUMNS = ("decode", "prefill", "together")


def spread(values):
    """'median (min–max)' of the bursts that gave a figure."""
    if not values:
        return "–"
    digits = 1 if statistics.median(values) < 100 else 0
    middle, low, high = (f"{v:.{digits}f}" for v in (statistics.median(values), min(values), max(values)))
    return f"{middle} ({low}–{high})" if len(values) > 1 else middle


def rows_by_engine(bursts):
    """{(engine, encoding): {column: [figures]}} in the order of the first burst of each."""
    rows = {}
    for burst in bursts:
        row = rows.setdefault((burst["engine"], burst["encoding"]), {column: [] for column in COLUMNS})
        for column in COLUMNS:
            if burst.get(column):
                row[column].append(burst[column])
    return rows


def ratio(rows, column):
    """Our best encoding's median over the fastest peer's."""
    ours = [statistics.median(row[column]) for (engine, _), row in rows.items()
            if engine == "Tophand" and row[column]]
    theirs = [statistics.median(row[column]) for (engine, _), row in rows.items()
              if engine != "Tophand" and row[column]]
    return f"{max(ours) / max(theirs):.2f}" if ours and theirs else "–"


def workload_lines(workload, bursts):
    rows = rows_by_engine(bursts)
    rounds = len({burst["round"] for burst in bursts})
    yield f"| {workload.title}; rounds: {rounds} | decode | prefill {workload.prompt} | 8 sequences |"
    yield "|---|---|---|---|"
    for (engine, encoding), row in sorted(rows.items(), key=lambda item: item[0][0] != "Tophand"):
        yield f"| {engine} ({encoding.upper()}) | " + " | ".join(spread(row[c]) for c in COLUMNS) + " |"
    yield "| Tophand / fastest peer | " + " | ".join(ratio(rows, c) for c in COLUMNS) + " |"
    yield ""
    for note in sorted({f"{b['engine']} ({b['encoding'].upper()}): {b['note']}" for b in bursts if b.get("note")}):
        yield f"- {note}"


def limit_lines(limits):
    if not limits:
        return
    memory = [limit["memory_bytes_per_second"] / 1e9 for limit in limits]
    yield f"Limits in the same minutes: memory {spread(memory)} GB/s; int8 multiply-adds, in GMAC/s: " + "; ".join(
        f"{first['instructions']} " + spread([limit["multiply_adds"][i]["products_per_second"] / 1e9
                                              for limit in limits])
        for i, first in enumerate(limits[0]["multiply_adds"])) + "."


def markdown(results, workloads, others_max):
    bursts = results["bursts"]
    lines = [f"# Tophand and its peers, {results['date']}", "",
             f"{results['cpu']}, {results['processors']} processors, {results['threads']} threads; tokens a second, "
             "median (min–max) of interleaved rounds.", ""]
    busy = [burst["others"] for burst in bursts if burst["others"] > others_max]
    if busy:
        lines += [f"**The machine was not quiet: in {len(busy)} of {len(bursts)} bursts other programs used more than "
                  f"{others_max:.0%} of the processor (up to {max(busy):.0%}).**", ""]
    lines += [*limit_lines(results["limits"]), ""]
    for workload in workloads:
        own = [burst for burst in bursts if burst["workload"] == workload.key]
        if own:
            lines += [*workload_lines(workload, own), ""]
    builds = {burst["engine"]: burst["build"] for burst in bursts if burst["build"]}
    lines += ["Builds: " + ", ".join(f"{engine} {build}" for engine, build in builds.items()) + ".", ""]
    return "\n".join(lines)

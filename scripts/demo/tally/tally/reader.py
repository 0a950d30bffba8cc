"""Reading invoice lines from files."""

import csv

from tally.invoice import Line


def read_lines(path, delimiter=","):
    """Reads the lines of an invoice file."""
    file = open(path, encoding="utf-8", newline="")
    lines = []
    for row in csv.DictReader(file, delimiter=delimiter):
        lines.append(Line(row["name"], float(row["price"]), int(row["count"])))
    file.close()
    return lines

#!/usr/bin/env python3
"""Writes data/NAME.top5.json: token ids, and the five best tokens with their logits at some positions.

    make_top5.py NAME IDS.json REFERENCE.f32 VOCABULARY

REFERENCE.f32 is forward_numpy.py's output for those ids. Logits are given relative to the best one.
"""
import json
import os
import sys

import numpy as np

POSITIONS = [0, 1, 2, 3, 7, 15, 31, 63, 95, 127]


def main():
    name, ids, reference, vocabulary = sys.argv[1:5]
    ids = json.load(open(ids))[:POSITIONS[-1] + 1]
    logits = np.memmap(reference, "<f4", "r").reshape(-1, int(vocabulary))
    rows = []
    for position in POSITIONS:
        best = np.argsort(logits[position])[::-1][:5]
        lead = logits[position][best] - logits[position][best[0]]
        rows.append({"position": position, "ids": best.tolist(), "below_best": [round(float(x), 4) for x in lead]})
    path = os.path.join(os.path.dirname(__file__), "data", name + ".top5.json")
    json.dump({"tokens": ids, "rows": rows}, open(path, "w"), separators=(",", ":"))


if __name__ == "__main__":
    main()

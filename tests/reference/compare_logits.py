#!/usr/bin/env python3
"""How far logits are from a reference's: KL divergence and argmax, position by position.

    compare_logits.py VOCABULARY REFERENCE.f32 NAME=OTHER.f32 ...

Positions 0 to 7 are shown apart: there massive activations meet coarse rounding.
"""
import sys

import numpy as np

FIRST = 8       # positions left out of the mean
MARGIN = 0.1    # a lead of the reference's best token that counts as clear


def log_softmax(x):
    x = x.astype(np.float64) - x.max()
    return x - np.log(np.exp(x).sum())


def main():
    vocabulary = int(sys.argv[1])
    load = lambda path: np.memmap(path, "<f4", "r").reshape(-1, vocabulary)
    reference = load(sys.argv[2])
    for argument in sys.argv[3:]:
        name, path = argument.split("=", 1)
        other = load(path)
        assert other.shape == reference.shape, (other.shape, reference.shape)
        kl, wrong = [], 0
        for i, (r, o) in enumerate(zip(reference, other)):
            p, q = log_softmax(r), log_softmax(o)
            kl.append(float((np.exp(p) * (p - q)).sum()))
            best, second = np.sort(r)[-1:-3:-1]
            if i >= FIRST and best - second > MARGIN and r.argmax() != o.argmax():
                wrong += 1
        print(f"{name:12s} positions {len(kl)}  mean KL from {FIRST} on {np.mean(kl[FIRST:]):.3e}  "
              f"median {np.median(kl[FIRST:]):.2e}  max {max(kl[FIRST:]):.2e}  "
              f"clear argmax differs {wrong}  first positions "
              + " ".join(f"{x:.1e}" for x in kl[:FIRST]))


if __name__ == "__main__":
    main()

#!/usr/bin/env python3
"""Writes encoder_vectors.txt: random weights and what ggml encodes them to.

    python3 -m venv env && env/bin/pip install llama-cpp-python==0.3.36 numpy
    env/bin/python tests/reference/encoder_vectors.py > tests/reference/encoder_vectors.txt

First line: "weights" and little-endian float16 values in hex (numpy PCG64, seed below): rows of 512
normal ones of different widths, with some large outliers, an all-zero block and a constant one. Then a
line an encoding: name, bytes in hex.
"""
import ctypes
import sys

import numpy as np

from encoding_vectors import ggml

SEED = 20261126
NAMES = ["Q4_0", "Q4_1", "Q5_0", "Q5_1", "Q8_0", "Q4_K", "Q5_K", "Q6_K", "TQ1_0", "TQ2_0", "Q2_0", "Q1_0"]
BLOCKS = {"Q4_0": (32, 18), "Q4_1": (32, 20), "Q5_0": (32, 22), "Q5_1": (32, 24), "Q8_0": (32, 34),
          "Q4_K": (256, 144), "Q5_K": (256, 176), "Q6_K": (256, 210), "TQ1_0": (256, 54),
          "TQ2_0": (256, 66), "Q2_0": (64, 18), "Q1_0": (128, 18)}


def weights(rng):
    x = rng.normal(size=(4, 512)) * np.array([[0.02], [0.05], [0.3], [1.0]])
    x[rng.random(x.shape) < 0.01] *= 8
    x[3, 128:256] = 0
    x[3, 256:512] = 0.5
    return x.astype(np.float16)


def main():
    x = weights(np.random.default_rng(SEED))
    lib = ggml()
    print("weights", x.tobytes().hex())
    values = np.ascontiguousarray(x.astype(np.float32)).ravel()
    for name in NAMES:
        per_block, size = BLOCKS[name]
        out = np.zeros(values.size // per_block * size, np.uint8)
        encode = getattr(lib, f"quantize_row_{name.lower().replace('_k', '_K')}_ref")
        encode(values.ctypes.data_as(ctypes.c_void_p), out.ctypes.data_as(ctypes.c_void_p),
               ctypes.c_int64(values.size))
        print(name, out.tobytes().hex())
    return 0


if __name__ == "__main__":
    sys.exit(main())

#!/usr/bin/env python3
"""Writes encoding_vectors.txt: random blocks of every tensor encoding and what ggml decodes them to.

    python3 -m venv env && env/bin/pip install llama-cpp-python==0.3.36 numpy
    env/bin/python tests/reference/encoding_vectors.py > tests/reference/encoding_vectors.txt

Each line: name, block bytes in hex, little-endian float32 values in hex. Blocks are random bytes
(numpy PCG64, seed below), with scale fields replaced by ordinary float16 values. I2_S is unknown to
ggml: its line is worked out here, from bitnet.cpp's description of the layout.
"""
import ctypes
import pathlib
import sys

import llama_cpp
import numpy as np

SEED = 20261124
# name: bytes a block, weights a block, blocks, offsets of the float16 fields
BLOCKS = {
    "Q4_0": (18, 32, 2, [0]),
    "Q4_1": (20, 32, 2, [0, 2]),
    "Q5_0": (22, 32, 2, [0]),
    "Q5_1": (24, 32, 2, [0, 2]),
    "Q8_0": (34, 32, 2, [0]),
    "Q4_K": (144, 256, 2, [0, 2]),
    "Q5_K": (176, 256, 2, [0, 2]),
    "Q6_K": (210, 256, 2, [208]),
    "TQ1_0": (54, 256, 2, [52]),
    "TQ2_0": (66, 256, 2, [64]),
    "Q2_0": (18, 64, 2, [0]),
}


def ggml():
    folder = pathlib.Path(llama_cpp.__file__).parent / "lib"
    return ctypes.CDLL(str(folder / "libggml-base.so"))


def valid_base3(rng, count):
    """Bytes that a TQ1_0 writer produces: ceil(v * 256 / 243)."""
    v = rng.integers(0, 243, count)
    return ((v * 256 + 242) // 243).astype(np.uint8)


def blocks_of(rng, name, size, count, halves):
    raw = rng.integers(0, 256, (count, size), dtype=np.uint8)
    if name == "TQ1_0":
        raw[:, :52] = valid_base3(rng, count * 52).reshape(count, 52)
    if name == "TQ2_0":
        codes = rng.integers(0, 3, (count, 64, 4))
        raw[:, :64] = (codes << np.array([0, 2, 4, 6])).sum(axis=2)
    for at in halves:
        scales = rng.uniform(-0.1, 0.1, count).astype(np.float16)
        raw[:, at : at + 2] = scales.view(np.uint8).reshape(count, 2)
    return raw.tobytes()


def i2_s(rng):
    codes = rng.integers(0, 3, 256)
    scale = np.float32(0.8125)
    data = bytearray()
    for block in codes.reshape(2, 4, 32):
        data += bytes((block << np.array([[6], [4], [2], [0]])).sum(axis=0).astype(np.uint8))
    data += scale.tobytes() + bytes(28)
    return bytes(data), ((codes - 1).astype(np.float32) * scale)


def main():
    rng = np.random.default_rng(SEED)
    lib = ggml()
    for name, (size, weights, count, halves) in BLOCKS.items():
        raw = blocks_of(rng, name, size, count, halves)
        out = np.zeros(weights * count, np.float32)
        decode = getattr(lib, "dequantize_row_" + name.lower().replace("_k", "_K"))
        decode(raw, out.ctypes.data_as(ctypes.c_void_p), ctypes.c_int64(out.size))
        print(name, raw.hex(), out.astype("<f4").tobytes().hex())
    raw, out = i2_s(rng)
    print("I2_S", raw.hex(), out.astype("<f4").tobytes().hex())
    return 0


if __name__ == "__main__":
    sys.exit(main())

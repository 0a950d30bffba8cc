#!/usr/bin/env python3
"""Writes encoding_vectors.txt: random blocks of every tensor encoding and what ggml decodes them to.

    python3 -m venv env && env/bin/pip install llama-cpp-python==0.3.36 numpy
    env/bin/python tests/reference/encoding_vectors.py > tests/reference/encoding_vectors.txt

Each line: name, block bytes in hex, little-endian float32 values in hex. Blocks are random bytes
(numpy PCG64, seed below), with scale fields replaced by ordinary float16 values. I2_S, PQ2_0 and
PTQ1_0 are unknown to ggml: their lines are worked out with numpy, from bitnet.cpp's and PrismML's
descriptions of the layouts; the last two lines hold the same weights in PQ2_0 and PTQ1_0.
"""
import ctypes
import pathlib
import sys

import llama_cpp
import numpy as np

from gguf_numpy import DECODERS

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
LATER = {"Q1_0": (18, 128, 3, [0])}  # after I2_S, so that the lines before it stay as they are
PRISM = {"PQ2_0": (142, 34, 128, 3, [0]), "PTQ1_0": (143, 28, 128, 3, [26])}


def ggml():
    folder = pathlib.Path(llama_cpp.__file__).parent / "lib"
    return ctypes.CDLL(str(folder / "libggml-base.so"))


def valid_base3(rng, count):
    """Bytes that a TQ1_0 writer produces: ceil(v * 256 / 243)."""
    v = rng.integers(0, 243, count)
    return ((v * 256 + 242) // 243).astype(np.uint8)


def blocks_of(rng, name, size, count, halves):
    raw = rng.integers(0, 256, (count, size), dtype=np.uint8)
    if name in ("TQ1_0", "PTQ1_0"):
        raw[:, : halves[0]] = valid_base3(rng, count * halves[0]).reshape(count, halves[0])
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


def base3(digits):
    """[..., 5, byte] digits, the most significant first, to ceil(v * 256 / 243)."""
    v = np.tensordot(digits, 3 ** np.arange(4, -1, -1), axes=([-2], [0]))
    return ((v * 256 + 242) // 243).astype(np.uint8)


def prism_pair(rng, count):
    """The same ternary weights as PQ2_0 and as PTQ1_0 blocks."""
    codes = rng.integers(0, 3, (count, 128))
    scale = rng.uniform(-0.1, 0.1, (count, 1)).astype(np.float16).view(np.uint8)
    fours = (codes.reshape(count, 32, 4) << np.array([0, 2, 4, 6])).sum(axis=2).astype(np.uint8)
    last = np.concatenate([codes[:, 120:].reshape(count, 4, 2), np.zeros((count, 1, 2), int)], axis=1)
    packed = [base3(codes[:, :80].reshape(count, 5, 16)), base3(codes[:, 80:120].reshape(count, 5, 8)),
              base3(last)]
    values = (codes - 1).astype(np.float32) * scale.view(np.float16).astype(np.float32)
    return np.hstack([scale, fours]), np.hstack([*packed, scale]), values


def show(name, raw, out):
    print(name, raw.hex(), out.astype("<f4").tobytes().hex())


def show_with_ggml(rng, lib, blocks):
    for name, (size, weights, count, halves) in blocks.items():
        raw = blocks_of(rng, name, size, count, halves)
        out = np.zeros(weights * count, np.float32)
        decode = getattr(lib, "dequantize_row_" + name.lower().replace("_k", "_K"))
        decode(raw, out.ctypes.data_as(ctypes.c_void_p), ctypes.c_int64(out.size))
        show(name, raw, out)


def main():
    rng = np.random.default_rng(SEED)
    lib = ggml()
    show_with_ggml(rng, lib, BLOCKS)
    show("I2_S", *i2_s(rng))
    show_with_ggml(rng, lib, LATER)
    for name, (kind, size, _, count, halves) in PRISM.items():  # any byte, code 3 among them
        raw = np.frombuffer(blocks_of(rng, name, size, count, halves), np.uint8).reshape(count, size)
        show(name, raw.tobytes(), DECODERS[kind](raw))
    two_bits, base_three, values = prism_pair(rng, 3)
    assert (DECODERS[142](two_bits).ravel() == values.ravel()).all()
    assert (DECODERS[143](base_three).ravel() == values.ravel()).all()
    show("PQ2_0", two_bits.tobytes(), values)
    show("PTQ1_0", base_three.tobytes(), values)
    return 0


if __name__ == "__main__":
    sys.exit(main())

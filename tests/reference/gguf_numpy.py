"""A second, independent reader of GGUF files: numpy only, written from the format's description.

Used by the scripts here to check the engine; shares no code with it.
"""
import struct

import numpy as np

_SCALARS = {0: "B", 1: "b", 2: "H", 3: "h", 4: "I", 5: "i", 6: "f", 7: "?", 10: "Q", 11: "q", 12: "d"}
# ggml type id -> (weights a block, bytes a block)
BLOCKS = {0: (1, 4), 1: (1, 2), 30: (1, 2), 2: (32, 18), 3: (32, 20), 6: (32, 22), 8: (32, 34),
          12: (256, 144), 14: (256, 210), 34: (256, 54), 35: (256, 66),
          41: (128, 18), 42: (64, 18), 142: (128, 34), 143: (128, 28)}
I2_S = 36


class Gguf:
    def __init__(self, path):
        self.raw = np.memmap(path, dtype=np.uint8, mode="r")
        self.at = 0
        magic, version, n_tensors, n_kv = self._unpack("<IIQQ")
        assert magic == 0x46554747 and version in (2, 3)
        self.meta = {}
        for _ in range(n_kv):
            key = self._string()
            self.meta[key] = self._value(self._unpack("<I")[0])
        infos = []
        for _ in range(n_tensors):
            name = self._string()
            (n_dims,) = self._unpack("<I")
            dims = self._unpack(f"<{n_dims}Q")
            infos.append((name, dims, *self._unpack("<IQ")))
        align = self.meta.get("general.alignment", 32)
        start = (self.at + align - 1) // align * align
        self.infos = {name: (dims, kind, start + offset) for name, dims, kind, offset in infos}

    def _unpack(self, fmt):
        size = struct.calcsize(fmt)
        out = struct.unpack(fmt, self.raw[self.at:self.at + size].tobytes())
        self.at += size
        return out

    def _string(self):
        (size,) = self._unpack("<Q")
        out = self.raw[self.at:self.at + size].tobytes().decode("utf-8", "replace")
        self.at += size
        return out

    def _value(self, kind):
        if kind == 8:
            return self._string()
        if kind == 9:
            element, count = self._unpack("<IQ")
            if element == 8:
                return [self._string() for _ in range(count)]
            return list(self._unpack(f"<{count}{_SCALARS[element]}"))
        return self._unpack("<" + _SCALARS[kind])[0]

    def has(self, name):
        return name in self.infos

    def tensor(self, name):
        """float32, shape reversed to [rows, cols] (or [n] for vectors)."""
        dims, kind, offset = self.infos[name]
        shape = tuple(reversed(dims))
        count = int(np.prod(shape))
        if kind == I2_S:
            return decode_i2_s(self.raw[offset:offset + count // 4 + 32], count).reshape(shape)
        weights, size = BLOCKS[kind]
        blocks = self.raw[offset:offset + count // weights * size].reshape(-1, size)
        return DECODERS[kind](np.ascontiguousarray(blocks)).reshape(shape)


def _f16(blocks, at):
    return blocks[:, at:at + 2].copy().view(np.float16).astype(np.float32)


def _nibbles(q):
    return np.concatenate([q & 15, q >> 4], axis=1).astype(np.float32)


def decode_q5_0(b):
    bits = b[:, 2:6].copy().view(np.uint32)
    high = ((bits >> np.arange(32, dtype=np.uint32)) & 1).astype(np.float32)
    return _f16(b, 0) * (_nibbles(b[:, 6:]) + 16 * high - 16)


def decode_q4_k(b):
    d, dmin, s, q = _f16(b, 0), _f16(b, 2), b[:, 4:16], b[:, 16:]
    scale = np.concatenate([s[:, 0:4] & 63, (s[:, 8:12] & 15) | ((s[:, 0:4] >> 6) << 4)], axis=1)
    minimum = np.concatenate([s[:, 4:8] & 63, (s[:, 8:12] >> 4) | ((s[:, 4:8] >> 6) << 4)], axis=1)
    q = q.reshape(-1, 4, 1, 32)
    codes = np.concatenate([q & 15, q >> 4], axis=2).reshape(-1, 8, 32).astype(np.float32)
    return (d * scale)[:, :, None] * codes - (dmin * minimum)[:, :, None]


def decode_q6_k(b):
    low, high = b[:, 0:128].reshape(-1, 2, 2, 32), b[:, 128:192].reshape(-1, 2, 1, 32)
    scale = b[:, 192:208].copy().view(np.int8).astype(np.float32)
    low = np.concatenate([low & 15, low >> 4], axis=2)                     # [n, half, 4, 32]
    high = (high >> np.array([0, 2, 4, 6], np.uint8).reshape(1, 1, 4, 1)) & 3
    codes = (low | (high << 4)).astype(np.float32) - 32
    return _f16(b, 208)[:, :, None] * scale[:, :, None] * codes.reshape(-1, 16, 16)


def decode_tq2_0(b):
    q = (b[:, :64].reshape(-1, 2, 1, 32) >> np.array([0, 2, 4, 6], np.uint8).reshape(1, 1, 4, 1)) & 3
    return _f16(b, 64) * (q.reshape(-1, 256).astype(np.float32) - 1)


def trits(v, count):
    """The `count` most significant of five base-3 digits of each byte ceil(v * 256 / 243): [..., byte]
    to [..., digit, byte]. By division, not by the multiplications that decoders use."""
    v = v.astype(np.int64) * 243 // 256
    return np.stack([v // 3 ** (4 - n) % 3 for n in range(count)], axis=-2)


def trits_in_order(b, parts):
    """parts: (first byte, bytes, digits a byte); columns go byte by byte, then digit by digit."""
    return np.concatenate([trits(b[:, at:at + size], count).reshape(len(b), -1)
                           for at, size, count in parts], axis=1).astype(np.float32)


def decode_tq1_0(b):
    return _f16(b, 52) * (trits_in_order(b, [(0, 32, 5), (32, 16, 5), (48, 4, 4)]) - 1)


def decode_ptq1_0(b):
    return _f16(b, 26) * (trits_in_order(b, [(0, 16, 5), (16, 8, 5), (24, 2, 4)]) - 1)


def decode_q2_0(b):
    """Also PQ2_0: only the number of weights a block differs."""
    q = (b[:, 2:, None] >> np.array([0, 2, 4, 6], np.uint8)) & 3
    return _f16(b, 0) * (q.reshape(len(b), -1).astype(np.float32) - 1)


def decode_q1_0(b):
    return _f16(b, 0) * (2 * np.unpackbits(b[:, 2:], axis=1, bitorder="little").astype(np.float32) - 1)


def decode_i2_s(raw, count):
    scale = raw[count // 4:count // 4 + 4].tobytes()
    q = raw[:count // 4].reshape(-1, 1, 32) >> np.array([6, 4, 2, 0], np.uint8).reshape(1, 4, 1) & 3
    return (q.reshape(-1).astype(np.float32) - 1) * np.frombuffer(scale, np.float32)[0]


DECODERS = {
    0: lambda b: b.view(np.float32),
    1: lambda b: b.view(np.float16).astype(np.float32),
    30: lambda b: (b.view(np.uint16).astype(np.uint32) << 16).view(np.float32),
    2: lambda b: _f16(b, 0) * (_nibbles(b[:, 2:]) - 8),
    3: lambda b: _f16(b, 0) * _nibbles(b[:, 4:]) + _f16(b, 2),
    6: decode_q5_0,
    8: lambda b: _f16(b, 0) * b[:, 2:].copy().view(np.int8).astype(np.float32),
    12: decode_q4_k,
    14: decode_q6_k,
    34: decode_tq1_0,
    35: decode_tq2_0,
    41: decode_q1_0,
    42: decode_q2_0,
    142: decode_q2_0,
    143: decode_ptq1_0,
}

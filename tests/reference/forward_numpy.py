#!/usr/bin/env python3
"""A float32 forward pass of a llama, qwen2 or bitnet GGUF file, with dequantised weights.

    forward_numpy.py MODEL.gguf IDS.json OUT.f32

writes the logits of every position (positions x vocabulary). The definition the engine's logits are
judged by: activations are never rounded, so only the engine's own rounding shows.
"""
import json
import sys

import numpy as np

from gguf_numpy import Gguf


def rms(x, weight, eps):
    return x / np.sqrt(np.mean(x * x, axis=-1, keepdims=True) + eps) * weight


def rotate(x, base, halves, factors):
    """x: [T, heads, hd]. halves: pairs (i, i + hd/2); else (2i, 2i + 1)."""
    t, _, hd = x.shape
    angle = np.arange(t)[:, None] * base ** (-np.arange(0, hd, 2) / hd) / factors
    cos, sin = np.cos(angle)[:, None, :].astype(np.float32), np.sin(angle)[:, None, :].astype(np.float32)
    a, b = (x[..., :hd // 2], x[..., hd // 2:]) if halves else (x[..., 0::2], x[..., 1::2])
    ra, rb = a * cos - b * sin, a * sin + b * cos
    return np.concatenate([ra, rb], -1) if halves else np.stack([ra, rb], -1).reshape(x.shape)


def absmax_int8(x):
    """BitNet's own rounding of activations, one scale a token."""
    s = 127 / np.maximum(np.abs(x).max(-1, keepdims=True), 1e-5)
    return np.clip(np.rint(x * s), -128, 127) / s


def hidden(model, ids):
    """Of every position, after the last norm: [T, d]."""
    arch = model.meta["general.architecture"]
    bitnet = arch.startswith("bitnet")
    get = lambda key, *default: model.meta.get(f"{arch}.{key}", *default)
    heads = get("attention.head_count")
    kv = get("attention.head_count_kv", heads)
    hd = get("attention.key_length", get("embedding_length") // heads)
    eps = get("attention.layer_norm_rms_epsilon")
    base = get("rope.freq_base", 10000.0)
    factors = model.tensor("rope_freqs.weight") if model.has("rope_freqs.weight") else 1.0

    def linear(x, name):
        y = (absmax_int8(x) if bitnet else x) @ model.tensor(name + ".weight").T
        return y + model.tensor(name + ".bias") if model.has(name + ".bias") else y

    embedding = model.tensor("token_embd.weight")
    h = embedding[ids]
    t = len(ids)
    future = np.triu(np.full((t, t), -np.inf, np.float32), 1)
    for i in range(get("block_count")):
        name = lambda part: f"blk.{i}.{part}"
        x = rms(h, model.tensor(name("attn_norm.weight")), eps)
        q = rotate(linear(x, name("attn_q")).reshape(t, heads, hd), base, arch != "llama", factors)
        k = rotate(linear(x, name("attn_k")).reshape(t, kv, hd), base, arch != "llama", factors)
        v = linear(x, name("attn_v")).reshape(t, kv, hd)
        o = np.empty((t, heads, hd), np.float32)
        for head in range(heads):
            score = q[:, head] @ k[:, head * kv // heads].T / np.sqrt(hd).astype(np.float32) + future
            p = np.exp(score - score.max(-1, keepdims=True))
            o[:, head] = p / p.sum(-1, keepdims=True) @ v[:, head * kv // heads]
        o = o.reshape(t, heads * hd)
        if bitnet:
            o = rms(o, model.tensor(name("attn_sub_norm.weight")), eps)
        h = h + linear(o, name("attn_output"))
        x = rms(h, model.tensor(name("ffn_norm.weight")), eps)
        gate, up = linear(x, name("ffn_gate")), linear(x, name("ffn_up"))
        a = (np.maximum(gate, 0) ** 2 if arch not in ("llama", "qwen2", "bitnet")
             else gate / (1 + np.exp(-gate))) * up
        if bitnet:
            a = rms(a, model.tensor(name("ffn_sub_norm.weight")), eps)
        h = h + linear(a, name("ffn_down"))
    return rms(h, model.tensor("output_norm.weight"), eps)


def forward(model, ids):
    head = "output.weight" if model.has("output.weight") else "token_embd.weight"
    return hidden(model, ids) @ model.tensor(head).T


if __name__ == "__main__":
    forward(Gguf(sys.argv[1]), json.load(open(sys.argv[2]))).astype("<f4").tofile(sys.argv[3])

#!/usr/bin/env python3
"""Makes the tiny random models of tests/reference/data and the logits transformers gives for them.

    pip install numpy torch transformers && make_tiny_models.py [FOLDER]

For each of llama, qwen2 and bitnet: NAME.gguf and NAME.f32 (positions x vocabulary, float32,
little-endian), and one ids.json with the token ids that were run. Seeded: every run gives the same
files with the same versions of torch and transformers.
"""
import json
import os
import struct
import sys

os.environ["TORCHDYNAMO_DISABLE"] = "1"  # BitNet's quantisers are compiled otherwise

import numpy as np
import torch
import transformers
from transformers.integrations.bitnet import AutoBitLinear

POSITIONS = 140  # more than one chunk of the engine's prefill
VOCABULARY = 288
F32, F16, I2_S = 0, 1, 36


def byte_alphabet():
    """GPT-2's printable stand-ins for the 256 bytes."""
    plain = [*range(33, 127), *range(161, 173), *range(174, 256)]
    rest = [b for b in range(256) if b not in plain]
    return [chr(c) for _, c in sorted([*zip(plain, plain), *((b, 256 + i) for i, b in enumerate(rest))])]


def text(value):
    raw = value.encode()
    return struct.pack("<Q", len(raw)) + raw


def entry(key, value):
    if isinstance(value, str):
        return text(key) + struct.pack("<I", 8) + text(value)
    if isinstance(value, bool):
        return text(key) + struct.pack("<I?", 7, value)
    if isinstance(value, int):
        return text(key) + struct.pack("<II", 4, value)
    if isinstance(value, float):
        return text(key) + struct.pack("<If", 6, value)
    if isinstance(value[0], str):
        return text(key) + struct.pack("<IIQ", 9, 8, len(value)) + b"".join(map(text, value))
    return text(key) + struct.pack("<IIQ", 9, 5, len(value)) + struct.pack(f"<{len(value)}i", *value)


def encode_i2_s(weight):
    """Absmean ternary codes (arXiv 2402.17764, equation 1), four in a byte, one scale at the end."""
    scale = max(np.abs(weight).mean(dtype=np.float32), np.float32(1e-5))
    codes = (np.clip(np.rint(weight / scale), -1, 1) + 1).astype(np.uint8).reshape(-1, 4, 32)
    packed = codes[:, 0] << 6 | codes[:, 1] << 4 | codes[:, 2] << 2 | codes[:, 3]
    return packed.tobytes() + struct.pack("<f", scale) + bytes(28)


def write_gguf(path, meta, tensors):
    infos, data = b"", b""
    for name, value, kind in tensors:
        data += bytes(-len(data) % 32)
        dims = value.shape[::-1]
        infos += text(name) + struct.pack(f"<I{len(dims)}QIQ", len(dims), *dims, kind, len(data))
        data += encode_i2_s(value) if kind == I2_S else value.astype("<f4" if kind == F32 else "<f2").tobytes()
    head = struct.pack("<IIQQ", 0x46554747, 3, len(tensors), len(meta))
    head += b"".join(entry(k, v) for k, v in meta.items()) + infos
    with open(path, "wb") as out:
        out.write(head + bytes(-len(head) % 32) + data)


def metadata(arch, config, pre):
    tokens = byte_alphabet() + ["ab", "<|endoftext|>"]
    types = [1] * 257 + [3] + [5] * (VOCABULARY - 258)
    tokens += [f"[unused{i}]" for i in range(VOCABULARY - len(tokens))]
    return {
        "general.architecture": arch, "general.name": f"tiny random {arch}",
        f"{arch}.block_count": config.num_hidden_layers, f"{arch}.context_length": 512,
        f"{arch}.embedding_length": config.hidden_size,
        f"{arch}.feed_forward_length": config.intermediate_size,
        f"{arch}.attention.head_count": config.num_attention_heads,
        f"{arch}.attention.head_count_kv": config.num_key_value_heads,
        f"{arch}.attention.layer_norm_rms_epsilon": config.rms_norm_eps,
        f"{arch}.rope.freq_base": float(config.rope_parameters["rope_theta"]),
        "tokenizer.ggml.model": "gpt2", "tokenizer.ggml.pre": pre, "tokenizer.ggml.tokens": tokens,
        "tokenizer.ggml.token_type": types, "tokenizer.ggml.merges": ["a b"],
        "tokenizer.ggml.eos_token_id": 257, "tokenizer.ggml.add_bos_token": False,
    }


def adjacent(weight, heads):
    """Rows of q and k so that rotary pairs lie side by side, as GGUF's llama has them."""
    return weight.reshape(heads, 2, -1, weight.shape[1]).swapaxes(1, 2).reshape(weight.shape)


NAMES = {
    "self_attn.q_proj": "attn_q", "self_attn.k_proj": "attn_k", "self_attn.v_proj": "attn_v",
    "self_attn.o_proj": "attn_output", "mlp.gate_proj": "ffn_gate", "mlp.up_proj": "ffn_up",
    "mlp.down_proj": "ffn_down", "input_layernorm": "attn_norm",
    "post_attention_layernorm": "ffn_norm", "self_attn.attn_sub_norm": "attn_sub_norm",
    "mlp.ffn_sub_norm": "ffn_sub_norm",
}


def export(path, arch, model, pre):
    config = model.config
    tensors = []
    for name, value in model.state_dict().items():
        value = value.float().numpy()
        if name == "lm_head.weight" and config.tie_word_embeddings:
            continue
        if not name.startswith("model.layers."):
            out = {"model.embed_tokens.weight": "token_embd.weight", "lm_head.weight": "output.weight",
                   "model.norm.weight": "output_norm.weight"}[name]
        else:
            _, _, layer, *rest, kind = name.split(".")
            part = NAMES[".".join(rest)]
            out = f"blk.{layer}.{part}.{kind}"
            if arch == "llama" and part in ("attn_q", "attn_k"):
                value = adjacent(value, config.num_attention_heads if part == "attn_q"
                                 else config.num_key_value_heads)
        ternary = arch.startswith("bitnet") and value.ndim == 2 and out.startswith("blk.")
        tensors.append((out, value, F32 if value.ndim == 1 else I2_S if ternary else F16))
    if config.rope_parameters.get("rope_type") == "llama3":
        hd = config.hidden_size // config.num_attention_heads
        plain = config.rope_parameters["rope_theta"] ** -(np.arange(0, hd, 2) / hd)
        tensors.append(("rope_freqs.weight", (plain / model.model.rotary_emb.inv_freq.numpy()).astype(np.float32), F32))
    write_gguf(path, metadata(arch, config, pre), tensors)


def randomise(model, gain):
    """Weights that float16 holds exactly; norms and biases away from 1 and 0. Queries and keys are
    large, so that attention is far from uniform and a wrong rotation shows."""
    with torch.no_grad():
        for name, value in model.named_parameters():
            wide = 1.5 if "q_proj" in name or "k_proj" in name else gain
            spread = 0.2 if value.ndim == 1 else 1.0 if "embed" in name else wide / value.shape[1] ** 0.5
            centre = 1.0 if "norm" in name else 0.0
            value.copy_((centre + spread * torch.randn_like(value)).half().float())


def make(folder, arch, model, pre, ids):
    torch.manual_seed(7)
    # With a larger gain BitNet's rounding to int8 amplifies the noise of the float16 cache.
    randomise(model, 0.3 if arch.startswith("bitnet") else 1.5)
    model.eval()
    path = os.path.join(folder, "tiny_" + arch.split("-")[0])
    export(path + ".gguf", arch, model, pre)
    with torch.no_grad():
        logits = model(torch.tensor([ids])).logits[0]
    logits.numpy().astype("<f4").tofile(path + ".f32")


def main():
    folder = sys.argv[1] if len(sys.argv) > 1 else os.path.join(os.path.dirname(__file__), "data")
    os.makedirs(folder, exist_ok=True)
    ids = np.random.default_rng(11).integers(0, 256, POSITIONS).tolist()
    json.dump(ids, open(os.path.join(folder, "ids.json"), "w"))
    shape = dict(vocab_size=VOCABULARY, hidden_size=64, intermediate_size=96, num_hidden_layers=2,
                 num_attention_heads=4, num_key_value_heads=2, max_position_embeddings=512,
                 attn_implementation="eager", bos_token_id=None, eos_token_id=257, pad_token_id=None)
    llama3 = dict(rope_type="llama3", rope_theta=500000.0, factor=8.0, low_freq_factor=1.0,
                  high_freq_factor=4.0, original_max_position_embeddings=64)
    make(folder, "llama", transformers.LlamaForCausalLM(transformers.LlamaConfig(
        **shape, rms_norm_eps=1e-5, rope_parameters=llama3, tie_word_embeddings=False)), "smollm", ids)
    plain = dict(rope_type="default", rope_theta=10000.0)
    make(folder, "qwen2", transformers.Qwen2ForCausalLM(transformers.Qwen2Config(
        **shape, rms_norm_eps=1e-6, rope_parameters=plain, tie_word_embeddings=True)), "qwen2", ids)
    shape.update(hidden_size=128, intermediate_size=256)
    bitnet = transformers.BitNetForCausalLM(transformers.BitNetConfig(
        **shape, rms_norm_eps=1e-5, rope_parameters=dict(plain, rope_theta=500000.0), tie_word_embeddings=True))
    for layer in bitnet.model.layers:
        for block in (layer.self_attn, layer.mlp):
            for name, linear in list(block.named_children()):
                if isinstance(linear, torch.nn.Linear):
                    setattr(block, name, AutoBitLinear(linear.in_features, linear.out_features,
                                                       bias=False, online_quant=True))
    make(folder, "bitnet-b1.58", bitnet, "llama-bpe", ids)


if __name__ == "__main__":
    main()

#!/usr/bin/env python3
"""Makes tests/reference/data/random_models.json: small random models and transformers' logits.

    pip install numpy torch transformers && make_random_models.py [--gguf FOLDER]

The file has no weights: a tensor is (name, dims, seed, centre, spread), and both this script and the
engine's test (src/engine/random_models_test.cc) draw its numbers by the rule in random_tensor(). The
numbers are those of the GGUF file; what transformers needs is derived from them here, against the
direction of llama.cpp's converters. All weights are float32, so that activations are not rounded to
int8 and the engine must agree closely. --gguf writes the models as files, for other programs.
"""
import argparse
import json
import math
import os

import numpy as np
import torch
import transformers

from make_tiny_models import F32, byte_alphabet, entry, text, write_gguf

torch.set_num_threads(1)
POSITIONS = 140  # more than one chunk of the engine's prefill
KEPT = [0, 1, 2, 7, 31, 63, 127, 128, 139]
VOCABULARY = 262
# Of queries and keys without a norm: attention is far from uniform, so that a wrong rotation shows. With
# more, scores grow and with them what the engine's float16 cache rounds away (at 2.5, 6e-3 of the logits).
GAIN = 1.0
MASK = np.uint64(0xFFFFFFFFFFFFFFFF)


def random_tensor(dims, seed, centre, spread):
    """centre + spread * u, u uniform in [-1, 1) with 24 bits: splitmix64 (Steele et al., 2014) of a
    counter. `spread` has few bits, so that nothing is rounded before float32."""
    with np.errstate(over="ignore"):
        z = np.uint64(seed) * np.uint64(0x9E3779B97F4A7C15) + np.arange(math.prod(dims), dtype=np.uint64)
        z = (z ^ (z >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
        z = (z ^ (z >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
        z = z ^ (z >> np.uint64(31))
    u = (z >> np.uint64(40)).astype(np.float64) * 2.0**-23 - 1.0
    return (centre + spread * u).astype(np.float32).reshape(dims[::-1])


class Model:
    """The GGUF side of a model: metadata, tensors, and how the tensors were drawn."""

    def __init__(self, name, arch, seed, **keys):
        self.name, self.arch, self.seed = name, arch, seed
        self.keys = {f"{arch}.{key.replace('__', '.')}": value for key, value in keys.items()}
        self.rows, self.values = [], {}

    def draw(self, name, dims, centre=0.0, spread=1.0):
        spread = max(1, round(spread * 256)) / 256
        seed = self.seed * 1000 + len(self.rows)
        self.rows.append([name, list(dims), seed, centre, spread])
        self.values[name] = random_tensor(dims, seed, centre, spread).astype(np.float64)
        return self.values[name]

    def matrix(self, name, inputs, outputs, gain=1.0):
        return self.draw(name + ".weight", [inputs, outputs], 0.0, gain * math.sqrt(3.0 / inputs))

    def norm(self, name, n):
        return self.draw(name + ".weight", [n], 1.0, 0.375)

    def bias(self, name, n):
        return self.draw(name + ".bias", [n], 0.0, 0.5)

    def given(self, name, numbers):
        self.rows.append([name, [len(numbers)], [float(np.float32(x)) for x in numbers]])
        self.values[name] = np.array(numbers, np.float32).astype(np.float64)

    def metadata(self):
        tokens = (byte_alphabet() + ["ab", "<|endoftext|>"] + [f"[unused{i}]" for i in range(9)])[:VOCABULARY]
        return {"general.architecture": self.arch, "general.name": self.name, **self.keys,
                "tokenizer.ggml.model": "gpt2", "tokenizer.ggml.pre": "qwen2",
                "tokenizer.ggml.tokens": tokens, "tokenizer.ggml.token_type": [1] * 257 + [3] + [5] * (VOCABULARY - 258),
                "tokenizer.ggml.merges": ["a b"], "tokenizer.ggml.eos_token_id": 257}


def adjacent_to_halves(weight, heads):
    """Undoes the converter's permutation of llama's q and k rows."""
    return weight.reshape(heads, -1, 2, *weight.shape[1:]).swapaxes(1, 2).reshape(weight.shape)


def shape_keys(c, context=512):
    return dict(block_count=c["L"], context_length=context, embedding_length=c["d"], feed_forward_length=c["ff"],
                attention__head_count=c["h"], attention__head_count_kv=c["kv"],
                attention__layer_norm_rms_epsilon=c.get("eps", 1e-6), rope__freq_base=c.get("base", 10000.0))


def config_of(c, rope, **more):
    return dict(vocab_size=VOCABULARY, hidden_size=c["d"], intermediate_size=c["ff"], num_hidden_layers=c["L"],
                num_attention_heads=c["h"], num_key_value_heads=c["kv"], head_dim=c["hd"],
                rms_norm_eps=c.get("eps", 1e-6), max_position_embeddings=more.pop("context", 512),
                attn_implementation="eager", tie_word_embeddings=c.get("tied", False), bos_token_id=None,
                eos_token_id=257, pad_token_id=None,
                rope_parameters=dict({"rope_type": "default"}, rope_theta=c.get("base", 10000.0), **rope), **more)


def draw_outside(m, c, state):
    state["model.embed_tokens.weight"] = m.draw("token_embd.weight", [c["d"], VOCABULARY], 0.0, 1.0)
    state["model.norm.weight"] = m.norm("output_norm", c["d"])
    if not c.get("tied"):
        state["lm_head.weight"] = m.matrix("output", c["d"], VOCABULARY)


def transformer(name, seed, arch, cls, config_cls, c, rope=None, keys=None, biases=(), scales=(), rope_given=(),
                context=512, positions=POSITIONS, hooks=None, **more):
    """A model of graph.cc's table. c: d, ff, L, h, kv, hd and, optionally, tied, eps, base."""
    m = Model(name, arch, seed, **shape_keys(c, context), **(keys or {}))
    if c["hd"] != c["d"] // c["h"]:
        m.keys |= {f"{arch}.attention.key_length": c["hd"], f"{arch}.attention.value_length": c["hd"]}
    state = {}
    draw_outside(m, c, state)
    d, ff, q, kv = c["d"], c["ff"], c["h"] * c["hd"], c["kv"] * c["hd"]
    sub_norms, permuted = arch.startswith("bitnet"), arch in ("llama", "minicpm")

    def linear(part, hf, inputs, outputs, gain=1.0, heads=None):
        value = m.matrix(part, inputs, outputs, gain)
        bias = m.bias(part, outputs) if part.split(".")[2] in biases else None
        if part.split(".")[2] in scales:
            value = value * m.draw(part + ".scale", [1], 1.0, 0.5)
        if heads and permuted:
            value = adjacent_to_halves(value, heads)
            bias = adjacent_to_halves(bias, heads) if bias is not None else None
        state[hf + ".weight"] = value
        if bias is not None:
            state[hf + ".bias"] = bias

    for i in range(c["L"]):
        blk, hf = f"blk.{i}.", f"model.layers.{i}."
        state[hf + "input_layernorm.weight"] = m.norm(blk + "attn_norm", d)
        state[hf + "post_attention_layernorm.weight"] = m.norm(blk + "ffn_norm", d)
        if arch == "phi3":
            linear(blk + "attn_qkv", hf + "self_attn.qkv_proj", d, q + 2 * kv, GAIN)
            linear(blk + "ffn_up", hf + "mlp.gate_up_proj", d, 2 * ff)
        else:
            linear(blk + "attn_q", hf + "self_attn.q_proj", d, q, GAIN, c["h"])
            linear(blk + "attn_k", hf + "self_attn.k_proj", d, kv, GAIN, c["kv"])
            linear(blk + "attn_v", hf + "self_attn.v_proj", d, kv)
            linear(blk + "ffn_gate", hf + "mlp.gate_proj", d, ff)
            linear(blk + "ffn_up", hf + "mlp.up_proj", d, ff)
        if arch == "qwen3":
            state[hf + "self_attn.q_norm.weight"] = m.norm(blk + "attn_q_norm", c["hd"])
            state[hf + "self_attn.k_norm.weight"] = m.norm(blk + "attn_k_norm", c["hd"])
        if sub_norms:
            state[hf + "self_attn.attn_sub_norm.weight"] = m.norm(blk + "attn_sub_norm", q)
            state[hf + "mlp.ffn_sub_norm.weight"] = m.norm(blk + "ffn_sub_norm", ff)
        linear(blk + "attn_output", hf + "self_attn.o_proj", q, d)
        linear(blk + "ffn_down", hf + "mlp.down_proj", ff, d)
    for tensor, numbers in rope_given:
        m.given(tensor, numbers)
    model = cls(config_cls(**config_of(c, rope or {}, context=context, **more)))
    return finish(m, model, state, positions, hooks)


def finish(m, model, state, positions=POSITIONS, hooks=None):
    state = {key: torch.tensor(value) for key, value in state.items()}
    if model.config.tie_word_embeddings:
        state["lm_head.weight"] = state["model.embed_tokens.weight"]
    model.load_state_dict(state, strict=True)
    model = model.double().eval()
    if hooks:
        hooks(model)
    ids = np.random.default_rng(m.seed).integers(0, 256, positions).tolist()
    with torch.no_grad():
        logits = model(torch.tensor([ids]), use_cache=False).logits[0].double().numpy()
    kept = [p for p in KEPT if p < positions]
    print(f"{m.name}: {sum(v.size for v in m.values.values())} weights, |logits| {np.abs(logits).mean():.2f}")
    return m, dict(name=m.name, metadata=m.metadata(), tensors=m.rows, ids=ids, positions=kept,
                   logits=[[float(f"{x:.7g}") for x in logits[p]] for p in kept])


def minicpm_hooks(embedding, residual, divisor):
    """MiniCPM's modelling code, as changes to Llama's: scale_emb, scale_depth, dim_model_base."""
    def install(model):
        scaled = lambda factor: lambda module, args, out: (out[0] * factor, *out[1:]) if isinstance(out, tuple) else out * factor
        model.model.embed_tokens.register_forward_hook(scaled(embedding))
        for layer in model.model.layers:
            layer.self_attn.register_forward_hook(scaled(residual))
            layer.mlp.register_forward_hook(scaled(residual))
        model.lm_head.register_forward_hook(scaled(1 / divisor))
    return install


def walsh(n, block):
    """The normalised Walsh-Hadamard matrix in Sylvester's order, in blocks: kron of [[1, 1], [1, -1]]."""
    h = np.ones((1, 1))
    while len(h) < block:
        h = np.kron(h, np.array([[1.0, 1.0], [1.0, -1.0]]))
    return np.kron(np.eye(n // block), h / math.sqrt(block))


def qwen35(name, seed, c, block=0, grouped=False, tied_output=False, predictors=0):
    """c also has interval, taps, kh, vh, ks, vs, rotated. block: of the Hadamard rotation, 0 for none."""
    inner, key = c["vh"] * c["vs"], c["kh"] * c["ks"]
    channels = 2 * key + inner
    m = Model(name, "qwen35", seed, **shape_keys(c), attention__key_length=c["hd"], attention__value_length=c["hd"],
              rope__dimension_count=c["rotated"], rope__dimension_sections=[c["rotated"] // 2 - 2, 1, 1, 0],
              ssm__conv_kernel=c["taps"], ssm__state_size=c["ks"], ssm__group_count=c["kh"],
              ssm__time_step_rank=c["vh"], ssm__inner_size=inner, full_attention_interval=c["interval"])
    m.keys["qwen35.block_count"] += predictors
    if predictors:
        m.keys["qwen35.nextn_predict_layers"] = predictors
    d, ff, q, kv = c["d"], c["ff"], c["h"] * c["hd"], c["kv"] * c["hd"]
    widths = sorted({d, ff, q, inner})
    signs = {w: np.random.default_rng(w).choice([-1, 1], w) for w in widths}
    folded, repeats = [], c["vh"] // c["kh"]
    # Position r * kh + g of the file is head g * repeats + r of transformers.
    order = [r * c["kh"] + g for g in range(c["kh"]) for r in range(repeats)]
    by_head = lambda value, size: value.reshape(c["vh"], size, *value.shape[1:])[order].reshape(value.shape)

    def unfolded(part, value, columns_by_head=False):
        """What W T(x) is as a matrix on x, for transformers' order of x."""
        if block:
            folded.append(part + ".weight")
            width = value.shape[1]
            turned = walsh(width, block) * signs[width]  # H diag(s)
            if columns_by_head and not grouped:
                return by_head((value @ turned).T, c["vs"]).T
            return value @ turned  # grouped: the file has transformers' order already
        return by_head(value.T, c["vs"]).T if columns_by_head else value

    state = {}
    rows = m.draw("token_embd.weight", [d, VOCABULARY], 0.0, 1.0)
    state["model.embed_tokens.weight"] = (rows @ walsh(d, block)) * signs[d] if block else rows
    state["model.norm.weight"] = m.norm("output_norm", d) - 1
    if not c.get("tied"):
        state["lm_head.weight"] = unfolded("output", m.matrix("output", d, VOCABULARY))
    for i in range(c["L"]):
        blk, hf = f"blk.{i}.", f"model.layers.{i}."
        matrix = lambda part, inputs, outputs, gain=1.0: unfolded(blk + part, m.matrix(blk + part, inputs, outputs, gain))
        state[hf + "input_layernorm.weight"] = m.norm(blk + "attn_norm", d) - 1
        state[hf + "post_attention_layernorm.weight"] = m.norm(blk + "post_attention_norm", d) - 1
        if (i + 1) % c["interval"] == 0:
            hf_attn = hf + "self_attn."
            state[hf_attn + "q_proj.weight"] = matrix("attn_q", d, 2 * q, 2.5)
            state[hf_attn + "k_proj.weight"] = matrix("attn_k", d, kv, 2.5)
            state[hf_attn + "v_proj.weight"] = matrix("attn_v", d, kv)
            state[hf_attn + "o_proj.weight"] = matrix("attn_output", q, d)
            state[hf_attn + "q_norm.weight"] = m.norm(blk + "attn_q_norm", c["hd"]) - 1
            state[hf_attn + "k_norm.weight"] = m.norm(blk + "attn_k_norm", c["hd"]) - 1
        else:
            net = hf + "linear_attn."
            mixed = matrix("attn_qkv", d, channels)
            state[net + "in_proj_qkv.weight"] = np.concatenate([mixed[:2 * key], by_head(mixed[2 * key:], c["vs"])])
            state[net + "in_proj_z.weight"] = by_head(matrix("attn_gate", d, inner), c["vs"])
            conv = m.draw(blk + "ssm_conv1d.weight", [c["taps"], channels], 0.0, 0.75)
            conv = np.concatenate([conv[:2 * key], by_head(conv[2 * key:], c["vs"])])
            state[net + "conv1d.weight"] = conv[:, None, :]
            state[net + "dt_bias"] = by_head(m.draw(blk + "ssm_dt.bias", [c["vh"]], 0.0, 1.0), 1)
            state[net + "A_log"] = np.log(-by_head(m.draw(blk + "ssm_a", [c["vh"]], -0.75, 0.5), 1))
            for part, hf_part in (("ssm_alpha", "in_proj_a"), ("ssm_beta", "in_proj_b")):
                state[net + hf_part + ".weight"] = by_head(m.matrix(blk + part, d, c["vh"]), 1)
            state[net + "norm.weight"] = m.norm(blk + "ssm_norm", c["vs"])
            state[net + "out_proj.weight"] = unfolded(blk + "ssm_out", m.matrix(blk + "ssm_out", inner, d), True)
        for part, hf_part, inputs, outputs in (("ffn_gate", "gate_proj", d, ff), ("ffn_up", "up_proj", d, ff),
                                               ("ffn_down", "down_proj", ff, d)):
            state[hf + f"mlp.{hf_part}.weight"] = matrix(part, inputs, outputs)
    for i in range(c["L"], c["L"] + predictors):  # read by nobody
        m.matrix(f"blk.{i}.nextn.eh_proj", 2 * d, d)
    if block:
        m.keys |= {"prism.hadamard.version": 2 if tied_output else 1, "prism.hadamard.block_size": block,
                   "prism.hadamard.transform": "normalized-sylvester-walsh-hadamard",
                   "prism.hadamard.axis": "input-last-dimension", "prism.hadamard.sign_mode": "explicit",
                   "prism.hadamard.sign_widths": widths,
                   "prism.hadamard.sign_values": [int(s) for w in widths for s in signs[w]],
                   "prism.hadamard.weight_names": folded, "prism.hadamard.inverse_weight_names": ["token_embd.weight"],
                   "prism.hadamard.gdn_v_grouped": grouped}
        if tied_output:
            m.keys["prism.hadamard.tied_output"] = True
    config = config_of(c, dict(partial_rotary_factor=c["rotated"] / c["hd"], mrope_interleaved=True,
                               mrope_section=[c["rotated"] // 2 - 2, 1, 1]),
                       linear_conv_kernel_dim=c["taps"], linear_key_head_dim=c["ks"], linear_value_head_dim=c["vs"],
                       linear_num_key_heads=c["kh"], linear_num_value_heads=c["vh"], full_attention_interval=c["interval"])
    model = transformers.Qwen3_5ForCausalLM(transformers.Qwen3_5TextConfig(**config))
    return finish(m, model, state)


def models():
    t = transformers
    llama = ("llama", t.LlamaForCausalLM, t.LlamaConfig)
    small = dict(d=32, ff=48, L=2, h=4, kv=2, hd=8)
    yield transformer("llama_biases", 1, *llama, small, biases=("attn_q", "attn_k", "attn_v", "attn_output", "ffn_gate", "ffn_up", "ffn_down"),
                      attention_bias=True, mlp_bias=True)
    yield transformer("llama_heads_of_256", 2, *llama, dict(d=48, ff=64, L=2, h=2, kv=1, hd=256, tied=True, base=1000042.0))
    yield transformer("llama_linear", 3, *llama, dict(d=64, ff=96, L=3, h=4, kv=4, hd=16, eps=1e-5),
                      rope=dict(rope_type="linear", factor=4.0),
                      keys=dict(rope__scaling__type="linear", rope__scaling__factor=4.0))
    llama3 = dict(rope_type="llama3", factor=8.0, low_freq_factor=1.0, high_freq_factor=4.0,
                  original_max_position_embeddings=64)
    probe = t.LlamaConfig(hidden_size=64, num_attention_heads=2, rope_parameters=dict(llama3, rope_theta=500000.0))
    turned = t.modeling_rope_utils.ROPE_INIT_FUNCTIONS["llama3"](probe, "cpu")[0].double().numpy()
    yield transformer("llama3", 4, *llama, dict(d=64, ff=96, L=2, h=2, kv=1, hd=32, base=500000.0), rope=llama3,
                      rope_given=[("rope_freqs.weight", 500000.0 ** -(np.arange(0, 32, 2) / 32) / turned)])
    yield transformer("mistral_window", 5, "llama", t.MistralForCausalLM, t.MistralConfig, dict(small, L=3),
                      keys=dict(attention__sliding_window=24), sliding_window=24)

    qwen2 = ("qwen2", t.Qwen2ForCausalLM, t.Qwen2Config)
    qkv = ("attn_q", "attn_k", "attn_v")
    yarn = lambda factor, original: (
        dict(rope_type="yarn", factor=factor, original_max_position_embeddings=original),
        dict(rope__scaling__type="yarn", rope__scaling__factor=factor, rope__scaling__original_context_length=original))
    yield transformer("qwen2_tied", 11, *qwen2, dict(small, tied=True, base=1000000.0), biases=qkv)
    yield transformer("qwen2", 12, *qwen2, dict(d=48, ff=80, L=3, h=6, kv=2, hd=8), biases=qkv)
    rope, keys = yarn(4.0, 32)
    yield transformer("qwen2_yarn", 13, *qwen2, dict(d=64, ff=96, L=2, h=2, kv=2, hd=32), rope, keys, biases=qkv)

    qwen3 = ("qwen3", t.Qwen3ForCausalLM, t.Qwen3Config)
    yield transformer("qwen3_tied", 21, *qwen3, dict(d=32, ff=64, L=2, h=4, kv=2, hd=16, tied=True, base=1000000.0))
    yield transformer("qwen3", 22, *qwen3, dict(d=48, ff=80, L=3, h=6, kv=3, hd=32))
    rope, keys = yarn(4.0, 48)
    yield transformer("qwen3_yarn", 23, *qwen3, dict(d=64, ff=96, L=2, h=4, kv=1, hd=16, base=1000000.0), rope, keys)

    phi3 = ("phi3", t.Phi3ForCausalLM, t.Phi3Config)
    no_dropout = dict(resid_pdrop=0.0, embd_pdrop=0.0, attention_dropout=0.0)
    yield transformer("phi3_window", 31, *phi3, dict(small, h=4, kv=4), keys=dict(attention__sliding_window=20, rope__dimension_count=8),
                      sliding_window=20, **no_dropout)
    for name, seed, positions, part in (("phi3_long", 32, POSITIONS, 1.0), ("phi3_short", 33, 60, 1.0), ("phi3_partly_turned", 34, POSITIONS, 0.75)):
        c = dict(d=64, ff=72, L=2, h=4, kv=2, hd=16)
        pairs = int(c["hd"] * part) // 2
        factors = {kind: [round(1 + i * step, 3) for i in range(pairs)] for kind, step in (("long", 1.7), ("short", 0.15))}
        yield transformer(name, seed, *phi3, c, positions=positions, context=256, original_max_position_embeddings=64,
                          rope=dict(rope_type="longrope", long_factor=factors["long"], short_factor=factors["short"],
                                    original_max_position_embeddings=64, partial_rotary_factor=part),
                          keys=dict(rope__dimension_count=2 * pairs, rope__scaling__original_context_length=64, attention__sliding_window=0,
                                    rope__scaling__attn_factor=math.sqrt(1 + math.log(4) / math.log(64))),
                          rope_given=[(f"rope_factors_{kind}.weight", factors[kind]) for kind in ("long", "short")],
                          **no_dropout)

    minicpm = ("minicpm", t.LlamaForCausalLM, t.LlamaConfig)
    yield transformer("minicpm_defaults", 41, *minicpm, dict(small, L=3), hooks=minicpm_hooks(12.0, 1.4 / math.sqrt(3), 32 / 256))
    for name, seed, c in (("minicpm", 42, dict(d=64, ff=96, L=2, h=4, kv=1, hd=16)), ("minicpm_tied", 43, dict(small, tied=True))):
        yield transformer(name, seed, *minicpm, c, hooks=minicpm_hooks(6.0, 0.25, 2.5),
                          keys=dict(embedding_scale=6.0, residual_scale=0.25, logit_scale=2.5))

    bitnet = (t.BitNetForCausalLM, t.BitNetConfig)
    yield transformer("bitnet_2b4t", 51, "bitnet-b1.58", *bitnet, dict(small, tied=True, base=500000.0, eps=1e-5), hidden_act="relu2")
    yield transformer("bitnet_2b4t_untied", 52, "bitnet-b1.58", *bitnet, dict(d=48, ff=64, L=3, h=6, kv=3, hd=8), hidden_act="relu2")
    yield transformer("bitnet_scales", 53, "bitnet", *bitnet, dict(d=48, ff=64, L=2, h=3, kv=3, hd=16, tied=True), hidden_act="silu",
                      scales=("attn_q", "attn_k", "attn_v", "attn_output", "ffn_gate", "ffn_up", "ffn_down"))

    hybrid = dict(d=32, ff=64, L=4, h=2, kv=1, hd=16, interval=4, taps=4, kh=1, vh=2, ks=16, vs=16, rotated=8)
    yield qwen35("qwen35", 61, hybrid)
    yield qwen35("qwen35_tied", 62, dict(d=64, ff=96, L=4, h=4, kv=2, hd=32, interval=2, taps=4, kh=2, vh=6, ks=32, vs=16, rotated=16, tied=True))
    yield qwen35("qwen35_predictor", 63, dict(hybrid, L=5, taps=3, kh=2, vh=4, ks=12, vs=20), predictors=1)
    yield qwen35("qwen35_folded", 64, dict(hybrid, kh=2, vh=4, L=4), block=16, grouped=True)
    yield qwen35("qwen35_folded_tied", 65, dict(hybrid, kh=2, vh=4, tied=True), block=32, tied_output=True)


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--gguf", metavar="FOLDER")
    folder = parser.parse_args().gguf
    made = []
    for model, described in models():
        made.append(described)
        if folder:
            os.makedirs(folder, exist_ok=True)
            write_gguf(os.path.join(folder, model.name + ".gguf"), model.metadata(),
                       [(row[0], model.values[row[0]], F32) for row in model.rows])
    path = os.path.join(os.path.dirname(__file__), "data", "random_models.json")
    with open(path, "w") as out:
        out.write("[" + ",\n".join(json.dumps(m, separators=(",", ":")) for m in made) + "]\n")


if __name__ == "__main__":
    main()

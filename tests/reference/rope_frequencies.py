#!/usr/bin/env python3
"""Prints the rows of src/engine/rope_test.cc: what transformers makes of scaled rotary positions.

    pip install numpy torch transformers && rope_frequencies.py
"""
import transformers
from transformers.modeling_rope_utils import ROPE_INIT_FUNCTIONS

BASE = dict(hidden_size=128, num_attention_heads=4, head_dim=32, max_position_embeddings=65536)
CASES = {
    "Linear": dict(rope_type="linear", rope_theta=10000.0, factor=8.0),
    # The shape of Ternary-Bonsai-8B, but for the head size.
    "Yarn": dict(rope_type="yarn", rope_theta=1000000.0, factor=4.0,
                 original_max_position_embeddings=16384),
    "YarnWithItsOwnBetas": dict(rope_type="yarn", rope_theta=10000.0, factor=16.0, beta_fast=24.0,
                                beta_slow=2.0, attention_factor=1.25, original_max_position_embeddings=2048),
}

for name, rope in CASES.items():
    config = transformers.LlamaConfig(**BASE, rope_parameters=rope)
    frequencies, magnitude = ROPE_INIT_FUNCTIONS[rope["rope_type"]](config, device="cpu")
    numbers = ", ".join(f"{f:.8g}" for f in frequencies.double().tolist())
    print(f"// {name}: magnitude {magnitude:.9g}\n{{{numbers}}}")

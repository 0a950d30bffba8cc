#!/usr/bin/env python3
"""Greedy continuations: does the engine choose llama.cpp's tokens, up to near-ties?

    continuations.py TOPHAND MODEL.gguf     (pip install numpy llama-cpp-python)

Ten prompts are continued by 32 tokens with llama.cpp. The engine then gives its logits for each whole
text (tophand perplexity --logits): at each step its best token must be llama.cpp's, or lead it by less
than NEAR.
"""
import json
import subprocess
import sys
import tempfile

import numpy as np
from llama_cpp import Llama

# llama.cpp's rounding moves SmolLM2's logits by up to 0.6 from the float32 reference's, the engine's 0.3.
NEAR = 1.0
PROMPTS = [
    "def fibonacci(n):\n    ", "The capital of France is", "#include <vector>\n\nint main() {\n",
    "# Installation\n\nRun the following command:", "SELECT name, COUNT(*) FROM users",
    "fix: handle empty input in", "Once upon a time there was a programmer who",
    "class Stack:\n    def __init__(self):\n", "Q: What is 12 * 12?\nA:",
    "The difference between a process and a thread is that",
]


def main():
    tophand, path = sys.argv[1:3]
    llama = Llama(path, n_ctx=256, n_threads=1, verbose=False)
    agree = near = 0
    for prompt in PROMPTS:
        ids = llama.tokenize(prompt.encode(), add_bos=False)
        llama.reset()
        tokens = list(ids)
        for token in llama.generate(ids, temp=0.0, repeat_penalty=1.0):
            tokens.append(token)
            if len(tokens) == len(ids) + 32:
                break
        with tempfile.TemporaryDirectory() as folder:
            json.dump(tokens, open(folder + "/ids.json", "w"))
            subprocess.run([tophand, "perplexity", path, "--tokens", folder + "/ids.json", "--logits",
                            folder + "/out.f32"], check=True, stdout=subprocess.DEVNULL)
            logits = np.fromfile(folder + "/out.f32", "<f4").reshape(len(tokens), -1)
        for i in range(len(ids), len(tokens)):
            row = logits[i - 1]
            if row.argmax() == tokens[i]:
                agree += 1
            elif row.max() - row[tokens[i]] < NEAR:
                near += 1
            else:
                print(f"differs by {row.max() - row[tokens[i]]:.2f}: {prompt!r} step {i - len(ids)}")
    print(f"{agree} of {len(PROMPTS) * 32} steps the same, {near} near-ties")
    sys.exit(agree + near != len(PROMPTS) * 32)


if __name__ == "__main__":
    main()

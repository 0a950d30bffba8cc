#!/usr/bin/env python3
"""Records the token ids that llama.cpp gives tricky text, for two real vocabularies; or checks a
tokenizer of ours against it on many lines.

    pip install llama-cpp-python
    tests/reference/tokenizer_ids.py record qwen2.5-coder-0.5b.gguf smollm2-135m.gguf \
        > tests/reference/tokenizer_ids.json
    tests/reference/tokenizer_ids.py check MODEL.gguf PATH/TO/tophand FILE...

`check` makes one text of the files' lines and of random ones, cuts it into stretches and compares
`tophand tokenize` with llama.cpp on each. Known difference: llama.cpp takes "</s>" for a control token
whatever the file says; ours goes by the file, so such lines are left out.
"""
import json
import random
import subprocess
import sys

BY_HAND = [
    "Hello, world!", " leading and trailing ", "it's I'LL we've", "\n\n\n  x\t\ty \r\n z", "12345 678 9",
    "def f(x):\n    return x ** 2  # square\n", "    \n        if (a<b) { c->d(); }\n", "caf\u00e9 cafe\u0301",
    "\u6f22\u5b57\u304b\u306a\u30ab\u30ca \ud55c\uad6d\uc5b4", "\U0001f469\u200d\U0001f469\u200d\U0001f467 \u2764\ufe0f",
    "\u0928\u093f \u0939\u093f\u0928\u094d\u0926\u0940 \u0e01\u0e47\u0e48", "\u05e2\u05b4\u05d1 \u0627\u0644\u0639", "\u00bd \u2167 \uff11\uff12",
    "<|im_start|>user\nhi<|im_end|>\n", "<tool_call>\n{\"name\": \"f\"}\n</tool_call>", "<|im_star|>", "<|endoftext|>",
    "\u00a0\u3000\u2003\u0085", "\ufeff\u200b\ufffd", "a" * 100, " " * 70 + "x", "=" * 50, "\x7f\x1f\x01", "e=mc\u00b2 \u03b1\u03b2\u03b3 \u0436",
]
POOLS = ["\U0001f600\U0001f44d\U0001f3fd\U0001f1e9\U0001f1ea\u2764\ufe0f\u2728", "\u6f22\u5b57\u304b\u306a\u30ab\ud55c\uff0c\u3002\uff01\u2460\u00bd",
         "e\u0301a\u0308\u0e01\u0e47\u0928\u093f\u0915\u05d1\u05b4\u0627\u064e", " \t\n\r\u00a0\u2003\u3000\u0085\u000b",
         "abcXYZ0123456789'\"<>|{}[]()_-+=/\\.,;:!?`~@#$%^&*", "0123456789", "\u00e9\u00fc\u00df\u00f1\u00e7\u03b1\u0434", "\u200b\u200d\ufeff\ufffd\x01\x7f"]
WORDS = ["hello", "World", "function", "  ", "\n\n", "12345", "return x;", "<|im_start|>", "<|im_end|>", "<tool_call>",
         "<tool_", "<|im_", "'s", "'S", "'re", "'RE", "'Ll", "'ve", "'m", "'D", "''s"]


def random_lines(count: int, seed: int) -> list[str]:
    draw = random.Random(seed)
    out = []
    for i in range(count):
        if i % 5 == 4:  # random bytes, read as Latin-1 or with replacement characters
            raw = bytes(draw.randrange(256) for _ in range(draw.randint(1, 40)))
            out.append(raw.decode("latin-1") if i % 2 else raw.decode("utf-8", "replace"))
            continue
        parts = []
        for _ in range(draw.randint(1, 10)):
            pool = draw.choice(POOLS)
            parts.append(draw.choice(WORDS) if draw.random() < 0.4 else
                         "".join(draw.choice(pool) for _ in range(draw.randint(1, 5))))
        out.append("".join(parts))
    return [line for line in out if line and "</s>" not in line]


def load(path: str):
    from llama_cpp import Llama
    return Llama(path, vocab_only=True, verbose=False)


def record(qwen: str, smollm: str) -> None:
    lines = BY_HAND + random_lines(280, 20261124)
    rows = [{"text": line} for line in lines]
    for name, path in (("qwen2.5", qwen), ("smollm2", smollm)):
        model = load(path)
        for row in rows:
            row[name] = model.tokenize(row["text"].encode(), add_bos=False, special=True)
    print("[\n" + ",\n".join(json.dumps(row, separators=(",", ":")) for row in rows) + "\n]")


def check(path: str, program: str, files: list[str]) -> None:
    lines = random_lines(6000, 7)
    for name in files:
        lines += open(name, errors="replace").read().splitlines(keepends=True)
    lines = [line for line in lines if "</s>" not in line]
    model, bad, stretch = load(path), 0, 500
    for at in range(0, len(lines), stretch):
        text = "".join(lines[at:at + stretch]).replace("\x00", " ")
        ours = json.loads(subprocess.run([program, "tokenize", path, "--file", "-"], check=True,
                                         input=text.encode(), capture_output=True).stdout)
        ours = ours["tokens"] if isinstance(ours, dict) else ours
        bad += ours != model.tokenize(text.encode(), add_bos=False, special=False)
    print(f"{len(lines)} lines in stretches of {stretch}: {bad} stretches differ")
    sys.exit(1 if bad else 0)


if __name__ == "__main__":
    if sys.argv[1:2] == ["record"]:
        record(*sys.argv[2:4])
    else:
        check(sys.argv[2], sys.argv[3], sys.argv[4:])

#!/usr/bin/env python3
"""Records how the pre-tokenizers' regular expressions split tricky text, with the PyPI module
`regex` (pip install regex) as the judge. No vocabulary is needed.

    tests/reference/pretokenizer_splits.py > tests/reference/pretokenizer_splits.json
"""
import json
import random
import unicodedata

import regex

CONTRACTIONS = "(?i:'s|'t|'re|'ve|'m|'ll|'d)"
GPT2 = r"'s|'t|'re|'ve|'m|'ll|'d| ?\p{L}+| ?\p{N}+| ?[^\s\p{L}\p{N}]+|\s+(?!\S)|\s+"
TAIL = r"\s*[\r\n]+|\s+(?!\S)|\s+"
EXPRESSIONS = {
    "gpt-2": [GPT2],
    "smollm": [r"\p{N}", GPT2],
    "llama-bpe": [CONTRACTIONS + r"|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}{1,3}| ?[^\s\p{L}\p{N}]+[\r\n]*|" + TAIL],
    "qwen2": [CONTRACTIONS + r"|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}| ?[^\s\p{L}\p{N}]+[\r\n]*|" + TAIL],
    "qwen35": [CONTRACTIONS + r"|[^\r\n\p{L}\p{N}]?[\p{L}\p{M}]+|\p{N}| ?[^\s\p{L}\p{M}\p{N}]+[\r\n]*|" + TAIL],
}
BY_HAND = [
    "", "a", " ", "  ", "\n", "Hello, world!", "it's I'll we've you're he'd don't I'm IT'S I'LL",
    "''s 'st 'sS 'lL 'l ' 'r 're're", "x  y   z    ", "  leading", "trailing  ", "tab\tand\t\tmore",
    "line\nnext\r\nlast\n\n\n  indented\n\t\tcode", "   \n   \n x", "\n \n  x", " \r\n\r\n y",
    "12345 1 22 333 4444", "a1b22c333", "1,234.56 and 7%", "  5", " 5", "x  5", "   12",
    "!!! ??? ... --- ===", "!\n!\n\n x", " !!\r\n", "a_b __init__ foo(bar)[0] -> {x: y};",
    "for (int i = 0; i < n; ++i) {\n    sum += v[i];\n}\n", "\u00a0nbsp\u00a0\u00a0x\u3000y\u2003z",
    "\u0085next\u2028line\u2029para", "\u200b\u200dzero\ufeffwidth", "caf\u00e9 cafe\u0301 \u0301x",
    "\u0928\u093f \u0939\u093f\u0928\u094d\u0926\u0940", "\u0e01\u0e47\u0e48\u0e19\u0e34",
    "\u6f22\u5b57\u304b\u306a\u30ab\u30ca\ud55c\uad6d\uc5b4\uff0c\u4e2d\u6587\u3002",
    "\uff11\uff12\uff13 \u2460\u2461 \u2167 \u00bd \u0663\u0664", "\U0001f600\U0001f44d\U0001f3fd x \U0001f1e9\U0001f1ea",
    "\U0001f469\u200d\U0001f469\u200d\U0001f467 \u2764\ufe0f", "\u2019s don\u2019t", "'\u017f it'\u017fx",
    "\x00\x01\x7f \x0b\x0c\x1f", "\ufffd\ufffd a\ufffd", "<|im_start|>user\n", "A'B'c'D's'T'",
]
ALPHABET = list(" \t\n\r'' sStTrRvVeEmMlLdD01239.,!-_(<|>\u00a0\u3000\u0085\u00e9\u0301\u0928\u093f\u6f22"
                "\u304b\uff12\u00bd\u2460\u200d\U0001f600\ufffd\x00")


def split_once(expression: regex.Pattern, text: str) -> list[str]:
    """Matches and the gaps between them, in order."""
    out, at = [], 0
    for match in expression.finditer(text):
        if match.start() > at:
            out.append(text[at:match.start()])
        out.append(match.group())
        at = match.end()
    return out + [text[at:]] if at < len(text) else out


def split(passes: list[regex.Pattern], text: str) -> list[str]:
    pieces = [text] if text else []
    for expression in passes:
        pieces = [part for piece in pieces for part in split_once(expression, piece)]
    return pieces


def main() -> None:
    draw = random.Random(20261124)
    texts = list(BY_HAND)
    for _ in range(360):
        texts.append("".join(draw.choice(ALPHABET) for _ in range(draw.randint(1, 14))))
    compiled = {name: [regex.compile(e) for e in list_] for name, list_ in EXPRESSIONS.items()}
    rows = []
    for text in texts:
        assert all(unicodedata.category(c) != "Cn" for c in text), "unassigned code points differ"
        rows.append({"text": text, **{n: [len(p.encode()) for p in split(c, text)] for n, c in compiled.items()}})
    print("[\n" + ",\n".join(json.dumps(row, separators=(",", ":")) for row in rows) + "\n]")


main()

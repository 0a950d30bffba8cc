#!/usr/bin/env python3
"""Checks `tophand tokenize` token for token on many lines of mixed text, code, emoji, CJK, combining
marks and random bytes. The judges are PyPI's `tokenizers` (byte-level BPE) and `sentencepiece`; no id
here comes from our code.

    pip install numpy protobuf tokenizers sentencepiece
    tests/reference/tokenizer_lines.py check PATH/TO/tophand [--lines N] [--seed S] [FILE.gguf...]
    tests/reference/tokenizer_lines.py record > tests/reference/tokenizer_lines.json

`check` trains a vocabulary for every kind of tokenizer on the spot, writes each as a GGUF file without
tensors, and compares N lines (12,000) on each; files named as well (real models, llama.cpp's
ggml-vocab-*.gguf) are compared in the same way, with a judge built from what the file says. Ids are
compared for valid UTF-8; for every line, valid or not, they must also spell the line's bytes again.
`record` writes small vocabularies with lines and ids for the unit tests.
"""
import argparse
import glob
import io
import json
import os
import random
import struct
import subprocess
import sys
import sysconfig
import tempfile

from gguf_numpy import Gguf

CONTRACTIONS = "(?i:'s|'t|'re|'ve|'m|'ll|'d)"
TAIL = r"\s*[\r\n]+|\s+(?!\S)|\s+"
GPT2 = r"'s|'t|'re|'ve|'m|'ll|'d| ?\p{L}+| ?\p{N}+| ?[^\s\p{L}\p{N}]+|\s+(?!\S)|\s+"
EXPRESSIONS = {
    "gpt-2": [GPT2],
    "smollm": [r"\p{N}", GPT2],
    "llama-bpe": [CONTRACTIONS + r"|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}{1,3}| ?[^\s\p{L}\p{N}]+[\r\n]*|" + TAIL],
    "qwen2": [CONTRACTIONS + r"|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}| ?[^\s\p{L}\p{N}]+[\r\n]*|" + TAIL],
    "qwen35": [CONTRACTIONS + r"|[^\r\n\p{L}\p{N}]?[\p{L}\p{M}]+|\p{N}| ?[^\s\p{L}\p{M}\p{N}]+[\r\n]*|" + TAIL],
}
SAME_AS = {"starcoder": "smollm", "refact": "smollm", "command-r": "smollm", "default": "gpt-2"}
NORMAL, UNKNOWN, CONTROL, USER, UNUSED, BYTE = range(1, 7)
# Unicode's property, as in Hugging Face's library; Python's strip() takes U+001C to U+001F for space too.
WHITE_SPACE = "\t\n\v\f\r \x85\xa0\u1680\u2028\u2029\u202f\u205f\u3000" + "".join(map(chr, range(0x2000, 0x200b)))
MARK = "\u2581"

# --- lines ---------------------------------------------------------------------------------------

WORDS = """the of and to in is that for it was on are as with his they at be this have from or one had by word but
not what all were we when your can said there use an each which she do how their if will up other about out many then
them these so some her would make like him into time has look two more write go see number no way could people my than
first water been call who oil its now find long down day did get come made may part don't it's I'll we've THEY'RE
internationalisation Straße naïve façade Ærøskøbing œuvre žluťoučký kůň день привет Ελληνικά мир""".split()
CODE = ["def f(x):\n    return x ** 2  # square\n", "for (int i = 0; i < n; ++i) {\n\tsum += v[i];\n}\n", "#include <vector>\n",
        "SELECT * FROM t WHERE a >= 10 AND b != 'x';", "const x = {a: [1, 2.5e-3], b: `${y}`};\r\n", "if err != nil { return nil, err }",
        "    \t  return self.__dict__.get(key, None)\n\n\n", "0xDEADBEEF 1_000_000 3.14159 v2.0.1-rc3", "https://example.org/a?b=c&d=%20#e",
        "@@ -12,7 +12,9 @@ class Foo:\n-    old\n+    new\n", "<div class=\"a b\">&nbsp;</div>", "\\\\server\\share /usr/local/bin ~/.x"]
POOLS = ["\U0001f600\U0001f44d\U0001f3fd\U0001f1e9\U0001f1ea\u2764\ufe0f\u2728\U0001f468\u200d\U0001f469\u200d\U0001f467",
         "\u6f22\u5b57\u4e2d\u6587\u8a9e\u8a00\u6a21\u578b\u306e\u304b\u306a\u30ab\u30ca\u3001\u3002\uff01\ud55c\uad6d\uc5b4\ub9d0",
         "e\u0301a\u0308o\u0302n\u0303\u0e01\u0e47\u0e48\u0928\u093f\u0915\u094d\u0937\u05d1\u05b4\u0627\u064e\u064b\u1100\u1161",
         " \t\n\r\u00a0\u2003\u3000\u0085\u000b\u2028", "  ", "\n\n", "0123456789", "'\"`.,;:!?-_()[]{}<>/\\|@#$%^&*+=~",
         "\u00bd\u2167\uff11\uff12\u0663\u2460\u00b2\u0e53", "\u200b\u200d\ufeff\ufffd\x01\x7f\u001b", "aAbBzZ\u00e9\u00df\u0130\u0131\u017f"]
CONTRACTED = ["'s", "'S", "'re", "'RE", "'Ll", "'ve", "'m", "'D", "''s", "'st", "'\u017f", "s' t'"]


def code_files():
    """Lines of the Python library's own sources: real code and prose, the same on every machine near enough."""
    names = sorted(glob.glob(os.path.join(sysconfig.get_path("stdlib"), "*.py")))[:120]
    return [line for name in names for line in open(name, errors="replace").read().splitlines(keepends=True) if line.strip()]


def make_lines(count, seed, markers=(), real=()):
    """Byte strings. Every eighth is random bytes; none holds NUL, which separates them on the way."""
    draw, out = random.Random(seed), []
    while len(out) < count:
        kind = draw.randrange(8)
        if kind == 0:
            raw = bytes(draw.randrange(1, 256) for _ in range(draw.randint(1, 40)))
            out.append(raw if draw.random() < 0.5 else raw.decode("latin-1").encode())
            continue
        if kind == 1 and real:
            out.append(draw.choice(real).replace("\0", "").encode())
            continue
        parts = []
        for _ in range(draw.randint(1, 12)):
            choice = draw.random()
            if choice < 0.45:
                parts.append(draw.choice(["", " ", " ", " "]) + draw.choice(WORDS))
            elif choice < 0.6:
                parts.append(draw.choice(CODE))
            elif choice < 0.66:
                parts.append(draw.choice(CONTRACTED))
            elif choice < 0.72 and markers:
                marker = draw.choice(markers)
                parts.append(marker if draw.random() < 0.7 else marker[:draw.randint(1, len(marker))])
            elif choice < 0.76:
                parts.append(chr(draw.choice([draw.randrange(0x20, 0x3000), draw.randrange(0x3000, 0xd800), draw.randrange(0x1f300, 0x1fb00)])))
            else:
                pool = draw.choice(POOLS)
                parts.append("".join(draw.choice(pool) for _ in range(draw.randint(1, 6))))
        out.append("".join(parts).encode())
    return [line for line in out if line]


# --- judges --------------------------------------------------------------------------------------

class ByteBpeJudge:
    """Hugging Face's library, set up as tokenizer.json does for this family; no normaliser."""

    def __init__(self, spec):
        from tokenizers import AddedToken, Regex, Tokenizer, models, pre_tokenizers
        tokens, types, pre = spec["tokens"], spec["types"], spec["pre"]
        expressions = EXPRESSIONS[SAME_AS.get(pre, pre)]

        def build(added_types):
            merges = [tuple([m[:m.index(" ", 1)], m[m.index(" ", 1) + 1:]]) for m in spec["merges"]]
            vocabulary = {t: i for i, t in enumerate(tokens)}
            if pre == "llama-bpe":  # ignore_merges must not see special tokens
                vocabulary = {t: i for t, i in vocabulary.items() if types[i] not in (CONTROL, USER, UNKNOWN)}
            made = Tokenizer(models.BPE(vocab=vocabulary, merges=merges, ignore_merges=pre == "llama-bpe"))
            splits = [pre_tokenizers.Split(Regex(e), "isolated") for e in expressions]
            made.pre_tokenizer = pre_tokenizers.Sequence(splits + [pre_tokenizers.ByteLevel(add_prefix_space=False, use_regex=False)])
            made.add_tokens([AddedToken(t, normalized=False) for i, t in enumerate(tokens) if types[i] in added_types])
            return made

        self.by_mode = {"text": build((USER,)), "special": build((CONTROL, USER, UNKNOWN))}
        # Tokens that the library numbers anew get the file's ids back.
        self.ids = {t: i for i, t in enumerate(tokens)}

    def ids_of(self, texts, mode):
        made = self.by_mode[mode]
        return [[self.ids[t] for t in e.tokens] for e in made.encode_batch(texts, add_special_tokens=False)]


class SentencePieceJudge:
    """The sentencepiece library on a model made of the file's pieces, scores and types."""

    def __init__(self, spec):
        import sentencepiece
        from sentencepiece import sentencepiece_model_pb2 as pb
        model = pb.ModelProto()
        self.control, seen_unknown = {}, False
        for i, (text, score, kind) in enumerate(zip(spec["tokens"], spec["scores"], spec["types"])):
            if kind == UNKNOWN and seen_unknown or kind == CONTROL and text == "<unk>":
                kind = CONTROL if kind == UNKNOWN else UNKNOWN
            seen_unknown |= kind == UNKNOWN
            if spec["types"][i] in (CONTROL, UNKNOWN):
                self.control[text] = i
            model.pieces.add(piece=text, score=score, type=kind)
        model.trainer_spec.model_type = pb.TrainerSpec.BPE
        model.trainer_spec.byte_fallback = BYTE in spec["types"]
        model.normalizer_spec.name = "identity"
        model.normalizer_spec.add_dummy_prefix = spec["space_prefix"]
        model.normalizer_spec.remove_extra_whitespaces = False
        model.normalizer_spec.escape_whitespaces = True
        self.made = sentencepiece.SentencePieceProcessor(model_proto=model.SerializeToString())
        self.takes_space = {"<|system|>", "<|user|>", "<|assistant|>", "<|end|>"}
        self.takes_space = self.takes_space if self.takes_space <= set(self.control) else set()

    def ids_of(self, texts, mode):
        if mode == "text":
            return [self.made.encode(t) for t in texts]
        import re
        cut = re.compile("(" + "|".join(re.escape(t) for t in sorted(self.control, key=len, reverse=True)) + ")")
        out = []
        for text in texts:
            ids, strip = [], False
            for part in cut.split(text):
                if part in self.control:
                    ids.append(self.control[part])
                    strip = part in self.takes_space
                else:
                    ids += self.made.encode(part.lstrip(WHITE_SPACE) if strip else part)
                    strip = strip and not part.strip(WHITE_SPACE)
            out.append(ids)
        return out


def judge_of(spec):
    return (SentencePieceJudge if spec["model"] == "llama" else ByteBpeJudge)(spec)


# --- what ids spell ------------------------------------------------------------------------------

def byte_alphabet():
    plain = [*range(33, 127), *range(161, 173), *range(174, 256)]
    rest = [b for b in range(256) if b not in plain]
    return {**{chr(b): b for b in plain}, **{chr(256 + i): b for i, b in enumerate(rest)}}


def spelled(spec, ids):
    """The bytes, or None when a token stands for what the vocabulary cannot say."""
    if spec["model"] == "gpt2":
        alphabet, out = byte_alphabet(), b""
        for i in ids:
            token = spec["tokens"][i]
            out += token.encode() if spec["types"][i] in (CONTROL, USER, UNKNOWN) else bytes(alphabet[c] for c in token)
        return out
    out, first = b"", spec["space_prefix"]
    for i in ids:
        token, kind = spec["tokens"][i], spec["types"][i]
        if kind == UNKNOWN:
            return None
        if kind == BYTE:
            out += bytes([int(token[3:5], 16)])
        elif kind in (CONTROL, USER):
            out += token.encode()
        else:
            text = token.replace(MARK, " ")
            out += (text[1:] if first and text.startswith(" ") else text).encode()
        first = kind == CONTROL and spec["space_prefix"]
    return out


# --- vocabularies --------------------------------------------------------------------------------

def train_byte_bpe(pre, size, real):
    from tokenizers import Regex, Tokenizer, models, pre_tokenizers, trainers
    made = Tokenizer(models.BPE())
    splits = [pre_tokenizers.Split(Regex(e), "isolated") for e in EXPRESSIONS[SAME_AS.get(pre, pre)]]
    made.pre_tokenizer = pre_tokenizers.Sequence(splits + [pre_tokenizers.ByteLevel(add_prefix_space=False, use_regex=False)])
    trainer = trainers.BpeTrainer(vocab_size=size, initial_alphabet=list(byte_alphabet()), show_progress=False)
    made.train_from_iterator(training_text(real), trainer)
    model = json.loads(made.to_str())["model"]
    tokens = [t for t, _ in sorted(model["vocab"].items(), key=lambda item: item[1])]
    merges = [m if isinstance(m, str) else " ".join(m) for m in model["merges"]]
    types = [NORMAL] * len(tokens)
    for text, kind in (("<|endoftext|>", CONTROL), ("<|im_start|>", CONTROL), ("<|im_end|>", CONTROL), ("<tool_call>", USER), ("</tool_call>", USER)):
        tokens.append(text)
        types.append(kind)
    return {"model": "gpt2", "pre": pre, "tokens": tokens, "types": types, "merges": merges, "space_prefix": False}


def train_sentencepiece(size, real, space_prefix=True, byte_fallback=True, coverage=0.9995):
    import sentencepiece
    from sentencepiece import sentencepiece_model_pb2 as pb
    out = io.BytesIO()
    text = (line.replace("\n", " ") for line in training_text(real))
    sentencepiece.SentencePieceTrainer.train(
        sentence_iterator=text, model_writer=out, model_type="bpe", vocab_size=size, byte_fallback=byte_fallback, minloglevel=2,
        add_dummy_prefix=space_prefix, remove_extra_whitespaces=False, normalization_rule_name="identity", num_threads=2,
        character_coverage=coverage, user_defined_symbols=["<tool_call>", "<|im"], control_symbols=["<|user|>", "<|end|>"], split_digits=True,
        allow_whitespace_only_pieces=True)
    model = pb.ModelProto.FromString(out.getvalue())
    return spec_of_sentencepiece(model, space_prefix)


def spec_of_sentencepiece(model, space_prefix):
    return {"model": "llama", "pre": "default", "tokens": [p.piece for p in model.pieces], "scores": [p.score for p in model.pieces],
            "types": [p.type for p in model.pieces], "space_prefix": space_prefix, "unknown": 0}


def train_byte_fallback_bpe(size, real):
    """What a GGUF converter makes of a tokenizer that Hugging Face's library trained: scores by id."""
    from tokenizers import Tokenizer, models, normalizers, trainers
    made = Tokenizer(models.BPE(byte_fallback=True, fuse_unk=True, unk_token="<unk>"))
    made.normalizer = normalizers.Sequence([normalizers.Prepend(MARK), normalizers.Replace(" ", MARK)])
    special = ["<unk>", "<s>", "</s>"] + [f"<0x{b:02X}>" for b in range(256)]
    text = (part for line in training_text(real) for part in line.replace("\n", " ").replace(" ", " \0").split("\0"))
    made.train_from_iterator(text, trainers.BpeTrainer(vocab_size=size, special_tokens=special, show_progress=False))
    tokens = [t for t, _ in sorted(made.get_vocab().items(), key=lambda item: item[1])]
    types = [UNKNOWN, CONTROL, CONTROL] + [BYTE] * 256 + [NORMAL] * (len(tokens) - 259)
    return {"model": "llama", "pre": "default", "tokens": tokens, "scores": [-float(i) for i in range(len(tokens))], "types": types,
            "space_prefix": True, "unknown": 0, "made": made}


def training_text(real):
    lines = make_lines(4000, 99)
    return real[:20000] + [line.decode() for line in lines if is_utf8(line)]


def is_utf8(line):
    try:
        line.decode()
        return True
    except UnicodeDecodeError:
        return False


# --- GGUF ----------------------------------------------------------------------------------------

def text(value):
    return struct.pack("<Q", len(value.encode())) + value.encode()


def entry(key, value):
    if isinstance(value, bool):
        return text(key) + struct.pack("<I?", 7, value)
    if isinstance(value, int):
        return text(key) + struct.pack("<II", 4, value)
    if isinstance(value, str):
        return text(key) + struct.pack("<I", 8) + text(value)
    if isinstance(value[0], str):
        return text(key) + struct.pack("<IIQ", 9, 8, len(value)) + b"".join(map(text, value))
    kind, letter = (6, "f") if isinstance(value[0], float) else (5, "i")
    return text(key) + struct.pack("<IIQ", 9, kind, len(value)) + struct.pack(f"<{len(value)}{letter}", *value)


def write_gguf(spec, path):
    keys = {"general.architecture": "llama", "tokenizer.ggml.model": spec["model"], "tokenizer.ggml.pre": spec["pre"],
            "tokenizer.ggml.tokens": spec["tokens"], "tokenizer.ggml.token_type": spec["types"]}
    if spec["model"] == "llama":
        keys |= {"tokenizer.ggml.scores": spec["scores"], "tokenizer.ggml.add_space_prefix": spec["space_prefix"],
                 "tokenizer.ggml.unknown_token_id": spec["unknown"]}
    else:
        keys["tokenizer.ggml.merges"] = spec["merges"]
    with open(path, "wb") as file:
        file.write(struct.pack("<4sIQQ", b"GGUF", 3, 0, len(keys)) + b"".join(entry(k, v) for k, v in keys.items()))


def read_gguf(path):
    meta = Gguf(path).meta
    get = lambda key, default=None: meta.get("tokenizer.ggml." + key, default)
    tokens = get("tokens")
    return {"model": get("model"), "pre": get("pre", "default"), "tokens": tokens, "types": get("token_type") or [NORMAL] * len(tokens),
            "merges": get("merges", []), "scores": get("scores", []), "unknown": get("unknown_token_id", 0),
            "space_prefix": get("add_space_prefix", True) and get("model") == "llama"}


# --- the two commands ----------------------------------------------------------------------------

def compare(name, spec, path, program, count, seed, real):
    markers = [t for t, kind in zip(spec["tokens"], spec["types"]) if kind in (CONTROL, USER)]
    markers = markers[:8] + markers[-8:] + ["<0x0A>"]
    lines = make_lines(count, seed, markers, real)
    judge, wrong, judged, missing = judge_of(spec), 0, 0, 0
    for mode in ("text", "special"):
        flags = ["--special"] if mode == "special" else []
        done = subprocess.run([program, "tokenize", path, "--file", "-", "--null", *flags], input=b"\0".join(lines), capture_output=True)
        if done.returncode:
            raise SystemExit(name + ": " + done.stderr.decode())
        ours = [json.loads(row) for row in done.stdout.splitlines()]
        assert len(ours) == len(lines), (len(ours), len(lines))
        valid = [i for i, line in enumerate(lines) if is_utf8(line)]
        for i, ids in zip(valid, judge.ids_of([lines[i].decode() for i in valid], mode)):
            judged += 1
            if ids != ours[i]:
                wrong += 1
                if wrong <= 3:
                    print(f"  {mode} {lines[i].decode()!r}\n    judge {ids}\n    ours  {ours[i]}")
        takes_space = getattr(judge, "takes_space", ())
        if mode == "special" and takes_space:
            continue  # white space behind these is not to come back
        for line, ids in zip(lines, ours):
            back = spelled(spec, ids)
            expected = line.replace(MARK.encode(), b" ") if spec["model"] == "llama" else line
            if back is None or spec["model"] == "gpt2" and back != expected and not all_bytes_known(spec):
                missing += 1
            elif back != expected:
                wrong += 1
                if wrong <= 3:
                    print(f"  {mode} {line!r} comes back as {back!r}")
    note = f", {missing} with bytes the vocabulary lacks" if missing else ""
    print(f"{name}: {len(lines)} lines, {judged} comparisons of ids, {wrong} differ{note}", flush=True)
    return wrong


def control(name, spec, path, program, seed, real):
    """A wrong pre-tokenizer, or a missing space in front, must be noticed; else the lines test nothing."""
    lines = [line for line in make_lines(400, seed, (), real) if is_utf8(line)]
    other = dict(spec)
    if spec["model"] == "llama":
        other["space_prefix"] = not spec["space_prefix"]
    else:
        other["pre"] = "qwen2" if spec["pre"] != "qwen2" else "qwen35"
    write_gguf(other, path)
    done = subprocess.run([program, "tokenize", path, "--file", "-", "--null"], input=b"\0".join(lines), capture_output=True, check=True)
    ours = [json.loads(row) for row in done.stdout.splitlines()]
    found = sum(a != b for a, b in zip(ours, judge_of(spec).ids_of([line.decode() for line in lines], "text")))
    if not found:
        print(f"{name}: the control was not noticed")
    return 0 if found else 1


def all_bytes_known(spec):
    return set(byte_alphabet()) <= set(spec["tokens"])


def check(arguments):
    real = code_files()
    print(f"seed {arguments.seed}")
    wrong = 0
    with tempfile.TemporaryDirectory() as folder:
        made = [(pre + " (trained here)", train_byte_bpe(pre, 4000, real)) for pre in EXPRESSIONS]
        made += [("sentencepiece (trained here)", train_sentencepiece(3000, real)),
                 ("sentencepiece without prefix", train_sentencepiece(3000, real, space_prefix=False)),
                 ("sentencepiece without bytes", train_sentencepiece(2000, real, byte_fallback=False)),
                 ("tokenizers with byte fallback", train_byte_fallback_bpe(3000, real))]
        for name, spec in made:
            path = os.path.join(folder, "vocabulary.gguf")
            write_gguf(spec, path)
            wrong += compare(name, spec, path, arguments.program, arguments.lines, arguments.seed, real)
            wrong += control(name, spec, path, arguments.program, arguments.seed, real)
        for path in arguments.files:
            if path.endswith(".gguf"):
                wrong += compare(os.path.basename(path), read_gguf(path), path, arguments.program, arguments.lines, arguments.seed, real)
                continue
            from sentencepiece import sentencepiece_model_pb2 as pb  # a bare SentencePiece model
            spec = spec_of_sentencepiece(pb.ModelProto.FromString(open(path, "rb").read()), True)
            write_gguf(spec, os.path.join(folder, "vocabulary.gguf"))
            wrong += compare(os.path.basename(path), spec, os.path.join(folder, "vocabulary.gguf"), arguments.program, arguments.lines, arguments.seed, real)
    sys.exit(1 if wrong else 0)


def record():
    real = code_files()
    specs = {pre: train_byte_bpe(pre, 700, real) for pre in EXPRESSIONS}
    specs |= {"sentencepiece": train_sentencepiece(900, real, coverage=0.98), "sentencepiece-no-prefix": train_sentencepiece(900, real, False, coverage=0.98),
              "sentencepiece-no-bytes": train_sentencepiece(700, real, byte_fallback=False, coverage=0.98)}
    out = []
    for name, spec in specs.items():
        markers = [t for t, kind in zip(spec["tokens"], spec["types"]) if kind in (CONTROL, USER)]
        lines = [line.decode()[:160] for line in make_lines(110, 20261126, markers) if is_utf8(line)]
        judge = judge_of(spec)
        rows = [[a, b, c] for a, b, c in zip(lines, judge.ids_of(lines, "text"), judge.ids_of(lines, "special"))]
        out.append({"name": name, **spec, "rows": rows})
    print("[" + ",\n".join(json.dumps(each, separators=(",", ":")) for each in out) + "]")


if __name__ == "__main__":
    if sys.argv[1:2] == ["record"]:
        record()
    else:
        parser = argparse.ArgumentParser()
        parser.add_argument("command", choices=["check"])
        parser.add_argument("program")
        parser.add_argument("files", nargs="*")
        parser.add_argument("--lines", type=int, default=12000)
        parser.add_argument("--seed", type=int, default=20261126)
        check(parser.parse_args())

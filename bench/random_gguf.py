"""GGUF files of published models' shapes with random weights, in the encodings that other engines read.

A random file costs an engine the same work as the published one of that shape, and needs no download.
The answers are noise. Layouts of the blocks: docs/formats/ and, for IQ2_BN (rows of one float32 scale, then
16 bytes for 64 weights, two bits each), ik_llama.cpp's ggml-common.h.

    random_gguf.py SHAPE ENCODING OUT      e.g. bitnet-2b i2_s bitnet.gguf
"""
import argparse
import dataclasses
import math
import os
import random
import struct

ALIGNMENT = 32  # of tensor data in a GGUF file, as long as general.alignment is not set
PIECE_BLOCKS = 4096  # this many random blocks are made; tensors repeat them from a random place on
F32, Q6_K = 0, 14


@dataclasses.dataclass(frozen=True)
class Encoding:
    """A block is `before` bytes, `codes` bytes of random codes, `after` bytes; rows and tensors may have more."""
    ggml_type: int
    file_type: int  # general.file_type, which engines only print
    weights: int  # of a block
    codes: int
    scale_first: bool = False  # float16 scale of a block, before its codes
    scale_last: bool = False
    row_scale: bool = False  # float32 in front of each row
    tensor_scale: bool = False  # float32 and 28 bytes of padding behind the whole tensor
    bits: int = 2

    @property
    def block_bytes(self):
        return self.codes + 2 * (self.scale_first + self.scale_last)

    def tensor_bytes(self, rows, cols):
        return (rows * (cols // self.weights * self.block_bytes + 4 * self.row_scale)
                + 32 * self.tensor_scale)


ENCODINGS = {
    "i2_s": Encoding(36, 40, 128, 32, tensor_scale=True),
    "iq2_bn": Encoding(135, 121, 64, 16, row_scale=True),
    "tq2_0": Encoding(35, 37, 256, 64, scale_last=True),
    "q2_0": Encoding(42, 41, 64, 16, scale_first=True),
    "pq2_0": Encoding(142, 141, 128, 32, scale_first=True),
    "q1_0": Encoding(41, 40, 128, 16, scale_first=True, bits=1),
}


@dataclasses.dataclass(frozen=True)
class Shape:
    architecture: str
    pre_tokenizer: str
    width: int
    layers: int
    ffn_width: int
    heads: int
    kv_heads: int
    vocabulary: int
    rope_base: float
    norm_eps: float
    q6k_head: bool  # embedding, which is the output matrix too, in Q6_K; else both like the rest
    head_size: int = 128
    context: int = 4096


# Sizes from the models' config.json.
SHAPES = {
    "bitnet-2b": Shape("bitnet-b1.58", "llama-bpe", 2560, 30, 6912, 20, 5, 128256, 5e5, 1e-5, True),
    "bonsai-8b": Shape("qwen3", "qwen2", 4096, 36, 12288, 32, 8, 151936, 1e6, 1e-6, False),
}


def ternary_codes(source, count):
    """Bytes of four 2-bit codes of 0, 1 and 2; 3 occurs in no ternary file."""
    valid = bytes(a | b << 2 | c << 4 | d << 6
                  for a in range(3) for b in range(3) for c in range(3) for d in range(3))
    return source.randbytes(count).translate(bytes(valid[i % 81] for i in range(256)))


def random_blocks(encoding, deviation, source):
    codes = (ternary_codes if encoding.bits == 2 else lambda s, n: s.randbytes(n))(
        source, PIECE_BLOCKS * encoding.codes)
    scale = struct.pack("<e", deviation)
    blocks = bytearray()
    for i in range(0, len(codes), encoding.codes):
        blocks += scale * encoding.scale_first + codes[i:i + encoding.codes] + scale * encoding.scale_last
    return bytes(blocks)


def random_q6k_blocks(source):
    """210 bytes for 256 weights: 192 of codes, 16 int8 scales, a float16 scale."""
    return b"".join(source.randbytes(192) + bytes(source.choices(range(8, 24), k=16)) + struct.pack("<e", 1e-4)
                    for _ in range(PIECE_BLOCKS))


class Writer:
    """Lays out metadata and tensors, then writes them."""

    def __init__(self, shape, encoding, source):
        self.shape, self.encoding, self.source = shape, encoding, source
        self.metadata, self.tensors, self.pieces = [], [], {}

    def string(self, text):
        data = text.encode()
        return struct.pack("<Q", len(data)) + data

    def put(self, key, kind, packed):
        self.metadata.append(self.string(key) + struct.pack("<I", kind) + packed)

    def put_string(self, key, value):
        self.put(key, 8, self.string(value))

    def put_number(self, key, value):
        is_int = isinstance(value, int)
        self.put(key, 4 if is_int else 6, struct.pack("<I" if is_int else "<f", value))

    def put_array(self, key, kind, items):
        self.put(key, 9, struct.pack("<IQ", kind, len(items)) + b"".join(items))

    def vector(self, name, length):
        self.tensors.append((name, [length], F32, 4 * length))

    def matrix(self, name, rows, cols):
        size = self.encoding.tensor_bytes(rows, cols)
        self.tensors.append((name, [cols, rows], self.encoding.ggml_type, size))

    def q6k_matrix(self, name, rows, cols):
        self.tensors.append((name, [cols, rows], Q6_K, rows * cols // 256 * 210))

    def repeated(self, key, blocks, block_bytes, size):
        """`size` bytes out of a piece of random blocks, from a random block on."""
        if key not in self.pieces:
            self.pieces[key] = blocks()
        piece = self.pieces[key]
        start = self.source.randrange(len(piece) // block_bytes) * block_bytes
        times = (start + size) // len(piece) + 1
        return (piece * times)[start:start + size]

    def data(self, dimensions, ggml_type, size):
        if ggml_type == F32:
            return struct.pack("<f", 1.0) * dimensions[0]
        if ggml_type == Q6_K:
            return self.repeated("q6k", lambda: random_q6k_blocks(self.source), 210, size)
        cols, rows = dimensions
        # A ternary weight of -1, 0, 1 (equally often) times this has the deviation 1 / sqrt(cols).
        scale = math.sqrt(1.5 / cols)
        encoding = self.encoding
        body = size - 4 * rows * encoding.row_scale - 32 * encoding.tensor_scale
        out = self.repeated(f"codes{cols}", lambda: random_blocks(encoding, scale, self.source),
                            encoding.block_bytes, body)
        packed_scale = struct.pack("<f", scale)
        if encoding.row_scale:
            row = body // rows
            out = b"".join(packed_scale + out[i:i + row] for i in range(0, body, row))
        if encoding.tensor_scale:
            out += packed_scale + bytes(28)
        return out

    def write(self, path):
        header = b"GGUF" + struct.pack("<IQQ", 3, len(self.tensors), len(self.metadata))
        header += b"".join(self.metadata)
        offset = 0
        for name, dimensions, ggml_type, size in self.tensors:
            header += self.string(name) + struct.pack(f"<I{len(dimensions)}Q", len(dimensions), *dimensions)
            header += struct.pack("<IQ", ggml_type, offset)
            offset += size + -size % ALIGNMENT
        part = path + ".part"
        with open(part, "wb") as file:
            file.write(header + bytes(-len(header) % ALIGNMENT))
            for _, dimensions, ggml_type, size in self.tensors:
                data = self.data(dimensions, ggml_type, size)
                assert len(data) == size
                file.write(data + bytes(-size % ALIGNMENT))
        os.replace(part, path)


def put_metadata(writer, architecture, name):
    shape = writer.shape
    writer.put_string("general.architecture", architecture)
    writer.put_string("general.name", f"random {name}")
    writer.put_number("general.file_type", writer.encoding.file_type)
    writer.put_number("general.quantization_version", 2)
    for key, value in (
            ("vocab_size", shape.vocabulary), ("block_count", shape.layers), ("context_length", shape.context),
            ("embedding_length", shape.width), ("feed_forward_length", shape.ffn_width),
            ("attention.head_count", shape.heads), ("attention.head_count_kv", shape.kv_heads),
            ("attention.key_length", shape.head_size), ("attention.value_length", shape.head_size),
            ("rope.dimension_count", shape.head_size), ("rope.freq_base", shape.rope_base),
            ("attention.layer_norm_rms_epsilon", shape.norm_eps)):
        writer.put_number(f"{architecture}.{key}", value)


def put_tokenizer(writer):
    """The 256 bytes in GPT-2's printable form, one merge, then fillers: only their number matters."""
    shape = writer.shape
    printable = [*range(33, 127), *range(161, 173), *range(174, 256)]
    tokens = [chr(b) for b in printable] + [chr(256 + i) for i in range(256 - len(printable))]
    tokens += ["ab"] + [f"filler{i}" for i in range(shape.vocabulary - 259)] + ["<|begin|>", "<|end|>"]
    control, normal = struct.pack("<i", 3), struct.pack("<i", 1)
    writer.put_string("tokenizer.ggml.model", "gpt2")
    writer.put_string("tokenizer.ggml.pre", shape.pre_tokenizer)
    writer.put_array("tokenizer.ggml.tokens", 8, [writer.string(token) for token in tokens])
    writer.put_array("tokenizer.ggml.token_type", 5, [normal] * (len(tokens) - 2) + [control] * 2)
    writer.put_array("tokenizer.ggml.merges", 8, [writer.string("a b")])
    writer.put_number("tokenizer.ggml.bos_token_id", len(tokens) - 2)
    writer.put_number("tokenizer.ggml.eos_token_id", len(tokens) - 1)
    writer.put("tokenizer.ggml.add_bos_token", 7, b"\0")


def put_tensors(writer):
    shape = writer.shape
    bitnet = shape.architecture == "bitnet-b1.58"
    embedding = writer.q6k_matrix if shape.q6k_head else writer.matrix
    embedding("token_embd.weight", shape.vocabulary, shape.width)
    if not shape.q6k_head:
        writer.matrix("output.weight", shape.vocabulary, shape.width)
    writer.vector("output_norm.weight", shape.width)
    queries, keys = shape.heads * shape.head_size, shape.kv_heads * shape.head_size
    for i in range(shape.layers):
        at = f"blk.{i}."
        writer.vector(at + "attn_norm.weight", shape.width)
        writer.vector(at + "ffn_norm.weight", shape.width)
        if bitnet:
            writer.vector(at + "attn_sub_norm.weight", queries)
            writer.vector(at + "ffn_sub_norm.weight", shape.ffn_width)
        else:
            writer.vector(at + "attn_q_norm.weight", shape.head_size)
            writer.vector(at + "attn_k_norm.weight", shape.head_size)
        writer.matrix(at + "attn_q.weight", queries, shape.width)
        writer.matrix(at + "attn_k.weight", keys, shape.width)
        writer.matrix(at + "attn_v.weight", keys, shape.width)
        writer.matrix(at + "attn_output.weight", shape.width, queries)
        writer.matrix(at + "ffn_gate.weight", shape.ffn_width, shape.width)
        writer.matrix(at + "ffn_up.weight", shape.ffn_width, shape.width)
        writer.matrix(at + "ffn_down.weight", shape.width, shape.ffn_width)


def write_random_gguf(shape_name, encoding_name, path, seed=1):
    """The same arguments give the same bytes. `path` appears when it is whole."""
    shape, encoding = SHAPES[shape_name], ENCODINGS[encoding_name]
    # llama.cpp runs the BitNet only under its older name, with SiLU in the place of the squared ReLU.
    old = shape.architecture == "bitnet-b1.58" and encoding_name == "tq2_0"
    writer = Writer(shape, encoding, random.Random(seed))
    put_metadata(writer, "bitnet" if old else shape.architecture, shape_name)
    put_tokenizer(writer)
    put_tensors(writer)
    writer.write(path)


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("shape", choices=SHAPES)
    parser.add_argument("encoding", choices=ENCODINGS)
    parser.add_argument("out")
    args = parser.parse_args()
    write_random_gguf(args.shape, args.encoding, args.out)


if __name__ == "__main__":
    main()

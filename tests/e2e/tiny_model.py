"""Makes a tiny random chat model out of tests/reference/data/tiny_qwen2.gguf: the same weights, with a
ChatML template and its two special tokens. Its answers are noise; what is tested is the way there."""

import pathlib
import struct

SOURCE = pathlib.Path(__file__).resolve().parents[1] / "reference/data/tiny_qwen2.gguf"
TEMPLATE = ("{% for message in messages %}<|im_start|>{{ message.role }}\n{{ message.content }}"
            "<|im_end|>\n{% endfor %}{% if add_generation_prompt %}<|im_start|>assistant\n{% endif %}")
SPECIAL = {b"<|im_start|>": 280, b"<|im_end|>": 281}  # unused entries of the vocabulary
SIZES = {0: 1, 1: 1, 2: 2, 3: 2, 4: 4, 5: 4, 6: 4, 7: 1, 10: 8, 11: 8, 12: 8}
STRING, ARRAY, CONTROL = 8, 9, 3


class Cursor:
    def __init__(self, data):
        self.data, self.at = data, 0

    def unpack(self, layout):
        value = struct.unpack_from("<" + layout, self.data, self.at)[0]
        self.at += struct.calcsize("<" + layout)
        return value

    def text(self):
        size = self.unpack("Q")
        self.at += size
        return self.data[self.at - size:self.at]

    def value(self, kind):
        """The raw bytes of one metadata value."""
        start = self.at
        if kind == STRING:
            self.text()
        elif kind == ARRAY:
            inner, count = self.unpack("I"), self.unpack("Q")
            for _ in range(count):
                self.value(inner)
        else:
            self.at += SIZES[kind]
        return self.data[start:self.at]


def pack_text(text):
    return struct.pack("<Q", len(text)) + text


def with_special_tokens(raw):
    cursor = Cursor(raw)
    head = raw[:12]
    cursor.at = 12
    tokens = [cursor.text() for _ in range(struct.unpack_from("<Q", raw, 4)[0])]
    for name, index in SPECIAL.items():
        tokens[index] = name
    return head + b"".join(map(pack_text, tokens))


def with_control_types(raw):
    changed = bytearray(raw)
    for index in SPECIAL.values():
        struct.pack_into("<i", changed, 12 + 4 * index, CONTROL)
    return bytes(changed)


def make(path):
    """Writes the model to `path`. Layout: GGUF 3, metadata, tensor table, aligned tensor data."""
    cursor = Cursor(SOURCE.read_bytes())
    assert cursor.data[:4] == b"GGUF"
    cursor.at = 8
    n_tensors, n_values = cursor.unpack("Q"), cursor.unpack("Q")
    out = []
    for _ in range(n_values):
        key = cursor.text()
        kind = cursor.unpack("I")
        raw = cursor.value(kind)
        if key == b"tokenizer.ggml.tokens":
            raw = with_special_tokens(raw)
        elif key == b"tokenizer.ggml.token_type":
            raw = with_control_types(raw)
        elif key == b"tokenizer.ggml.eos_token_id":
            raw = struct.pack("<I", SPECIAL[b"<|im_end|>"])
        out.append(pack_text(key) + struct.pack("<I", kind) + raw)
    out.append(pack_text(b"tokenizer.chat_template") + struct.pack("<I", STRING) +
               pack_text(TEMPLATE.encode()))
    table = cursor.at
    for _ in range(n_tensors):
        cursor.text()
        dimensions = cursor.unpack("I")
        cursor.at += 8 * dimensions + 4 + 8  # sizes, type, offset
    infos = cursor.data[table:cursor.at]
    data = cursor.data[(cursor.at + 31) // 32 * 32:]
    head = b"GGUF" + struct.pack("<IQQ", 3, n_tensors, n_values + 1) + b"".join(out) + infos
    path.write_bytes(head + bytes(-len(head) % 32) + data)

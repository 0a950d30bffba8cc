#!/usr/bin/env python3
"""Logits of every position from llama.cpp (pip install llama-cpp-python).

    llama_cpp_logits.py MODEL.gguf IDS.json OUT.f32 [THREADS]
"""
import json
import sys

import llama_cpp
import numpy as np


def main():
    ids = json.load(open(sys.argv[2]))
    threads = int(sys.argv[4]) if len(sys.argv) > 4 else 2
    llama = llama_cpp.Llama(sys.argv[1], n_ctx=len(ids) + 8, n_batch=len(ids), n_ubatch=512,
                            logits_all=True, n_threads=threads, n_threads_batch=threads, verbose=False)
    batch = llama_cpp.llama_batch_init(len(ids), 0, 1)
    batch.n_tokens = len(ids)
    for i, token in enumerate(ids):
        batch.token[i], batch.pos[i], batch.n_seq_id[i], batch.logits[i] = token, i, 1, 1
        batch.seq_id[i][0] = 0
    assert llama_cpp.llama_decode(llama._ctx.ctx, batch) == 0
    vocabulary = llama.n_vocab()
    with open(sys.argv[3], "wb") as out:
        for i in range(len(ids)):
            row = llama_cpp.llama_get_logits_ith(llama._ctx.ctx, i)
            out.write(np.ctypeslib.as_array(row, (vocabulary,)).astype("<f4").tobytes())


if __name__ == "__main__":
    main()

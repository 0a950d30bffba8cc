#!/usr/bin/env python3
"""Hidden states after the last norm, by the float32 pass of forward_numpy.py: of the last token, and the
mean of all, for the tiny models and ids.json.

    pip install numpy
    tests/reference/embeddings.py > NEW && mv NEW tests/reference/data/embeddings.json

With MODEL.gguf TEXT_IDS.json as arguments: prints the two vectors of that model and those ids.
"""
import json
import sys

from forward_numpy import hidden
from gguf_numpy import Gguf

DATA = "tests/reference/data/"


def vectors(model, ids):
    states = hidden(Gguf(model), ids).astype("f8")
    digits = lambda row: [float(f"{value:.8g}") for value in row]
    return {"last": digits(states[-1]), "mean": digits(states.mean(0))}


def main():
    if len(sys.argv) == 3:
        print(json.dumps(vectors(sys.argv[1], json.load(open(sys.argv[2])))))
        return
    ids = json.load(open(DATA + "ids.json"))
    print(json.dumps({name: vectors(f"{DATA}{name}.gguf", ids)
                      for name in ("tiny_llama", "tiny_qwen2", "tiny_bitnet")}))


if __name__ == "__main__":
    main()

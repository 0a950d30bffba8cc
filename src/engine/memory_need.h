// How much memory a model will take, worked out from its header before anything is allocated: what
// a load is refused by, and what is printed beside the memory that a running model really takes.
#pragma once

#include <cstdint>
#include <string>

#include "engine/hyperparameters.h"
#include "gguf/file.h"

namespace tophand::engine {

// Bytes by part. All are resident once the context has been filled; before that cache and scratch
// are only partly so.
struct MemoryNeed {
  std::int64_t weights = 0;  // packed matrices
  std::int64_t vectors = 0;  // norms and biases, as float32
  std::int64_t cache = 0;    // keys and values of the whole context, recurrent states
  std::int64_t scratch = 0;  // activations and logits
  std::int64_t tokenizer = 0;

  std::int64_t total() const { return weights + vectors + cache + scratch + tokenizer; }
};

// "weights 0.9 GiB, context of 8192 tokens 230 MiB, ..."
std::string describe(const MemoryNeed& need, std::int64_t context_tokens);

// The parts that come from the header alone (weights are what WeightLoader counted).
std::int64_t tokenizer_bytes(const gguf::File& file);

}  // namespace tophand::engine

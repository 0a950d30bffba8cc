// The numbers that shape a transformer, read from a GGUF header, bounded and checked against each
// other: nothing that is a divisor is zero, every product below fits 64 bits.
#pragma once

#include <cstdint>
#include <string>

#include "base/result.h"
#include "engine/rope.h"
#include "gguf/file.h"

namespace tophand::engine {

// Symbols as in model.h: d width, L layers, h query heads, kv KV heads, hd head size, ff FFN
// width, V vocabulary.
struct Hyperparameters {
  std::string architecture;
  std::uint64_t layers = 0;          // L
  std::uint64_t width = 0;           // d
  std::uint64_t ffn_width = 0;       // ff
  std::uint64_t heads = 0;           // h
  std::uint64_t kv_heads = 0;        // kv; divides h
  std::uint64_t head_size = 0;       // hd
  std::uint64_t vocabulary = 0;      // V
  std::int64_t context_trained = 0;  // tokens
  Rope rope;
  float norm_eps = 1e-5f;
  float attention_scale = 0.0f;  // of q k^T; 1 / sqrt(hd) unless the file says otherwise
  // A token attends to this many positions, its own included; 0: to all before it.
  std::uint64_t sliding_window = 0;
  // MiniCPM: factors of the embedding, of what each sub-layer adds, and of the logits.
  float embedding_scale = 1.0f, residual_scale = 1.0f, logit_scale = 1.0f;

  std::uint64_t query_width() const { return heads * head_size; }
  std::uint64_t kv_width() const { return kv_heads * head_size; }
};

// kInvalid, naming the key, when a value is missing, out of range or contradicts another, or asks
// for something the engine does not run (experts, windows on some layers only).
Result<Hyperparameters> read_hyperparameters(const gguf::File& file);

}  // namespace tophand::engine

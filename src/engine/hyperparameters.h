// The numbers that shape a transformer, read from a GGUF header, bounded and checked against each
// other: nothing that is a divisor is zero, every product below fits 64 bits.
#pragma once

#include <algorithm>
#include <cstdint>
#include <string>
#include <vector>

#include "base/result.h"
#include "engine/rope.h"
#include "gguf/file.h"

namespace tophand::engine {

// A gated delta net (qwen35), one a recurrent layer.
struct DeltaNetShape {
  std::uint64_t taps = 0;         // of the convolution
  std::uint64_t key_heads = 0;    // query heads, too
  std::uint64_t value_heads = 0;  // a multiple of the key heads; 0: the model has no such layers
  std::uint64_t key_size = 0, value_size = 0;  // of a head
  bool values_by_key_head = false;  // the order in which the output matrix takes the value heads

  std::uint64_t inner() const { return value_heads * value_size; }
  // What the convolution runs over: all queries, all keys, all values.
  std::uint64_t channels() const { return 2 * key_heads * key_size + inner(); }
  // State of one layer: the convolution's last inputs, then a matrix a value head.
  std::uint64_t history_floats() const { return value_heads > 0 ? (taps - 1) * channels() : 0; }
  std::uint64_t state_floats() const { return history_floats() + inner() * key_size; }
};

// Symbols as in model.h: d width, L layers, h query heads, kv KV heads, hd head size, ff FFN
// width, V vocabulary.
struct Hyperparameters {
  std::string architecture;
  std::uint64_t layers = 0;          // L, of the trunk
  std::uint64_t predictors = 0;      // blocks after the trunk, for multi-token prediction: left out
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

  DeltaNetShape delta;
  std::vector<bool>
      recurrent;  // which layers keep a state instead of keys and values; may be empty

  bool is_recurrent(std::uint64_t layer) const { return !recurrent.empty() && recurrent[layer]; }
  std::uint64_t recurrent_layers() const {
    return static_cast<std::uint64_t>(std::count(recurrent.begin(), recurrent.end(), true));
  }
  std::uint64_t attention_layers() const { return layers - recurrent_layers(); }
  // Float32 numbers that a sequence keeps beside its keys and values.
  std::uint64_t state_floats() const { return recurrent_layers() * delta.state_floats(); }

  std::uint64_t query_width() const { return heads * head_size; }
  std::uint64_t kv_width() const { return kv_heads * head_size; }
};

// kInvalid, naming the key, when a value is missing, out of range or contradicts another, or asks
// for something the engine does not run (experts, windows on some layers only).
Result<Hyperparameters> read_hyperparameters(const gguf::File& file);

}  // namespace tophand::engine

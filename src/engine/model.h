// A loaded model: header, tokenizer, packed weights. Immutable once loaded; shared by sessions.
// Symbols used in engine/: d width, L layers, h query heads, kv KV heads, hd head size, ff FFN
// width, V vocabulary, T tokens, P positions in the cache.
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <string>

#include "base/result.h"
#include "engine/memory_need.h"
#include "kernels/cpu.h"
#include "text/chat_template.h"
#include "text/tokenizer.h"

namespace tophand::engine {

struct LoadOptions {
  std::string path;
  int threads = 0;                    // 0: physical cores
  std::int64_t context_tokens = 0;    // 0: min(8192, what the model was trained for)
  std::int64_t memory_bytes_max = 0;  // 0: the machine's free memory
  std::string kernel;                 // force an instruction set
  std::string chat_template = {};     // force a built-in one
  std::string pre_tokenizer = {};     // force a built-in one
  bool context_bounded = false;       // more context than a model was trained for becomes that
};

// Which hidden states make the embedding of a text (<arch>.pooling_type of GGUF). Models that say
// nothing, as all that are made for chat, give their last token's, as Ollama has it.
enum class Pooling : std::uint8_t { kLast, kMean, kFirst, kRank };  // kRank: scores, no embeddings

struct ModelInfo {
  std::string architecture, name, quantization, kernel, chat_template;
  std::int64_t parameters = 0, file_bytes = 0, resident_bytes = 0;
  std::int64_t context_tokens = 0, context_trained = 0, vocabulary = 0, width = 0;
  Pooling pooling = Pooling::kLast;
  bool embeds_only = false;  // its file says how it pools: it was trained for that, not to answer
  int threads = 0;
  MemoryNeed memory;  // as predicted before loading; resident_bytes is its total
  // What one token costs: products of weights and activations in the layers' matrices and in the
  // output matrix; bytes of the cache that each earlier position adds to what is read; bytes of
  // recurrent states.
  std::int64_t layer_products = 0, head_products = 0;
  std::int64_t cache_bytes_per_position = 0, state_bytes = 0;
};

// What the header alone says about running a model.
struct Prospects {
  MemoryNeed memory;  // what load() would find that it needs
  // Whether it could answer chats. kInvalid: it makes embeddings only, or its chat template or
  // pre-tokenizer is unknown and none is forced.
  Result<> chats;
};

class Model {
 public:
  virtual ~Model() = default;
  // Reads, checks and packs. progress gets 0..1. kNotFound, kInvalid (not a GGUF, unknown type or
  // architecture: named, with what would run it), kTooLarge (does not fit: with the numbers).
  static Result<std::unique_ptr<Model>> load(const LoadOptions& options,
                                             const std::function<void(double)>& progress);
  // Nothing is packed. load()'s errors, but for kTooLarge and weights that are no numbers.
  static Result<Prospects> examine(const LoadOptions& options);
  virtual const ModelInfo& info() const = 0;
  virtual const text::Tokenizer& tokenizer() const = 0;
  virtual Result<text::TemplateKind> chat_template() const = 0;  // kInvalid: unknown template
};

}  // namespace tophand::engine

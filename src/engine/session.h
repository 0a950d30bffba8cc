// One sequence being worked on: its KV cache and position. One thread calls it; it uses the model's
// thread pool inside.
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <span>

#include "base/result.h"
#include "engine/model.h"

namespace tophand::engine {

inline constexpr std::size_t kTogetherMax = 16;  // sequences in one forward_together()

class Session {
 public:
  virtual ~Session() = default;
  // Allocates the KV cache (2 * L * kv * hd * context float16) and recurrent states. kTooLarge with
  // the numbers.
  static Result<std::unique_ptr<Session>> create(const Model& model);

  virtual std::int64_t position() const = 0;  // tokens in the cache
  virtual std::int64_t context_tokens() const = 0;
  // Forgets everything from `position` on and returns where the sequence now ends: there, or
  // earlier when the model has recurrent layers, whose state can only go back to a copy that was
  // kept, or to the beginning.
  virtual std::int64_t truncate(std::int64_t position) = 0;

  // Runs `tokens` from the current position, in chunks. `keep_going(done)` is asked between chunks:
  // false stops with kCancelled, the cache holding what was done. Afterwards logits() is that of
  // the last token. kTooLarge when they do not fit the context; kInvalid on a token outside V.
  virtual Result<> forward(std::span<const text::TokenId> tokens,
                           const std::function<bool(std::int64_t done)>& keep_going) = 0;
  // As forward, but gives the logits [V] of every position to `sink` in order (perplexity, tests).
  virtual Result<> forward_all(
      std::span<const text::TokenId> tokens,
      const std::function<void(std::int64_t index, std::span<const float>)>& sink) = 0;

  // As forward, but gives the hidden state [d] of every position, after the last norm, to `sink` in
  // order (embeddings). logits() stays what it was.
  virtual Result<> forward_hidden(
      std::span<const text::TokenId> tokens,
      const std::function<bool(std::int64_t done)>& keep_going,
      const std::function<void(std::int64_t index, std::span<const float>)>& sink) = 0;

  // Runs one token of each of several sequences of one model together, each from its own position:
  // their products read the weights once, so up to eight cost little more than one. Afterwards each
  // session's logits() is that of its token, as forward() would give it. Sessions are distinct, 1
  // to kTogetherMax. Errors as forward's, and then no sequence has moved.
  static Result<> forward_together(std::span<Session* const> sessions,
                                   std::span<const text::TokenId> tokens);

  virtual std::span<const float> logits() const = 0;  // [V], of the last token run
};

}  // namespace tophand::engine

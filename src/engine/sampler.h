// From logits to a token, in llama.cpp's order: penalties, top-k, top-p, min-p, temperature.
// Deterministic for a seed.
#pragma once

#include <cstdint>
#include <span>
#include <utility>
#include <vector>

#include "base/random.h"
#include "text/tokenizer.h"

namespace tophand::engine {

struct SamplingParams {
  float temperature = 0.0f;  // 0: greedy
  std::int32_t top_k = 40;   // 0: off
  float top_p = 0.95f;       // 1: off
  float min_p = 0.05f;       // 0: off
  float repeat_penalty = 1.0f;
  std::int32_t repeat_last_n = 64;
  float presence_penalty = 0.0f, frequency_penalty = 0.0f;
  std::uint64_t seed = 0;
};

class Sampler {
 public:
  Sampler(const SamplingParams& params, const text::Tokenizer& tokenizer);
  // logits: [V]. Ids that the tokenizer marks unused are never chosen.
  text::TokenId sample(std::span<const float> logits);
  void accept(text::TokenId token);  // remembers it for the penalties; prompt tokens too

 private:
  void penalise(std::vector<float>& logits) const;
  text::TokenId greedy() const;  // over adjusted_
  text::TokenId draw();          // one of candidates_, by probability

  SamplingParams params_;
  std::vector<text::TokenId> never_;  // ids the tokenizer marks unused
  SplitMix64 random_;
  std::vector<text::TokenId> recent_;  // the last repeat_last_n, oldest first
  std::vector<float> adjusted_;        // [V] logits after the penalties
  std::vector<std::pair<float, text::TokenId>> candidates_;
};

}  // namespace tophand::engine

// For tests: a tokenizer of single bytes and a session that says what the test wrote down.
#pragma once

#include <algorithm>
#include <functional>
#include <limits>
#include <memory>
#include <span>
#include <string>
#include <vector>

#include "engine/session.h"
#include "text/byte_alphabet.h"
#include "text/tokenizer.h"

namespace tophand::engine {

// One token a byte, then the special ones.
inline constexpr text::TokenId kStart = 256, kEnd = 257, kCall = 258, kCallEnd = 259, kUnused = 260;
inline constexpr std::size_t kVocabulary = 261;

inline std::unique_ptr<text::Tokenizer> byte_tokenizer() {
  text::TokenizerSpec spec;
  spec.model = "gpt2";
  spec.pre = "qwen2";
  for (int b = 0; b < 256; ++b)
    spec.tokens.emplace_back(text::spell_byte(static_cast<std::uint8_t>(b)));
  spec.types.assign(256, 1);
  for (const char* special : {"<|im_start|>", "<|im_end|>", "<tool_call>", "</tool_call>", "[PAD]"})
    spec.tokens.emplace_back(special);
  for (const int type : {3, 3, 4, 4, 5}) spec.types.push_back(type);
  spec.eos = kEnd;
  return std::move(*text::Tokenizer::create(std::move(spec)));
}

// A model that says what the test wrote down, whatever it is asked.
class ScriptedSession final : public Session {
 public:
  std::vector<text::TokenId> script;  // the answer, one a forward call
  std::vector<text::TokenId> cache;
  std::vector<std::vector<text::TokenId>> runs;                   // what each forward call got
  std::size_t numbers = std::numeric_limits<std::size_t>::max();  // calls after which all is NaN
  std::int64_t context = 4096;
  std::size_t chunk = 16;
  std::size_t copies_every =
      1;  // goes back to multiples of it only, as recurrent layers may have to
  std::function<void()> on_forward = [] {};

  void say(const std::string& answer) {
    script.clear();
    for (const char c : answer) script.push_back(static_cast<std::uint8_t>(c));
    script.push_back(kEnd);
    said_ = 0;
  }
  std::int64_t position() const override { return static_cast<std::int64_t>(cache.size()); }
  std::int64_t context_tokens() const override { return context; }
  std::int64_t truncate(std::int64_t position) override {
    const auto wanted = static_cast<std::size_t>(position);
    if (wanted < cache.size()) cache.resize(wanted / copies_every * copies_every);
    return this->position();
  }
  Result<> forward(std::span<const text::TokenId> tokens,
                   const std::function<bool(std::int64_t)>& keep_going) override {
    runs.emplace_back(tokens.begin(), tokens.end());
    on_forward();
    for (std::size_t at = 0; at < tokens.size(); at += chunk) {
      if (at > 0 && keep_going && !keep_going(static_cast<std::int64_t>(at)))
        return fail(Code::kCancelled, "stopped");
      for (std::size_t i = at; i < std::min(at + chunk, tokens.size()); ++i)
        cache.push_back(tokens[i]);
    }
    logits_.assign(kVocabulary, said_ < numbers ? 0.0f : std::numeric_limits<float>::quiet_NaN());
    if (said_ >= numbers) return {};
    const text::TokenId next = said_ < script.size() ? script[said_] : kEnd;
    ++said_;
    logits_[static_cast<std::size_t>(next)] = 10.0f;
    return {};
  }
  Result<> forward_all(std::span<const text::TokenId>,
                       const std::function<void(std::int64_t, std::span<const float>)>&) override {
    return fail(Code::kBug, "not used here");
  }
  // The state of a token is {its number, its position}.
  Result<> forward_hidden(
      std::span<const text::TokenId> tokens, const std::function<bool(std::int64_t)>& keep_going,
      const std::function<void(std::int64_t, std::span<const float>)>& sink) override {
    const std::size_t begin = cache.size();
    TOPHAND_CHECK("run", forward(tokens, keep_going));
    for (std::size_t i = 0; i < tokens.size(); ++i) {
      const float state[] = {static_cast<float>(tokens[i]), static_cast<float>(begin + i)};
      sink(static_cast<std::int64_t>(i), state);
    }
    return {};
  }
  std::span<const float> logits() const override { return logits_; }

 private:
  std::vector<float> logits_;
  std::size_t said_ = 0;
};

}  // namespace tophand::engine

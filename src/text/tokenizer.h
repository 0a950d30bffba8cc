// Byte-level BPE, as in `tokenizer.ggml.model = "gpt2"` files: special tokens are cut out first,
// then a hand-written linear scanner splits the text (no regular expressions), then bytes are
// merged by rank. Immutable after creation; any thread may call encode and piece.
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"

namespace tophand::text {

using TokenId = std::int32_t;

enum class TokenType : std::uint8_t {
  kNormal = 1, kUnknown = 2, kControl = 3, kUserDefined = 4, kUnused = 5, kByte = 6,
};

// What a GGUF file says about its tokenizer; filled by engine/.
struct TokenizerSpec {
  std::string model;  // "gpt2"
  std::string pre;    // "qwen2", "llama-bpe", "smollm", ...
  std::vector<std::string> tokens;
  std::vector<std::int32_t> types;   // [tokens] or empty: all normal
  std::vector<std::string> merges;   // "left right", best first
  std::optional<TokenId> bos, eos, eot, pad, unknown;
  std::optional<bool> add_bos;       // absent: the pre-tokenizer's default
};

enum class SpecialTokens : std::uint8_t {
  kAsText,  // user text: "<|im_end|>" in it is spelled out, so it cannot forge a turn
  kParse,   // template text: special tokens become their ids
};

class Tokenizer {
 public:
  virtual ~Tokenizer() = default;

  // kInvalid: unknown model or pre-tokenizer (the message lists those that are known), ids out of
  // range, a merge whose parts are not tokens.
  static Result<std::unique_ptr<Tokenizer>> create(TokenizerSpec spec);

  // Appends to `out`. Linear in text.size(). Never adds BOS by itself. Any bytes are accepted.
  virtual void encode(std::string_view text, SpecialTokens special,
                      std::vector<TokenId>& out) const = 0;

  // The raw bytes a token stands for; control tokens give "" unless `show_control`.
  virtual std::string piece(TokenId id, bool show_control = false) const = 0;

  virtual std::int32_t vocabulary_size() const = 0;
  virtual std::optional<TokenId> bos() const = 0;
  virtual bool add_bos() const = 0;
  virtual bool is_end_of_generation(TokenId id) const = 0;  // eos, eot and their kin
  virtual bool is_sampled(TokenId id) const = 0;            // false for padding (unused) ids
  virtual std::optional<TokenId> find(std::string_view token_text) const = 0;
};

// Gives out text only in whole UTF-8 code points: bytes of an unfinished one wait for the next
// token. flush() gives what is left, invalid bytes as U+FFFD.
class Utf8Buffer {
 public:
  std::string push(std::string_view bytes);
  std::string flush();

 private:
  std::string pending_;
};

}  // namespace tophand::text

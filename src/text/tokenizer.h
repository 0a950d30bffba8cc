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
#include "text/segment.h"

namespace tophand::text {

using TokenId = std::int32_t;

enum class TokenType : std::uint8_t {
  kNormal = 1,
  kUnknown = 2,
  kControl = 3,
  kUserDefined = 4,
  kUnused = 5,
  kByte = 6,
};

// What a GGUF file says about its tokenizer; filled by engine/.
struct TokenizerSpec {
  std::string model;  // "gpt2"
  std::string pre;    // "qwen2", "llama-bpe", "smollm", ...; "" when the file has none
  std::vector<std::string> tokens;
  std::vector<std::int32_t> types;  // [tokens] or empty: all normal
  std::vector<std::string> merges;  // "left right", best first
  std::optional<TokenId> bos, eos, eot, pad, unknown;
  std::optional<bool> add_bos;  // absent: the pre-tokenizer's default
};

enum class SpecialTokens : std::uint8_t {
  kAsText,  // user text: "<|im_end|>" in it is spelled out, so it cannot forge a turn (tokens of
            // type kUserDefined are no turn markers and count in either case)
  kParse,   // template text: special tokens become their ids
};

class Tokenizer {
 public:
  virtual ~Tokenizer() = default;

  // kInvalid: unknown model or pre-tokenizer (the message lists those that are known; an empty name
  // is pre_tokenizer_when_absent()), ids out of range, a merge whose parts or result are no tokens.
  static Result<std::unique_ptr<Tokenizer>> create(TokenizerSpec spec);

  // Appends to `out`. Never adds BOS by itself. Any bytes are accepted: those that are not UTF-8
  // keep their value and are split like U+FFFD; a byte the vocabulary has no token for is left out.
  // Time: linear in text.size(), but for n log n within one piece (a run of one letter, say).
  virtual void encode(std::string_view text, SpecialTokens special,
                      std::vector<TokenId>& out) const = 0;

  // A prompt from a chat template. Control tokens count only where they lie whole within one
  // trusted segment; between special tokens the text is split as one, across segments, so that the
  // ids are those of the joined text. User-defined tokens count everywhere, as they do for encode.
  virtual void encode(std::span<const Segment> segments, std::vector<TokenId>& out) const = 0;

  // The raw bytes a token stands for; control tokens give "" unless `show_control`. "" for unused
  // ids and for ids outside the vocabulary.
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

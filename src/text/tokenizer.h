// Text to tokens and back: byte-level BPE (`tokenizer.ggml.model` = "gpt2") and SentencePiece BPE
// ("llama"). Special tokens are cut out first, what lies between is merged (bpe.h); for byte-level
// BPE a hand-written linear scanner splits it before (pretokenizer.h; no regular expressions).
// Immutable after creation; any thread may call every function.
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
  std::string model;  // "gpt2" or "llama"
  std::string pre;    // "qwen2", "llama-bpe", "smollm", ...; "" when the file has none
  std::vector<std::string> tokens;
  std::vector<std::int32_t> types;  // [tokens] or empty: all normal
  std::vector<std::string> merges;  // "left right", best first; gpt2
  std::vector<float> scores;        // [tokens]; llama
  std::optional<TokenId> bos, eos, eot, eom, pad, unknown;
  std::optional<bool> add_bos;           // absent: true for llama, and for gpt2 with llama-bpe
  std::optional<bool> add_eos;           // absent: false
  std::optional<bool> add_space_prefix;  // llama: a text begins with a space; absent: true
};

enum class SpecialTokens : std::uint8_t {
  kAsText,  // user text: "<|im_end|>" in it is spelled out, so it cannot forge a turn (tokens of
            // type kUserDefined are no turn markers and count in either case)
  kParse,   // template text: special tokens become their ids
};

class Tokenizer {
 public:
  virtual ~Tokenizer() = default;

  // All that create() refuses but an unknown pre-tokenizer, for which another can be named:
  // kInvalid for an unknown model (the message lists those that are known), ids out of range,
  // merges that are missing or no pairs, no byte that is a token, scores that are missing or not
  // numbers. Linear, some milliseconds for a large vocabulary.
  static Result<> check(const TokenizerSpec& spec);

  // kInvalid: what check() refuses, an unknown pre-tokenizer (an empty name is
  // pre_tokenizer_when_absent()).
  static Result<std::unique_ptr<Tokenizer>> create(TokenizerSpec spec);

  // Appends to `out`. Never adds BOS by itself. Any bytes are accepted: those that are not UTF-8
  // keep their value (gpt2: split like U+FFFD; llama: a byte token each). What the vocabulary has
  // no token for is left out (gpt2) or becomes the unknown token (llama).
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

  // What was encoded, byte for byte, special tokens included. Exceptions: what had no token, U+2581
  // in a llama text (it means a space there), and white space that belonged to a special token.
  virtual std::string decode(std::span<const TokenId> ids) const = 0;

  // True when a text's first word, and the one behind a control token, carries a space that the
  // text does not have; decode() leaves it out, piece() cannot know.
  virtual bool marks_first_word() const = 0;

  virtual std::int32_t vocabulary_size() const = 0;
  virtual std::optional<TokenId> bos() const = 0;
  virtual std::optional<TokenId> eos() const = 0;
  virtual bool add_bos() const = 0;
  virtual bool add_eos() const = 0;  // for texts that are finished; never behind a prompt
  virtual bool is_end_of_generation(TokenId id) const = 0;  // eos, eot, eom and kin
  virtual bool is_sampled(TokenId id) const = 0;            // false for padding (unused) ids
  virtual std::optional<TokenId> find(std::string_view token_text) const = 0;
};

// Gives out text only in whole UTF-8 code points: bytes of an unfinished one wait for the next
// token, and are left out where none comes. Invalid bytes become U+FFFD.
class Utf8Buffer {
 public:
  std::string push(std::string_view bytes);

 private:
  std::string pending_;
};

}  // namespace tophand::text

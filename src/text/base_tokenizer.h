// What all tokenizers of text/ share: the vocabulary with its types, special tokens and ends, and
// the walk over a prompt that cuts special tokens out. A tokenizer adds how plain text becomes ids
// and back. Internal to text/; others use tokenizer.h.
#pragma once

#include <memory>
#include <string>
#include <string_view>
#include <unordered_map>
#include <utility>
#include <vector>

#include "text/bpe.h"
#include "text/pretokenizer.h"
#include "text/special_tokens.h"
#include "text/tokenizer.h"

namespace tophand::text {

// Longest run of bytes that is merged as one piece: symbols are numbered in 32 bits.
inline constexpr std::size_t kPieceBytesMax = std::size_t{1} << 30;

// What lies before or behind a stretch of plain text.
enum class Neighbour : std::uint8_t { kEdge, kControl, kUserDefined };

// Text from a file as it may go into messages and logs: cut, and '?' for all but plain ASCII.
std::string quoted(std::string_view text);

inline TokenType type_in(const TokenizerSpec& spec, std::size_t id) {
  return spec.types.empty() ? TokenType::kNormal : static_cast<TokenType>(spec.types[id]);
}
constexpr bool is_special_type(TokenType type) {
  return type == TokenType::kControl || type == TokenType::kUserDefined ||
         type == TokenType::kUnknown;
}
// Files leave the type of a normal token at 0 at times.
constexpr bool is_mergeable_type(TokenType type) {
  return type <= TokenType::kNormal;
}

class BaseTokenizer : public Tokenizer {
 public:
  explicit BaseTokenizer(TokenizerSpec spec)
      : spec_(std::move(spec)), merges_(spec_.merges.size()) {}

  void encode(std::string_view text, SpecialTokens special,
              std::vector<TokenId>& out) const override;
  void encode(std::span<const Segment> segments, std::vector<TokenId>& out) const override;
  std::string piece(TokenId id, bool show_control) const override;
  std::string decode(std::span<const TokenId> ids) const override;

  std::int32_t vocabulary_size() const override {
    return static_cast<std::int32_t>(spec_.tokens.size());
  }
  std::optional<TokenId> bos() const override { return spec_.bos; }
  std::optional<TokenId> eos() const override { return spec_.eos; }
  bool add_eos() const override { return spec_.eos && spec_.add_eos.value_or(false); }
  bool is_end_of_generation(TokenId id) const override;
  bool is_sampled(TokenId id) const override {
    return in_range(id) && type(id) != TokenType::kUnused;
  }
  std::optional<TokenId> find(std::string_view token_text) const override {
    const auto found = ids_.find(token_text);
    return found == ids_.end() ? std::nullopt : std::optional<TokenId>(found->second);
  }

 protected:
  // The first step of construction: the maps that everything else reads.
  void build_vocabulary();

  // Appends the ids of text that lies between special tokens. Called with empty text too.
  virtual void encode_plain(std::string_view text, Neighbour before, Neighbour after,
                            BpeMerger& merger, std::vector<TokenId>& out) const = 0;
  // The bytes that a normal or byte token stands for.
  virtual std::string plain_bytes(TokenId id) const = 0;
  // True when white space behind this special token belongs to it.
  virtual bool takes_white_space(TokenId) const { return false; }

  bool in_range(TokenId id) const {
    return id >= 0 && static_cast<std::size_t>(id) < spec_.tokens.size();
  }
  const std::string& token(TokenId id) const { return spec_.tokens[static_cast<std::size_t>(id)]; }
  TokenType type(TokenId id) const { return type_in(spec_, static_cast<std::size_t>(id)); }
  bool is_special(TokenId id) const { return is_special_type(type(id)); }

  TokenizerSpec spec_;  // merges and scores are given up once they are in merges_
  MergeTable merges_;

 private:
  class Walk;

  std::unordered_map<std::string_view, TokenId> ids_;  // views into spec_.tokens
  SpecialTokenTrie specials_;
  std::vector<TokenId> ends_;  // sorted
};

// What is special to the two kinds, of Tokenizer::check().
Result<> check_byte_bpe(const TokenizerSpec& spec);
Result<> check_sentencepiece(const TokenizerSpec& spec);

// The two kinds; `spec` has been checked.
Result<std::unique_ptr<Tokenizer>> make_byte_bpe(TokenizerSpec spec, PreTokenizer pre);
Result<std::unique_ptr<Tokenizer>> make_sentencepiece(TokenizerSpec spec);

}  // namespace tophand::text

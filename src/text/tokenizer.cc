#include "text/tokenizer.h"

#include <algorithm>
#include <array>
#include <unordered_map>
#include <utility>

#include "text/bpe.h"
#include "text/byte_alphabet.h"
#include "text/pretokenizer.h"
#include "text/special_tokens.h"

namespace tophand::text {
namespace {

// Texts of tokens that end an answer whatever the file's eos says: every family's own end-of-turn,
// and the file-level markers after which code models start an unrelated file.
constexpr std::array<std::string_view, 23> kEndOfGeneration{
    "<|eot_id|>",   "<|im_end|>",    "<|end|>",         "<|return|>",
    "<|call|>",     "<end_of_turn>", "<|endoftext|>",   "</s>",
    "<|eom_id|>",   "<EOT>",         "<|end_of_text|>", "<｜end▁of▁sentence｜>",
    "<|fim_pad|>",  "<fim-pad>",     "<fim_pad>",       "<PAD>",
    "<|fim_repo|>", "<|repo_name|>", "<fim-repo>",      "<REPO>",
    "<reponame>",   "<|file_sep|>",  "_<EOT>"};

// Longest run of bytes that is merged as one piece: symbols are numbered in 32 bits.
constexpr std::size_t kPieceBytesMax = std::size_t{1} << 30;

using TextToId = std::unordered_map<std::string_view, TokenId>;

std::string quoted(std::string_view text) {
  return "\"" + std::string(text.substr(0, 64)) + "\"";
}

Result<> check_id(const std::optional<TokenId>& id, std::size_t vocabulary, const char* name) {
  if (!id || (*id >= 0 && static_cast<std::size_t>(*id) < vocabulary)) return {};
  return fail(Code::kInvalid, std::string(name) + " token id " + std::to_string(*id) +
                                  " is outside the vocabulary of " + std::to_string(vocabulary));
}

Result<> check_spec(const TokenizerSpec& spec) {
  if (spec.model != "gpt2")
    return fail(Code::kInvalid, "unknown tokenizer model " + quoted(spec.model) +
                                    "; known is gpt2 (byte-level BPE)");
  if (spec.tokens.empty()) return fail(Code::kInvalid, "the vocabulary is empty");
  if (spec.tokens.size() > static_cast<std::size_t>(INT32_MAX) ||
      spec.merges.size() > static_cast<std::size_t>(INT32_MAX))
    return fail(Code::kTooLarge, "a vocabulary of more than 2^31-1 tokens or merges");
  if (!spec.types.empty() && spec.types.size() != spec.tokens.size())
    return fail(Code::kInvalid, "expected " + std::to_string(spec.tokens.size()) +
                                    " token types, found " + std::to_string(spec.types.size()));
  for (const std::int32_t type : spec.types)
    if (type < 0 || type > 6)
      return fail(Code::kInvalid, "unknown token type " + std::to_string(type));
  const std::size_t n = spec.tokens.size();
  TOPHAND_CHECK("tokenizer", check_id(spec.bos, n, "bos"));
  TOPHAND_CHECK("tokenizer", check_id(spec.eos, n, "eos"));
  TOPHAND_CHECK("tokenizer", check_id(spec.eot, n, "eot"));
  TOPHAND_CHECK("tokenizer", check_id(spec.pad, n, "padding"));
  return check_id(spec.unknown, n, "unknown");
}

// "left right" at the first space after the first character (which may itself be a space).
Result<> add_merge(const std::string& line, std::uint32_t rank, const TextToId& ids,
                   MergeTable& merges) {
  const std::size_t space = line.find(' ', 1);
  if (space == std::string::npos)
    return fail(Code::kInvalid, "merge " + std::to_string(rank) + " " + quoted(line) +
                                    " has no space between its parts");
  const std::string_view left(line.data(), space);
  const std::string_view right(line.data() + space + 1, line.size() - space - 1);
  const std::string joined = std::string(left) + std::string(right);
  const auto l = ids.find(left), r = ids.find(right), j = ids.find(joined);
  if (l == ids.end() || r == ids.end() || j == ids.end())
    return fail(Code::kInvalid, "merge " + std::to_string(rank) + " " + quoted(line) +
                                    " names a token that is not in the vocabulary");
  merges.add(l->second, r->second, {rank, j->second});
  return {};
}

class BpeTokenizer final : public Tokenizer {
 public:
  BpeTokenizer(TokenizerSpec spec, PreTokenizer pre)
      : spec_(std::move(spec)), pre_(pre), merges_(spec_.merges.size()) {}

  // The second half of construction, which can fail.
  Result<> build();

  void encode(std::string_view text, SpecialTokens special,
              std::vector<TokenId>& out) const override;
  void encode(std::span<const Segment> segments, std::vector<TokenId>& out) const override;
  std::string piece(TokenId id, bool show_control) const override;

  std::int32_t vocabulary_size() const override {
    return static_cast<std::int32_t>(spec_.tokens.size());
  }
  std::optional<TokenId> bos() const override { return spec_.bos; }
  bool add_bos() const override {
    return spec_.bos.has_value() && spec_.add_bos.value_or(pre_ == PreTokenizer::kLlama3);
  }
  bool is_end_of_generation(TokenId id) const override {
    return std::binary_search(ends_.begin(), ends_.end(), id);
  }
  bool is_sampled(TokenId id) const override {
    return in_range(id) && type(id) != TokenType::kUnused;
  }
  std::optional<TokenId> find(std::string_view token_text) const override {
    const auto found = ids_.find(token_text);
    return found == ids_.end() ? std::nullopt : std::optional<TokenId>(found->second);
  }

 private:
  bool in_range(TokenId id) const {
    return id >= 0 && static_cast<std::size_t>(id) < spec_.tokens.size();
  }
  TokenType type(TokenId id) const {
    return spec_.types.empty() ? TokenType::kNormal
                               : static_cast<TokenType>(spec_.types[static_cast<std::size_t>(id)]);
  }
  bool is_special(TokenId id) const {
    return type(id) == TokenType::kControl || type(id) == TokenType::kUserDefined ||
           type(id) == TokenType::kUnknown;
  }
  Result<> build_specials();
  void build_ends();

  // Text without special tokens: split into pieces, each merged.
  void encode_plain(std::string_view text, BpeMerger& merger, std::vector<TokenId>& out) const;
  void encode_piece(std::string_view bytes, BpeMerger& merger, std::vector<TokenId>& out) const;

  TokenizerSpec spec_;  // merges are given up once they are in merges_
  PreTokenizer pre_;
  TextToId ids_;  // views into spec_.tokens
  std::array<TokenId, 256> byte_ids_{};
  MergeTable merges_;
  SpecialTokenTrie specials_;
  std::vector<TokenId> ends_;  // sorted
};

Result<> BpeTokenizer::build() {
  ids_.reserve(spec_.tokens.size());
  for (std::size_t i = 0; i < spec_.tokens.size(); ++i)
    ids_.insert_or_assign(std::string_view(spec_.tokens[i]), static_cast<TokenId>(i));
  for (std::size_t b = 0; b < byte_ids_.size(); ++b)
    byte_ids_[b] = find(spell_byte(static_cast<std::uint8_t>(b))).value_or(-1);
  for (std::size_t i = 0; i < spec_.merges.size(); ++i)
    TOPHAND_CHECK("tokenizer",
                  add_merge(spec_.merges[i], static_cast<std::uint32_t>(i), ids_, merges_));
  spec_.merges = {};
  TOPHAND_CHECK("tokenizer", build_specials());
  build_ends();
  return {};
}

Result<> BpeTokenizer::build_specials() {
  for (TokenId id = 0; id < vocabulary_size(); ++id) {
    const std::string& token = spec_.tokens[static_cast<std::size_t>(id)];
    if (!is_special(id) || token.empty()) continue;
    if (token.size() > kSpecialTokenBytesMax)
      return fail(Code::kInvalid, "special token " + std::to_string(id) + " has " +
                                      std::to_string(token.size()) + " bytes, at most " +
                                      std::to_string(kSpecialTokenBytesMax) + " are read");
    specials_.add(token, id, type(id) != TokenType::kUserDefined);
  }
  return {};
}

void BpeTokenizer::build_ends() {
  for (const auto& id : {spec_.eos, spec_.eot})
    if (id) ends_.push_back(*id);
  // Only special tokens: "</s>" is an ordinary piece of HTML in vocabularies that do not use it.
  for (const std::string_view text : kEndOfGeneration)
    if (const auto id = find(text); id && is_special(*id)) ends_.push_back(*id);
  std::sort(ends_.begin(), ends_.end());
}

void BpeTokenizer::encode(std::string_view text, SpecialTokens special,
                          std::vector<TokenId>& out) const {
  BpeMerger merger(merges_);
  std::size_t plain = 0;
  for (std::size_t at = 0; at < text.size();) {
    const auto match = specials_.at(text, at, special == SpecialTokens::kParse);
    if (!match) {
      ++at;
      continue;
    }
    encode_plain(text.substr(plain, at - plain), merger, out);
    out.push_back(match->id);
    at += match->bytes;
    plain = at;
  }
  encode_plain(text.substr(plain), merger, out);
}

void BpeTokenizer::encode(std::span<const Segment> segments, std::vector<TokenId>& out) const {
  BpeMerger merger(merges_);
  std::string plain;
  for (const Segment& segment : segments) {
    const std::string_view text = segment.text;
    std::size_t copied = 0;
    for (std::size_t at = 0; at < text.size();) {
      const auto match = specials_.at(text, at, segment.trusted);
      if (!match) {
        ++at;
        continue;
      }
      plain += text.substr(copied, at - copied);
      encode_plain(plain, merger, out);
      plain.clear();
      out.push_back(match->id);
      at += match->bytes;
      copied = at;
    }
    plain += text.substr(copied);
  }
  encode_plain(plain, merger, out);
}

void BpeTokenizer::encode_plain(std::string_view text, BpeMerger& merger,
                                std::vector<TokenId>& out) const {
  for (std::size_t at = 0; at < text.size();) {
    const std::size_t end = std::min(piece_end(pre_, text, at), at + kPieceBytesMax);
    encode_piece(text.substr(at, end - at), merger, out);
    at = end;
  }
}

void BpeTokenizer::encode_piece(std::string_view bytes, BpeMerger& merger,
                                std::vector<TokenId>& out) const {
  // Llama 3 takes a piece that is a token as it is ("ignore_merges"): some of its tokens cannot be
  // reached by merging. Special tokens stay out of it, or text could spell them.
  constexpr std::size_t kTokenBytesMax = 1024;
  if (pre_ == PreTokenizer::kLlama3 && bytes.size() <= kTokenBytesMax) {
    std::string spelled;
    spell_bytes(bytes, spelled);
    if (const auto id = find(spelled); id && !is_special(*id)) {
      out.push_back(*id);
      return;
    }
  }
  std::vector<TokenId> symbols(bytes.size());
  std::transform(bytes.begin(), bytes.end(), symbols.begin(),
                 [this](char c) { return byte_ids_[static_cast<std::uint8_t>(c)]; });
  merger.merge(symbols, out);
}

std::string BpeTokenizer::piece(TokenId id, bool show_control) const {
  if (!in_range(id)) return {};
  const std::string& token = spec_.tokens[static_cast<std::size_t>(id)];
  switch (type(id)) {
    case TokenType::kControl:
    case TokenType::kUnknown:
      return show_control ? token : std::string();
    case TokenType::kUserDefined:
      return token;
    case TokenType::kUnused:
      return {};
    default:
      return unspell_bytes(token);
  }
}

}  // namespace

Result<std::unique_ptr<Tokenizer>> Tokenizer::create(TokenizerSpec spec) {
  TOPHAND_CHECK("tokenizer", check_spec(spec));
  if (spec.pre.empty()) spec.pre = pre_tokenizer_when_absent(spec.tokens.size());
  TOPHAND_TRY(pre, "tokenizer", pre_tokenizer_by_name(spec.pre));
  auto tokenizer = std::make_unique<BpeTokenizer>(std::move(spec), pre);
  TOPHAND_CHECK("tokenizer", tokenizer->build());
  return std::unique_ptr<Tokenizer>(std::move(tokenizer));
}

}  // namespace tophand::text

// SentencePiece BPE (`tokenizer.ggml.model` = "llama"): a text is one piece, a space is U+2581, the
// pair whose joined text has the best score is merged first, leftmost among equals, and what has no
// token is spelled as bytes (sentencepiece, src/bpe_model.cc; Kudo and Richardson 2018,
// arXiv:1808.06226).
#include <algorithm>
#include <array>
#include <cmath>

#include "text/base_tokenizer.h"
#include "text/unicode.h"

namespace tophand::text {
namespace {

constexpr std::string_view kSpaceMark = "\xE2\x96\x81";  // U+2581, LOWER ONE EIGHTH BLOCK
// A token of n characters is read at its n - 1 cuts, so its length bounds the time of a load.
// SentencePiece makes tokens of at most 16 characters unless it is told otherwise.
constexpr std::size_t kTokenBytesMax = 256;

// The byte that "<0x0A>" names.
std::optional<std::uint8_t> named_byte(std::string_view token) {
  if (token.size() != 6 || !token.starts_with("<0x") || token[5] != '>') return std::nullopt;
  int value = 0;
  for (const char c : token.substr(3, 2)) {
    const bool digit = c >= '0' && c <= '9', letter = c >= 'A' && c <= 'F';
    if (!digit && !letter) return std::nullopt;
    value = value * 16 + (digit ? c - '0' : c - 'A' + 10);
  }
  return static_cast<std::uint8_t>(value);
}

std::string replaced(std::string_view text, std::string_view from, std::string_view to) {
  std::string out;
  out.reserve(text.size());
  for (std::size_t at = 0; at < text.size();) {
    if (text.substr(at).starts_with(from)) {
      out += to;
      at += from.size();
    } else {
      out += text[at++];
    }
  }
  return out;
}

class SentencePieceTokenizer final : public BaseTokenizer {
 public:
  explicit SentencePieceTokenizer(TokenizerSpec spec) : BaseTokenizer(std::move(spec)) {}

  void build();  // the second half of construction

  bool add_bos() const override { return spec_.bos && spec_.add_bos.value_or(true); }
  bool marks_first_word() const override { return spec_.add_space_prefix.value_or(true); }

 private:
  void find_byte_tokens();
  void find_characters();
  void add_merges();
  void find_phi3_tokens();

  void encode_plain(std::string_view text, Neighbour before, Neighbour after, BpeMerger& merger,
                    std::vector<TokenId>& out) const override;
  std::string plain_bytes(TokenId id) const override;
  bool takes_white_space(TokenId id) const override {
    return std::binary_search(greedy_.begin(), greedy_.end(), id);
  }

  bool is_mergeable(TokenId id) const { return is_mergeable_type(type(id)); }
  std::optional<TokenId> symbol_of(std::string_view text) const;
  void push_bytes(std::string_view bytes, std::vector<TokenId>& out) const;
  void push_merged(const std::vector<TokenId>& merged, std::vector<TokenId>& out) const;

  std::array<TokenId, 256> byte_ids_{};
  // Single characters: a token's id, or, for one that only occurs inside of tokens, an id past the
  // vocabulary, so that it can be merged all the same.
  std::unordered_map<std::string_view, TokenId> characters_;  // views into spec_.tokens
  std::vector<std::string_view> extra_;                       // those past the vocabulary
  std::vector<TokenId> greedy_;                               // sorted
};

void SentencePieceTokenizer::build() {
  build_vocabulary();
  find_byte_tokens();
  find_characters();
  add_merges();
  find_phi3_tokens();
  spec_.scores = {};
}

void SentencePieceTokenizer::find_byte_tokens() {
  byte_ids_.fill(-1);
  for (TokenId id = 0; id < vocabulary_size(); ++id) {
    const bool may_be = type(id) == TokenType::kByte || spec_.types.empty();
    if (const auto byte = named_byte(token(id)); may_be && byte) byte_ids_[*byte] = id;
  }
}

void SentencePieceTokenizer::find_characters() {
  for (TokenId id = 0; id < vocabulary_size(); ++id) {
    if (!is_mergeable(id)) continue;
    const std::string_view text = token(id);
    for (std::size_t at = 0; at < text.size();) {
      const std::size_t bytes = decode_utf8(text, at).bytes;
      const std::string_view one = text.substr(at, bytes);
      at += bytes;
      if (characters_.contains(one)) continue;
      const auto whole = find(one);
      if (whole && is_mergeable(*whole)) {
        characters_.emplace(one, *whole);
      } else {
        characters_.emplace(one, vocabulary_size() + static_cast<TokenId>(extra_.size()));
        extra_.push_back(one);
      }
    }
  }
}

std::optional<TokenId> SentencePieceTokenizer::symbol_of(std::string_view text) const {
  if (const auto found = characters_.find(text); found != characters_.end()) return found->second;
  const auto id = find(text);
  return id && is_mergeable(*id) ? id : std::nullopt;
}

// A pair merges when its joined text is a token, whatever way that token came about. Equal scores
// share a rank, so that the leftmost of them is taken.
void SentencePieceTokenizer::add_merges() {
  std::vector<float> best(spec_.scores);
  std::sort(best.begin(), best.end(), std::greater<>());
  best.erase(std::unique(best.begin(), best.end()), best.end());
  for (TokenId id = 0; id < vocabulary_size(); ++id) {
    if (!is_mergeable(id) || find(token(id)) != id) continue;
    const float score = spec_.scores[static_cast<std::size_t>(id)];
    const auto place = std::lower_bound(best.begin(), best.end(), score, std::greater<>());
    const auto rank = static_cast<std::uint32_t>(place - best.begin());
    const std::string_view text = token(id);
    for (std::size_t cut = 0; cut < text.size();) {
      cut += decode_utf8(text, cut).bytes;
      const auto left = symbol_of(text.substr(0, cut)), right = symbol_of(text.substr(cut));
      if (left && right) merges_.add(*left, *right, {rank, id});
    }
  }
}

// Phi-3's turn markers take the white space behind them ("rstrip" in its tokenizer.json), which
// GGUF has no key for; the vocabulary is known by the markers themselves.
void SentencePieceTokenizer::find_phi3_tokens() {
  constexpr std::array<std::string_view, 4> kMarkers{"<|system|>", "<|user|>", "<|assistant|>",
                                                     "<|end|>"};
  for (const std::string_view marker : kMarkers) {
    const auto id = find(marker);
    if (!id || type(*id) != TokenType::kControl) return greedy_.clear();
    greedy_.push_back(*id);
  }
  std::sort(greedy_.begin(), greedy_.end());
}

void SentencePieceTokenizer::push_bytes(std::string_view bytes, std::vector<TokenId>& out) const {
  for (const char c : bytes) {
    const TokenId id = byte_ids_[static_cast<std::uint8_t>(c)];
    if (id >= 0) {
      out.push_back(id);
    } else if (spec_.unknown && (out.empty() || out.back() != *spec_.unknown)) {
      out.push_back(*spec_.unknown);  // one for a run of unknown characters
    }
  }
}

void SentencePieceTokenizer::push_merged(const std::vector<TokenId>& merged,
                                         std::vector<TokenId>& out) const {
  for (const TokenId id : merged) {
    const bool extra = id >= vocabulary_size();
    const bool again = id == spec_.unknown && !out.empty() && out.back() == id;
    if (extra) push_bytes(extra_[static_cast<std::size_t>(id - vocabulary_size())], out);
    else if (!again) out.push_back(id);
  }
}

void SentencePieceTokenizer::encode_plain(std::string_view text, Neighbour before, Neighbour after,
                                          BpeMerger& merger, std::vector<TokenId>& out) const {
  // SentencePiece puts a space in front of a text. A user-defined token is a part of one; a control
  // token is not, so what stands behind it is a text of its own, as in llama.cpp.
  const bool begins = before != Neighbour::kUserDefined && marks_first_word();
  if (text.empty() && !(begins && after == Neighbour::kUserDefined)) return;
  const std::string spelled =
      (begins ? std::string(kSpaceMark) : std::string()) + replaced(text, " ", kSpaceMark);
  std::vector<TokenId> symbols, merged;
  for (std::size_t at = 0; at < spelled.size();) {
    const std::size_t bytes = decode_utf8(spelled, at).bytes;
    const std::string_view one = std::string_view(spelled).substr(at, bytes);
    if (const auto found = characters_.find(one); found != characters_.end())
      symbols.push_back(found->second);
    else push_bytes(one, symbols);
    at += bytes;
    if (symbols.size() < kPieceBytesMax && at < spelled.size()) continue;
    merged.clear();
    merger.merge(symbols, merged);
    push_merged(merged, out);
    symbols.clear();
  }
}

std::string SentencePieceTokenizer::plain_bytes(TokenId id) const {
  const auto byte = named_byte(token(id));
  if (byte && byte_ids_[*byte] == id) return std::string(1, static_cast<char>(*byte));
  return replaced(token(id), kSpaceMark, " ");
}

}  // namespace

Result<> check_sentencepiece(const TokenizerSpec& spec) {
  if (spec.scores.size() != spec.tokens.size())
    return fail(Code::kInvalid, "expected " + std::to_string(spec.tokens.size()) +
                                    " token scores, found " + std::to_string(spec.scores.size()));
  for (std::size_t id = 0; id < spec.tokens.size(); ++id) {
    const std::string& token = spec.tokens[id];
    const TokenType type = type_in(spec, id);
    if (std::isnan(spec.scores[id]))
      return fail(Code::kInvalid, "token " + std::to_string(id) + "'s score is not a number");
    if (is_mergeable_type(type) && token.size() > kTokenBytesMax)
      return fail(Code::kInvalid, "token " + std::to_string(id) + " has " +
                                      std::to_string(token.size()) + " bytes, at most " +
                                      std::to_string(kTokenBytesMax) + " are read");
    if (type == TokenType::kByte && !named_byte(token))
      return fail(Code::kInvalid, "byte token " + std::to_string(id) + " is " + quoted(token) +
                                      ", expected <0x00> to <0xFF>");
  }
  return {};
}

Result<std::unique_ptr<Tokenizer>> make_sentencepiece(TokenizerSpec spec) {
  auto tokenizer = std::make_unique<SentencePieceTokenizer>(std::move(spec));
  tokenizer->build();
  return std::unique_ptr<Tokenizer>(std::move(tokenizer));
}

}  // namespace tophand::text

// Byte-level BPE (`tokenizer.ggml.model` = "gpt2"): text is split into pieces by a pre-tokenizer,
// the bytes of a piece are merged by rank.
#include <algorithm>
#include <array>

#include "text/base_tokenizer.h"
#include "text/byte_alphabet.h"
#include "text/unicode.h"

namespace tophand::text {
namespace {

// The parts of "left right"; nothing where it is not two parts with one space between them. (The
// left one may begin with a space, which counts as its first character.)
std::optional<std::pair<std::string_view, std::string_view>> merge_of(std::string_view line) {
  const std::size_t space = line.find(' ', 1);
  if (space == std::string_view::npos || space + 1 == line.size()) return std::nullopt;
  const std::string_view right = line.substr(space + 1);
  if (right.find(' ') != std::string_view::npos) return std::nullopt;
  return std::pair(line.substr(0, space), right);
}

bool is_byte(std::string_view token) {
  const std::string bytes = unspell_bytes(token);
  return bytes.size() == 1 && spell_byte(static_cast<std::uint8_t>(bytes[0])) == token;
}

bool has_two_characters(std::string_view token) {
  return !token.empty() && decode_utf8(token, 0).bytes < token.size();
}

class ByteBpeTokenizer final : public BaseTokenizer {
 public:
  ByteBpeTokenizer(TokenizerSpec spec, PreTokenizer pre)
      : BaseTokenizer(std::move(spec)), pre_(pre) {}

  void build();  // the second half of construction

  bool add_bos() const override {
    return spec_.bos && spec_.add_bos.value_or(pre_ == PreTokenizer::kLlama3);
  }
  bool marks_first_word() const override { return false; }

 private:
  void add_merge(const std::string& line, std::uint32_t rank);

  void encode_plain(std::string_view text, Neighbour before, Neighbour after, BpeMerger& merger,
                    std::vector<TokenId>& out) const override;
  void encode_piece(std::string_view bytes, BpeMerger& merger, std::vector<TokenId>& out) const;
  std::string plain_bytes(TokenId id) const override { return unspell_bytes(token(id)); }

  PreTokenizer pre_;
  std::array<TokenId, 256> byte_ids_{};
};

void ByteBpeTokenizer::build() {
  build_vocabulary();
  for (std::size_t b = 0; b < byte_ids_.size(); ++b)
    byte_ids_[b] = find(spell_byte(static_cast<std::uint8_t>(b))).value_or(-1);
  for (std::size_t i = 0; i < spec_.merges.size(); ++i)
    add_merge(spec_.merges[i], static_cast<std::uint32_t>(i));
  spec_.merges = {};
}

void ByteBpeTokenizer::add_merge(const std::string& line, std::uint32_t rank) {
  const auto [left, right] = *merge_of(line);  // checked
  const std::string joined = std::string(left) + std::string(right);
  const auto l = find(left), r = find(right), j = find(joined);
  // Vocabularies that were cut down keep the merges of tokens they lost: those never apply.
  if (l && r && j) merges_.add(*l, *r, {rank, *j});
}

void ByteBpeTokenizer::encode_plain(std::string_view text, Neighbour, Neighbour, BpeMerger& merger,
                                    std::vector<TokenId>& out) const {
  for (std::size_t at = 0; at < text.size();) {
    const std::size_t end = std::min(piece_end(pre_, text, at), at + kPieceBytesMax);
    encode_piece(text.substr(at, end - at), merger, out);
    at = end;
  }
}

void ByteBpeTokenizer::encode_piece(std::string_view bytes, BpeMerger& merger,
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
  // Bytes without a token go before anything is merged, so that their neighbours may join: as in
  // Hugging Face's library, with which such vocabularies (SmolLM2's) were trained.
  std::vector<TokenId> symbols;
  symbols.reserve(bytes.size());
  for (const char c : bytes)
    if (const TokenId id = byte_ids_[static_cast<std::uint8_t>(c)]; id >= 0) symbols.push_back(id);
  merger.merge(symbols, out);
}

}  // namespace

Result<> check_byte_bpe(const TokenizerSpec& spec) {
  bool bytes = false, longer = false;
  for (std::size_t id = 0; id < spec.tokens.size(); ++id) {
    if (!is_mergeable_type(type_in(spec, id))) continue;
    bytes = bytes || is_byte(spec.tokens[id]);
    longer = longer || has_two_characters(spec.tokens[id]);
  }
  if (!bytes)
    return fail(Code::kInvalid, "the vocabulary has no token of one byte: no text can be read");
  if (longer && spec.merges.empty())
    return fail(Code::kInvalid,
                "the vocabulary's merges (tokenizer.ggml.merges) are missing: every text would be "
                "split into bytes; convert the model again");
  for (std::size_t rank = 0; rank < spec.merges.size(); ++rank)
    if (!merge_of(spec.merges[rank]))
      return fail(Code::kInvalid, "merge " + std::to_string(rank) + " " +
                                      quoted(spec.merges[rank]) +
                                      " is not two parts with one space between them");
  return {};
}

Result<std::unique_ptr<Tokenizer>> make_byte_bpe(TokenizerSpec spec, PreTokenizer pre) {
  auto tokenizer = std::make_unique<ByteBpeTokenizer>(std::move(spec), pre);
  tokenizer->build();
  return std::unique_ptr<Tokenizer>(std::move(tokenizer));
}

}  // namespace tophand::text

// Byte-level BPE (`tokenizer.ggml.model` = "gpt2"): text is split into pieces by a pre-tokenizer,
// the bytes of a piece are merged by rank.
#include <algorithm>
#include <array>

#include "text/base_tokenizer.h"
#include "text/byte_alphabet.h"

namespace tophand::text {
namespace {

class ByteBpeTokenizer final : public BaseTokenizer {
 public:
  ByteBpeTokenizer(TokenizerSpec spec, PreTokenizer pre)
      : BaseTokenizer(std::move(spec)), pre_(pre) {}

  // The second half of construction, which can fail.
  Result<> build();

  bool add_bos() const override {
    return spec_.bos && spec_.add_bos.value_or(pre_ == PreTokenizer::kLlama3);
  }
  bool marks_first_word() const override { return false; }

 private:
  // "left right" at the first space after the first character (which may itself be a space).
  Result<> add_merge(const std::string& line, std::uint32_t rank);

  void encode_plain(std::string_view text, Neighbour before, Neighbour after, BpeMerger& merger,
                    std::vector<TokenId>& out) const override;
  void encode_piece(std::string_view bytes, BpeMerger& merger, std::vector<TokenId>& out) const;
  std::string plain_bytes(TokenId id) const override { return unspell_bytes(token(id)); }

  PreTokenizer pre_;
  std::array<TokenId, 256> byte_ids_{};
};

Result<> ByteBpeTokenizer::build() {
  TOPHAND_CHECK("tokenizer", build_vocabulary());
  for (std::size_t b = 0; b < byte_ids_.size(); ++b)
    byte_ids_[b] = find(spell_byte(static_cast<std::uint8_t>(b))).value_or(-1);
  for (std::size_t i = 0; i < spec_.merges.size(); ++i)
    TOPHAND_CHECK("tokenizer", add_merge(spec_.merges[i], static_cast<std::uint32_t>(i)));
  spec_.merges = {};
  return {};
}

Result<> ByteBpeTokenizer::add_merge(const std::string& line, std::uint32_t rank) {
  const std::size_t space = line.find(' ', 1);
  if (space == std::string::npos)
    return fail(Code::kInvalid, "merge " + std::to_string(rank) + " " + quoted(line) +
                                    " has no space between its parts");
  const std::string_view left(line.data(), space);
  const std::string_view right(line.data() + space + 1, line.size() - space - 1);
  const std::string joined = std::string(left) + std::string(right);
  const auto l = find(left), r = find(right), j = find(joined);
  // Vocabularies that were cut down keep the merges of tokens they lost: those never apply.
  if (!l || !r || !j) return {};
  merges_.add(*l, *r, {rank, *j});
  return {};
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

Result<std::unique_ptr<Tokenizer>> make_byte_bpe(TokenizerSpec spec, PreTokenizer pre) {
  auto tokenizer = std::make_unique<ByteBpeTokenizer>(std::move(spec), pre);
  if (auto done = tokenizer->build(); !done) return tl::unexpected(std::move(done).error());
  return std::unique_ptr<Tokenizer>(std::move(tokenizer));
}

}  // namespace tophand::text

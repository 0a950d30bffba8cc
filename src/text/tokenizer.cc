#include "text/tokenizer.h"

#include "text/base_tokenizer.h"

namespace tophand::text {
namespace {

Result<> check_id(const std::optional<TokenId>& id, std::size_t vocabulary, const char* name) {
  if (!id || (*id >= 0 && static_cast<std::size_t>(*id) < vocabulary)) return {};
  return fail(Code::kInvalid, std::string(name) + " token id " + std::to_string(*id) +
                                  " is outside the vocabulary of " + std::to_string(vocabulary));
}

Result<> check_both(const TokenizerSpec& spec) {
  if (spec.model != "gpt2" && spec.model != "llama")
    return fail(Code::kInvalid,
                "unknown tokenizer model " + quoted(spec.model) +
                    "; known are gpt2 (byte-level BPE) and llama (SentencePiece BPE); llama.cpp's "
                    "llama-server and Ollama run others");
  if (spec.tokens.empty()) return fail(Code::kInvalid, "the vocabulary is empty");
  if (spec.tokens.size() > static_cast<std::size_t>(INT32_MAX) / 2 ||
      spec.merges.size() > static_cast<std::size_t>(INT32_MAX))
    return fail(Code::kTooLarge, "a vocabulary of more than 2^30 tokens or 2^31 merges");
  if (!spec.types.empty() && spec.types.size() != spec.tokens.size())
    return fail(Code::kInvalid, "expected " + std::to_string(spec.tokens.size()) +
                                    " token types, found " + std::to_string(spec.types.size()));
  for (const std::int32_t type : spec.types)
    if (type < 0 || type > 6)
      return fail(Code::kInvalid, "unknown token type " + std::to_string(type));
  for (std::size_t id = 0; id < spec.tokens.size(); ++id)
    if (is_special_type(type_in(spec, id)) && spec.tokens[id].size() > kSpecialTokenBytesMax)
      return fail(Code::kInvalid, "special token " + std::to_string(id) + " has " +
                                      std::to_string(spec.tokens[id].size()) + " bytes, at most " +
                                      std::to_string(kSpecialTokenBytesMax) + " are read");
  const std::size_t n = spec.tokens.size();
  TOPHAND_CHECK("tokenizer", check_id(spec.bos, n, "bos"));
  TOPHAND_CHECK("tokenizer", check_id(spec.eos, n, "eos"));
  TOPHAND_CHECK("tokenizer", check_id(spec.eot, n, "eot"));
  TOPHAND_CHECK("tokenizer", check_id(spec.eom, n, "eom"));
  TOPHAND_CHECK("tokenizer", check_id(spec.pad, n, "padding"));
  return check_id(spec.unknown, n, "unknown");
}

}  // namespace

Result<> Tokenizer::check(const TokenizerSpec& spec) {
  TOPHAND_CHECK("tokenizer", check_both(spec));
  TOPHAND_CHECK("tokenizer",
                spec.model == "llama" ? check_sentencepiece(spec) : check_byte_bpe(spec));
  return {};
}

Result<std::unique_ptr<Tokenizer>> Tokenizer::create(TokenizerSpec spec) {
  if (auto done = check(spec); !done) return tl::unexpected(std::move(done).error());
  // SentencePiece does not split text first; files name a `pre` all the same ("default").
  if (spec.model == "llama") return make_sentencepiece(std::move(spec));
  if (spec.pre.empty()) spec.pre = pre_tokenizer_when_absent(spec.tokens.size());
  TOPHAND_TRY(pre, "tokenizer", pre_tokenizer_by_name(spec.pre));
  return make_byte_bpe(std::move(spec), pre);
}

}  // namespace tophand::text

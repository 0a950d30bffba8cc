#include "engine/tokenizer_spec.h"

#include <string>
#include <string_view>

namespace tophand::engine {
namespace {

constexpr std::string_view kPrefix = "tokenizer.ggml.";

std::string key(std::string_view name) {
  return std::string(kPrefix) + std::string(name);
}

// An id that is out of range is refused, apart from 2^32 - 1 and -1, which stand for "none".
Result<> read_id(const gguf::File& file, std::string_view name, std::uint64_t vocabulary,
                 std::optional<text::TokenId>& out) {
  const gguf::Value* value = file.find(key(name));
  if (value == nullptr) return {};
  const auto id = value->integer();
  if (id && (*id == -1 || *id == 0xffffffffLL)) return {};
  if (!id || *id < 0 || static_cast<std::uint64_t>(*id) >= vocabulary)
    return fail(Code::kInvalid, key(name) + " is not a token of the vocabulary");
  out = static_cast<text::TokenId>(*id);
  return {};
}

// A flag of another type is refused: passed over, every prompt would begin differently.
Result<> read_flag(const gguf::File& file, std::string_view name, std::optional<bool>& out) {
  const gguf::Value* value = file.find(key(name));
  if (value == nullptr) return {};
  out = value->boolean();
  if (!out) return fail(Code::kInvalid, key(name) + " must be true or false");
  return {};
}

std::vector<std::string> to_owned(const std::vector<std::string_view>& views) {
  return {views.begin(), views.end()};
}

}  // namespace

Result<text::TokenizerSpec> read_tokenizer_spec(const gguf::File& file, std::uint64_t vocabulary) {
  text::TokenizerSpec spec;
  TOPHAND_TRY(model, "tokenizer", file.string(key("model")));
  TOPHAND_TRY(tokens, "tokenizer", file.strings(key("tokens")));
  if (tokens.size() != vocabulary)
    return fail(Code::kInvalid, "the tokenizer has " + std::to_string(tokens.size()) +
                                    " tokens, the embedding " + std::to_string(vocabulary));
  spec.model = std::string(model);
  if (file.find(key("pre")) != nullptr) {
    TOPHAND_TRY(pre, "tokenizer", file.string(key("pre")));
    spec.pre = std::string(pre);
  }
  spec.tokens = to_owned(tokens);
  if (file.find(key("merges")) != nullptr) {
    TOPHAND_TRY(merges, "tokenizer", file.strings(key("merges")));
    spec.merges = to_owned(merges);
  }
  if (file.find(key("token_type")) != nullptr) {
    TOPHAND_TRY(types, "tokenizer", file.integers(key("token_type")));
    if (types.size() != vocabulary)
      return fail(Code::kInvalid, key("token_type") + " has " + std::to_string(types.size()) +
                                      " entries for " + std::to_string(vocabulary) + " tokens");
    spec.types.reserve(types.size());
    for (const std::int64_t type : types) {
      if (type < 0 || type > 255)
        return fail(Code::kInvalid, key("token_type") + " has an entry out of range");
      spec.types.push_back(static_cast<std::int32_t>(type));
    }
  }
  if (file.find(key("scores")) != nullptr && spec.model == "llama") {
    TOPHAND_TRY(scores, "tokenizer", file.floats(key("scores")));
    spec.scores = std::move(scores);
  }
  TOPHAND_CHECK("tokenizer", read_id(file, "bos_token_id", vocabulary, spec.bos));
  TOPHAND_CHECK("tokenizer", read_id(file, "eos_token_id", vocabulary, spec.eos));
  TOPHAND_CHECK("tokenizer", read_id(file, "eot_token_id", vocabulary, spec.eot));
  TOPHAND_CHECK("tokenizer", read_id(file, "eom_token_id", vocabulary, spec.eom));
  TOPHAND_CHECK("tokenizer", read_id(file, "padding_token_id", vocabulary, spec.pad));
  TOPHAND_CHECK("tokenizer", read_id(file, "unknown_token_id", vocabulary, spec.unknown));
  TOPHAND_CHECK("tokenizer", read_flag(file, "add_bos_token", spec.add_bos));
  TOPHAND_CHECK("tokenizer", read_flag(file, "add_eos_token", spec.add_eos));
  TOPHAND_CHECK("tokenizer", read_flag(file, "add_space_prefix", spec.add_space_prefix));
  return spec;
}

}  // namespace tophand::engine

// Any vocabulary and any text: no crash, and what comes out stands for what went in.
#include <cstddef>
#include <cstdint>
#include <string>

#include "base/assert.h"
#include "text/byte_alphabet.h"
#include "text/pretokenizer.h"
#include "text/tokenizer.h"

using namespace tophand::text;

namespace {

// The first byte chooses the pre-tokenizer, the next ones merges of byte pairs; the rest is text.
std::unique_ptr<Tokenizer> make_tokenizer(std::string_view& input) {
  constexpr const char* kPre[] = {"gpt-2", "smollm", "llama-bpe", "qwen2", "qwen35"};
  const auto take = [&input]() -> std::uint8_t {
    if (input.empty()) return 0;
    const auto byte = static_cast<std::uint8_t>(input[0]);
    input.remove_prefix(1);
    return byte;
  };
  TokenizerSpec spec;
  spec.model = "gpt2";
  spec.pre = kPre[take() % 5];
  for (int b = 0; b < 256; ++b) spec.tokens.emplace_back(spell_byte(static_cast<std::uint8_t>(b)));
  for (int n = take() % 16; n > 0; --n) {
    const std::size_t size = spec.tokens.size();
    const std::string left = spec.tokens[take() % size], right = spec.tokens[take() % size];
    spec.merges.push_back(left + " " + right);
    spec.tokens.push_back(left + right);
  }
  spec.types.assign(spec.tokens.size(), 1);
  for (const char* special : {"<|im_end|>", "<|im_end|><", "<tool_call>"})
    spec.tokens.emplace_back(special);
  for (const int type : {3, 3, 4}) spec.types.push_back(type);
  auto made = Tokenizer::create(std::move(spec));
  return made ? std::move(*made) : nullptr;
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  std::string_view input(reinterpret_cast<const char*>(data), size);
  const auto tokenizer = make_tokenizer(input);
  if (!tokenizer) return 0;
  std::vector<TokenId> tokens;
  for (const auto special : {SpecialTokens::kAsText, SpecialTokens::kParse}) {
    tokens.clear();
    tokenizer->encode(input, special, tokens);
    std::string back;
    for (const TokenId id : tokens) back += tokenizer->piece(id, true);
    TOPHAND_ASSERT(back == input);
  }
  const std::size_t half = input.size() / 2;
  const std::vector<Segment> segments{{std::string(input.substr(0, half)), false},
                                      {std::string(input.substr(half)), true}};
  tokens.clear();
  tokenizer->encode(segments, tokens);
  Utf8Buffer whole, cut;
  std::string once = whole.push(input), bytewise;
  once += whole.flush();
  for (const char c : input) bytewise += cut.push({&c, 1});
  bytewise += cut.flush();
  TOPHAND_ASSERT(bytewise == once);
  return 0;
}

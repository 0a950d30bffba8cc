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

std::uint8_t take(std::string_view& input) {
  if (input.empty()) return 0;
  const auto byte = static_cast<std::uint8_t>(input[0]);
  input.remove_prefix(1);
  return byte;
}

void add_specials(TokenizerSpec& spec) {
  for (const char* special : {"<|im_end|>", "<|im_end|><", "<tool_call>"})
    spec.tokens.emplace_back(special);
  for (const int type : {3, 3, 4}) spec.types.push_back(type);
}

// Bytes choose the pre-tokenizer and merges of byte pairs.
TokenizerSpec byte_bpe(std::string_view& input) {
  constexpr const char* kPre[] = {"gpt-2", "smollm", "llama-bpe", "qwen2", "qwen35"};
  TokenizerSpec spec;
  spec.model = "gpt2";
  spec.pre = kPre[take(input) % 5];
  for (int b = 0; b < 256; ++b) spec.tokens.emplace_back(spell_byte(static_cast<std::uint8_t>(b)));
  for (int n = take(input) % 16; n > 0; --n) {
    const std::size_t size = spec.tokens.size();
    const std::string left = spec.tokens[take(input) % size];
    const std::string right = spec.tokens[take(input) % size];
    spec.merges.push_back(left + " " + right);
    spec.tokens.push_back(left + right);
  }
  spec.types.assign(spec.tokens.size(), 1);
  add_specials(spec);
  return spec;
}

// Bytes choose pieces, cut from the input itself so that they occur in the text, and scores.
TokenizerSpec sentencepiece(std::string_view& input) {
  constexpr char kDigits[] = "0123456789ABCDEF";
  TokenizerSpec spec;
  spec.model = "llama";
  spec.add_space_prefix = take(input) % 2 == 0;
  for (int b = 0; b < 256; ++b) {
    spec.tokens.push_back(std::string("<0x") + kDigits[b / 16] + kDigits[b % 16] + ">");
    spec.types.push_back(6);
  }
  for (int n = take(input) % 32; n > 0; --n) {
    const std::size_t at = take(input), bytes = 1 + take(input) % 6;
    std::string piece;
    if (at < input.size())
      for (const char c : input.substr(at, bytes))
        piece += c == ' ' ? std::string("\u2581") : std::string(1, c);
    if (piece.starts_with("<0x")) continue;
    spec.tokens.push_back(piece.empty() ? "\u2581" : piece);
    spec.types.push_back(1);
  }
  // Every vocabulary has it; without, a first word's mark is spelled as bytes and stays.
  spec.tokens.emplace_back("\u2581");
  spec.types.push_back(1);
  add_specials(spec);
  for (std::size_t i = 0; i < spec.tokens.size(); ++i)
    spec.scores.push_back(-static_cast<float>(take(input) % 8));
  return spec;
}

// What encode() may change: U+2581 means a space where the vocabulary is SentencePiece's.
std::string comparable(std::string text, bool marks) {
  for (std::size_t at = 0; marks && (at = text.find("\u2581", at)) != std::string::npos; ++at)
    text.replace(at, 3, " ");
  return text;
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  std::string_view input(reinterpret_cast<const char*>(data), size);
  const bool marks = take(input) % 2 != 0;
  auto made = Tokenizer::create(marks ? sentencepiece(input) : byte_bpe(input));
  if (!made) return 0;
  const Tokenizer* tokenizer = made->get();
  std::vector<TokenId> tokens;
  for (const auto special : {SpecialTokens::kAsText, SpecialTokens::kParse}) {
    tokens.clear();
    tokenizer->encode(input, special, tokens);
    const std::string expected = comparable(std::string(input), marks);
    TOPHAND_ASSERT(comparable(tokenizer->decode(tokens), marks) == expected);
  }
  const std::size_t half = input.size() / 2;
  const std::vector<Segment> segments{{std::string(input.substr(0, half)), false},
                                      {std::string(input.substr(half)), true}};
  tokens.clear();
  tokenizer->encode(segments, tokens);
  Utf8Buffer whole, cut;
  std::string once = whole.push(input), bytewise;
  for (const char c : input) bytewise += cut.push({&c, 1});
  TOPHAND_ASSERT(bytewise == once);
  return 0;
}

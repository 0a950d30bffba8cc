#include <gtest/gtest.h>
#include <pthread.h>

#include <cmath>
#include <string>
#include <vector>

#include "base/random.h"
#include "text/tokenizer.h"

namespace tophand::text {
namespace {

constexpr auto kNormal = static_cast<std::int32_t>(TokenType::kNormal);
constexpr auto kUnknown = static_cast<std::int32_t>(TokenType::kUnknown);
constexpr auto kControl = static_cast<std::int32_t>(TokenType::kControl);
constexpr auto kUser = static_cast<std::int32_t>(TokenType::kUserDefined);
constexpr auto kByte = static_cast<std::int32_t>(TokenType::kByte);

void add(TokenizerSpec& spec, std::string token, std::int32_t type, float score = 0) {
  spec.tokens.push_back(std::move(token));
  spec.types.push_back(type);
  spec.scores.push_back(score);
}

std::string byte_token(int byte) {
  constexpr char kDigits[] = "0123456789ABCDEF";
  return std::string("<0x") + kDigits[byte / 16] + kDigits[byte % 16] + ">";
}

TokenizerSpec small_spec() {
  TokenizerSpec spec;
  spec.model = "llama";
  add(spec, "<unk>", kUnknown);
  add(spec, "<s>", kControl);
  add(spec, "</s>", kControl);
  for (int b = 0; b < 256; ++b) add(spec, byte_token(b), kByte);
  float score = 0;
  for (const char* piece : {"▁a", "ab", "bc", "▁ab", "▁abc", "xy", "aa", "▁▁", "▁", "a", "b", "c"})
    add(spec, piece, kNormal, --score);
  add(spec, "<tool>", kUser);
  spec.unknown = 0;
  spec.bos = 1;
  spec.eos = 2;
  return spec;
}

std::unique_ptr<Tokenizer> make(TokenizerSpec spec) {
  auto made = Tokenizer::create(std::move(spec));
  EXPECT_TRUE(made.has_value()) << made.error().message;
  return made ? std::move(*made) : nullptr;
}

std::vector<std::string> encode(const Tokenizer& tokenizer, std::string_view text,
                                SpecialTokens special = SpecialTokens::kAsText) {
  std::vector<TokenId> ids;
  tokenizer.encode(text, special, ids);
  const TokenizerSpec spec = small_spec();  // names for the ids
  std::vector<std::string> out;
  for (const TokenId id : ids) out.push_back(spec.tokens[static_cast<std::size_t>(id)]);
  return out;
}

using Tokens = std::vector<std::string>;

TEST(SentencePiece, MergesTheBestScoreFirstAndSpellsTheRestAsBytes) {
  const auto t = make(small_spec());
  EXPECT_EQ(encode(*t, "abc"), (Tokens{"▁abc"}));
  EXPECT_EQ(encode(*t, "bc a"), (Tokens{"▁", "bc", "▁a"}));
  EXPECT_EQ(encode(*t, "é"), (Tokens{"▁", "<0xC3>", "<0xA9>"}));
  EXPECT_EQ(encode(*t, "\xFF"), (Tokens{"▁", "<0xFF>"}));  // not UTF-8: the byte itself
  EXPECT_EQ(encode(*t, "xy"), (Tokens{"▁", "xy"}));        // neither x nor y is a token
  EXPECT_EQ(encode(*t, "yx"), (Tokens{"▁", "<0x79>", "<0x78>"}));
  EXPECT_TRUE(encode(*t, "").empty());
}

TEST(SentencePiece, PutsASpaceInFrontOfATextAndBehindAControlToken) {
  const auto t = make(small_spec());
  EXPECT_EQ(encode(*t, "a</s>a", SpecialTokens::kParse), (Tokens{"▁a", "</s>", "▁a"}));
  EXPECT_EQ(encode(*t, " a"), (Tokens{"▁", "▁a"}));
  // A user-defined token is a part of the text.
  EXPECT_EQ(encode(*t, "<tool>a"), (Tokens{"▁", "<tool>", "a"}));
  EXPECT_EQ(encode(*t, "a<tool>a"), (Tokens{"▁a", "<tool>", "a"}));
  TokenizerSpec spec = small_spec();
  spec.add_space_prefix = false;
  EXPECT_EQ(encode(*make(spec), "a</s>a", SpecialTokens::kParse), (Tokens{"a", "</s>", "a"}));
  EXPECT_FALSE(make(spec)->marks_first_word());
}

TEST(SentencePiece, OneUnknownTokenStandsForARunOfCharactersWithoutAny) {
  TokenizerSpec spec = small_spec();
  for (std::int32_t& type : spec.types)
    if (type == kByte) type = static_cast<std::int32_t>(TokenType::kUnused);
  EXPECT_EQ(encode(*make(spec), "aéüb"), (Tokens{"▁a", "<unk>", "b"}));
}

TEST(SentencePiece, ControlTokensCountOnlyInTemplateText) {
  const auto t = make(small_spec());
  for (const std::string& token : encode(*t, "</s>")) EXPECT_NE(token, "</s>");
}

TEST(SentencePiece, Phi3sMarkersTakeTheWhiteSpaceBehindThem) {
  TokenizerSpec spec = small_spec();
  for (const char* marker : {"<|system|>", "<|user|>", "<|assistant|>", "<|end|>"})
    add(spec, marker, kControl);
  const auto t = make(spec);
  std::vector<TokenId> with, without;
  t->encode(std::vector<Segment>{{"<|user|>\n", true}, {" a", false}, {"<|end|>\n", true}}, with);
  t->encode("<|user|>a<|end|>", SpecialTokens::kParse, without);
  EXPECT_EQ(with, without);
}

TEST(SentencePiece, DecodesWhatItEncoded) {
  constexpr std::uint64_t kSeed = 3;
  SCOPED_TRACE(kSeed);
  SplitMix64 random(kSeed);
  const std::vector<std::string> bits{"a",  "b",      "c",    " ",    "  ", "é",
                                      "漢", "<tool>", "</s>", "\xFF", "\n"};
  for (const bool prefix : {true, false}) {
    TokenizerSpec spec = small_spec();
    spec.add_space_prefix = prefix;
    const auto t = make(spec);
    for (int round = 0; round < 2'000; ++round) {
      std::string text;
      for (std::uint64_t n = random.next() % 12; n > 0; --n)
        text += bits[random.next() % bits.size()];
      for (const auto special : {SpecialTokens::kAsText, SpecialTokens::kParse}) {
        std::vector<TokenId> ids;
        t->encode(text, special, ids);
        ASSERT_EQ(t->decode(ids), text);
      }
    }
  }
}

TEST(SentencePiece, BeginsWithBosUnlessTheFileSaysNo) {
  TokenizerSpec spec = small_spec();
  EXPECT_TRUE(make(spec)->add_bos());
  EXPECT_FALSE(make(spec)->add_eos());
  spec.add_bos = false;
  spec.add_eos = true;
  EXPECT_FALSE(make(spec)->add_bos());
  EXPECT_TRUE(make(spec)->add_eos());
  EXPECT_TRUE(make(spec)->is_end_of_generation(2));
}

struct BadRow {
  const char* name;
  void (*spoil)(TokenizerSpec&);
  const char* message;
};

TEST(SentencePiece, RefusesDamagedVocabularies) {
  const std::vector<BadRow> rows{
      {"no scores", [](TokenizerSpec& s) { s.scores.clear(); }, "token scores, found 0"},
      {"NaN", [](TokenizerSpec& s) { s.scores[300 - 40] = std::nanf(""); }, "not a number"},
      {"byte", [](TokenizerSpec& s) { s.tokens[3] = "<0xZZ>"; }, "expected <0x00> to <0xFF>"},
      {"long", [](TokenizerSpec& s) { add(s, std::string(300, 'a'), kNormal); }, "300 bytes"},
  };
  for (const BadRow& row : rows) {
    TokenizerSpec spec = small_spec();
    row.spoil(spec);
    const auto made = Tokenizer::create(std::move(spec));
    ASSERT_FALSE(made.has_value()) << row.name;
    EXPECT_EQ(made.error().code, Code::kInvalid) << row.name;
    EXPECT_NE(made.error().message.find(row.message), std::string::npos) << made.error().message;
  }
}

// A whole text is one piece here: quadratic time would show at once, recursion end the thread.
TEST(SentencePiece, TwoMebibytesOfOneLetterFitASmallStack) {
  const auto t = make(small_spec());
  struct Job {
    const Tokenizer& tokenizer;
    std::vector<TokenId> ids;
  } job{*t, {}};
  pthread_attr_t small;
  pthread_attr_init(&small);
  ASSERT_EQ(pthread_attr_setstacksize(&small, 256 << 10), 0);
  pthread_t thread{};
  const auto run = [](void* argument) -> void* {
    Job& mine = *static_cast<Job*>(argument);
    mine.tokenizer.encode(std::string(std::size_t{2} << 20, 'a'), SpecialTokens::kParse, mine.ids);
    return nullptr;
  };
  ASSERT_EQ(pthread_create(&thread, &small, run, &job), 0);
  pthread_join(thread, nullptr);
  pthread_attr_destroy(&small);
  EXPECT_EQ(job.ids.size(), (std::size_t{1} << 20) + 1);  // ▁a, pairs, and one over
}

}  // namespace
}  // namespace tophand::text

#include "text/tokenizer.h"

#include <gtest/gtest.h>
#include <pthread.h>

#include <algorithm>
#include <map>
#include <string>
#include <vector>

#include "base/random.h"
#include "text/byte_alphabet.h"

namespace tophand::text {
namespace {

constexpr auto kNormal = static_cast<std::int32_t>(TokenType::kNormal);
constexpr auto kControl = static_cast<std::int32_t>(TokenType::kControl);
constexpr auto kUser = static_cast<std::int32_t>(TokenType::kUserDefined);
constexpr auto kUnused = static_cast<std::int32_t>(TokenType::kUnused);

// The 256 bytes as ids 0 to 255, then what merges make, then special tokens.
TokenizerSpec small_spec(const std::string& pre = "gpt-2") {
  TokenizerSpec spec;
  spec.model = "gpt2";
  spec.pre = pre;
  for (int b = 0; b < 256; ++b) spec.tokens.emplace_back(spell_byte(static_cast<std::uint8_t>(b)));
  for (const char* merge : {"a b", "b c", "ab c", "a a", "aa aa", "Ġ a", "h e", "l l", "he ll"}) {
    spec.merges.emplace_back(merge);
    std::string joined = merge;
    std::erase(joined, ' ');
    spec.tokens.push_back(joined);
  }
  spec.types.assign(spec.tokens.size(), kNormal);
  for (const auto& [text, type] : {std::pair{"<|end|>", kControl},
                                   {"<|end|>x", kControl},
                                   {"<tool>", kUser},
                                   {"[PAD]", kUnused},
                                   {"abcabc", kNormal}}) {
    spec.tokens.emplace_back(text);
    spec.types.push_back(type);
  }
  return spec;
}

std::unique_ptr<Tokenizer> make(TokenizerSpec spec) {
  auto made = Tokenizer::create(std::move(spec));
  EXPECT_TRUE(made.has_value()) << made.error().message;
  return std::move(*made);
}

std::vector<TokenId> encode(const Tokenizer& tokenizer, std::string_view text,
                            SpecialTokens special = SpecialTokens::kAsText) {
  std::vector<TokenId> out;
  tokenizer.encode(text, special, out);
  return out;
}

std::vector<TokenId> ids(const Tokenizer& tokenizer, std::vector<std::string> tokens) {
  std::vector<TokenId> out;
  for (const std::string& token : tokens) out.push_back(tokenizer.find(token).value_or(-1));
  return out;
}

std::string decode(const Tokenizer& tokenizer, const std::vector<TokenId>& tokens) {
  std::string out;
  for (const TokenId id : tokens) out += tokenizer.piece(id, true);
  return out;
}

TEST(Tokenizer, MergesTheLowestRankFirstAndTheLeftmostAmongEquals) {
  const auto t = make(small_spec());
  EXPECT_EQ(encode(*t, "abc"), ids(*t, {"abc"}));
  EXPECT_EQ(encode(*t, "bc"), ids(*t, {"bc"}));
  EXPECT_EQ(encode(*t, "aaa"), ids(*t, {"aa", "a"}));
  EXPECT_EQ(encode(*t, "aab"), ids(*t, {"a", "ab"}));  // "a b" has the better rank
  EXPECT_EQ(encode(*t, "hello a"), ids(*t, {"hell", "o", "Ġa"}));
  EXPECT_TRUE(encode(*t, "").empty());
}

TEST(Tokenizer, LeavesAByteWithoutATokenOutAndJoinsItsNeighbours) {
  TokenizerSpec spec = small_spec();
  spec.tokens[024] = "[lost]";
  spec.merges.emplace_back("! !");
  spec.tokens.emplace_back("!!");
  spec.types.push_back(kNormal);
  const auto t = make(std::move(spec));
  EXPECT_EQ(encode(*t, "!\024!"), ids(*t, {"!!"}));
  EXPECT_EQ(encode(*t, "\024!\024\024!!\024"), ids(*t, {"!!", "!"}));
  EXPECT_TRUE(encode(*t, "\024").empty());
}

// The definition, in quadratic time: join the pair of the lowest rank, leftmost first, and again.
std::vector<std::string> merge_slowly(std::string_view text,
                                      const std::vector<std::string>& merges) {
  std::map<std::pair<std::string, std::string>, std::size_t> ranks;
  for (std::size_t i = 0; i < merges.size(); ++i)
    ranks[{merges[i].substr(0, merges[i].find(' ')), merges[i].substr(merges[i].find(' ') + 1)}] =
        i;
  std::vector<std::string> symbols;
  for (const char c : text) symbols.emplace_back(1, c);
  for (;;) {
    std::size_t best = merges.size(), at = 0;
    for (std::size_t i = 0; i + 1 < symbols.size(); ++i)
      if (const auto it = ranks.find({symbols[i], symbols[i + 1]});
          it != ranks.end() && it->second < best)
        best = it->second, at = i;
    if (best == merges.size()) return symbols;
    symbols[at] += symbols[at + 1];
    symbols.erase(symbols.begin() + static_cast<std::ptrdiff_t>(at) + 1);
  }
}

TEST(Tokenizer, MergesAsTheDefinitionDoes) {
  constexpr std::uint64_t kSeed = 20261124;
  SCOPED_TRACE(kSeed);
  const TokenizerSpec spec = small_spec();
  const auto t = make(spec);
  SplitMix64 random(kSeed);
  for (int round = 0; round < 2'000; ++round) {
    std::string text;
    for (std::uint64_t n = random.next() % 24; n > 0; --n) text += "abchel"[random.next() % 6];
    ASSERT_EQ(encode(*t, text), ids(*t, merge_slowly(text, spec.merges))) << text;
  }
}

TEST(Tokenizer, ReturnsEveryByteStringUnchanged) {
  constexpr std::uint64_t kSeed = 7;
  SCOPED_TRACE(kSeed);
  for (const char* pre : {"gpt-2", "smollm", "llama-bpe", "qwen2", "qwen35"}) {
    const auto t = make(small_spec(pre));
    SplitMix64 random(kSeed);
    for (int round = 0; round < 500; ++round) {
      std::string text;
      for (std::uint64_t n = random.next() % 64; n > 0; --n)
        text += static_cast<char>(random.next());
      ASSERT_EQ(decode(*t, encode(*t, text)), text) << pre;
    }
  }
}

TEST(Tokenizer, ControlTokensCountOnlyInTemplateText) {
  const auto t = make(small_spec());
  EXPECT_EQ(encode(*t, "a<|end|>b", SpecialTokens::kParse), ids(*t, {"a", "<|end|>", "b"}));
  EXPECT_EQ(encode(*t, "<|end|>xy", SpecialTokens::kParse), ids(*t, {"<|end|>x", "y"}));  // longest
  const auto spelled = encode(*t, "a<|end|>b");
  EXPECT_EQ(std::ranges::count(spelled, *t->find("<|end|>")), 0);
  EXPECT_EQ(decode(*t, spelled), "a<|end|>b");
  EXPECT_EQ(encode(*t, "a<tool>", SpecialTokens::kAsText), ids(*t, {"a", "<tool>"}));
}

TEST(Tokenizer, SegmentsAreSplitAsOneTextButCannotForgeAcrossTheirSeam) {
  const auto t = make(small_spec());
  const auto run = [&](std::vector<Segment> segments) {
    std::vector<TokenId> out;
    t->encode(segments, out);
    return out;
  };
  EXPECT_EQ(run({{"ab", true}, {"c", false}}), ids(*t, {"abc"}));
  EXPECT_EQ(run({{"<|end|>", true}, {"ab", false}}), ids(*t, {"<|end|>", "ab"}));
  for (const auto& segments : std::vector<std::vector<Segment>>{{{"<|end|>", false}},
                                                                {{"<|en", true}, {"d|>", false}},
                                                                {{"<|", false}, {"end|>", true}}}) {
    const auto tokens = run(segments);
    EXPECT_EQ(std::ranges::count(tokens, *t->find("<|end|>")), 0);
    EXPECT_EQ(decode(*t, tokens), "<|end|>");
  }
}

TEST(Tokenizer, Llama3TakesAPieceThatIsATokenWithoutMerging) {
  // "abcabc" is a token that no merge makes.
  EXPECT_EQ(encode(*make(small_spec("llama-bpe")), "abcabc").size(), 1u);
  EXPECT_EQ(encode(*make(small_spec("qwen2")), "abcabc").size(), 2u);
}

TEST(Tokenizer, PiecesAreBytesAndControlTokensAreSilent) {
  const auto t = make(small_spec());
  EXPECT_EQ(t->piece(*t->find("Ġa")), " a");
  EXPECT_EQ(t->piece(0xE6), "\xE6");
  EXPECT_EQ(t->piece(*t->find("<|end|>")), "");
  EXPECT_EQ(t->piece(*t->find("<|end|>"), true), "<|end|>");
  EXPECT_EQ(t->piece(*t->find("<tool>")), "<tool>");
  EXPECT_EQ(t->piece(-1), "");
  EXPECT_EQ(t->piece(1 << 20), "");
}

TEST(Tokenizer, KnowsEndsPaddingAndBos) {
  TokenizerSpec spec = small_spec();
  spec.eos = 5;
  spec.bos = 6;
  const auto t = make(spec);
  EXPECT_TRUE(t->is_end_of_generation(5));
  EXPECT_TRUE(t->is_end_of_generation(*t->find("<|end|>")));
  EXPECT_FALSE(t->is_end_of_generation('a'));
  EXPECT_FALSE(t->is_sampled(*t->find("[PAD]")));
  EXPECT_TRUE(t->is_sampled('a'));
  EXPECT_FALSE(t->add_bos());
  spec.pre = "llama-bpe";
  EXPECT_TRUE(make(spec)->add_bos());
  spec.add_bos = false;
  EXPECT_FALSE(make(spec)->add_bos());
}

// "</s>" is an ordinary token (HTML) in vocabularies that do not end answers with it.
TEST(Tokenizer, AnOrdinaryTokenThatReadsLikeAnEndIsNone) {
  TokenizerSpec spec = small_spec();
  spec.tokens.emplace_back("</s>");
  spec.types.push_back(kNormal);
  const auto t = make(spec);
  EXPECT_FALSE(t->is_end_of_generation(*t->find("</s>")));
}

TEST(Tokenizer, LeavesOutBytesWithoutATokenAsItsReferenceDoes) {
  TokenizerSpec spec = small_spec();
  spec.tokens[4] = "unreachable";
  EXPECT_EQ(encode(*make(spec), "a\x04"), encode(*make(spec), "a"));
}

struct BadRow {
  const char* name;
  void (*spoil)(TokenizerSpec&);
  const char* message;
};

TEST(Tokenizer, PassesOverMergesOfTokensThatAreNoMore) {
  TokenizerSpec spec = small_spec();
  spec.merges.insert(spec.merges.begin(), {"zz qq", "b a"});
  const auto t = make(std::move(spec));
  EXPECT_EQ(encode(*t, "babc"), ids(*t, {"b", "abc"}));
}

TEST(Tokenizer, RefusesDamagedVocabularies) {
  const std::vector<BadRow> rows{
      {"model", [](TokenizerSpec& s) { s.model = "bert"; }, "unknown tokenizer model"},
      {"pre", [](TokenizerSpec& s) { s.pre = "nope"; }, "unknown pre-tokenizer"},
      {"empty", [](TokenizerSpec& s) { s.tokens.clear(); }, "empty"},
      {"types", [](TokenizerSpec& s) { s.types.pop_back(); }, "token types"},
      {"type", [](TokenizerSpec& s) { s.types[3] = 9; }, "unknown token type 9"},
      {"eos", [](TokenizerSpec& s) { s.eos = 1 << 20; }, "eos token id"},
      {"negative bos", [](TokenizerSpec& s) { s.bos = -1; }, "bos token id"},
      {"merge without space", [](TokenizerSpec& s) { s.merges[0] = "ab"; }, "not two parts"},
      {"empty merge", [](TokenizerSpec& s) { s.merges[0] = ""; }, "not two parts"},
      {"merge without left part", [](TokenizerSpec& s) { s.merges[0] = " b"; }, "not two parts"},
      {"merge without right part", [](TokenizerSpec& s) { s.merges[0] = "a "; }, "not two parts"},
      {"merge with two spaces", [](TokenizerSpec& s) { s.merges[0] = "a  b"; }, "not two parts"},
      {"merge of three", [](TokenizerSpec& s) { s.merges[3] = "a b c"; }, "merge 3 \"a b c\" is"},
      {"no merges", [](TokenizerSpec& s) { s.merges.clear(); }, "merges (tokenizer.ggml.merges)"},
      {"no bytes",
       [](TokenizerSpec& s) {
         for (std::size_t byte = 0; byte < 256; ++byte) s.tokens[byte] += "xyz";
       },
       "no token of one byte"},
      {"control characters",
       [](TokenizerSpec& s) { s.model = "\x1b[31m\n" + std::string(100'000, 'x'); },
       "unknown tokenizer model \"?[31m?xxx"},
      {"control characters in a merge",
       [](TokenizerSpec& s) { s.merges[0] = "\x1b[31m\r" + std::string(100'000, 'x'); },
       "merge 0 \"?[31m?xxx"},
      {"control characters in a pre-tokenizer",
       [](TokenizerSpec& s) { s.pre = "\x1b[31m\n" + std::string(100'000, 'x'); },
       "unknown pre-tokenizer \"?[31m?xxx"},
      {"huge special",
       [](TokenizerSpec& s) {
         s.tokens.back() = std::string(300, '<');
         s.types.back() = kControl;
       },
       "300 bytes"},
  };
  for (const BadRow& row : rows) {
    TokenizerSpec spec = small_spec();
    row.spoil(spec);
    const auto made = Tokenizer::create(std::move(spec));
    ASSERT_FALSE(made.has_value()) << row.name;
    EXPECT_EQ(made.error().code, Code::kInvalid) << row.name;
    EXPECT_NE(made.error().message.find(row.message), std::string::npos) << made.error().message;
    EXPECT_LT(made.error().message.size(), 1000u) << row.name;
  }
}

TEST(Tokenizer, NeedsNoMergesWhereEveryTokenIsAByte) {
  TokenizerSpec spec = small_spec();
  spec.merges.clear();
  spec.tokens.resize(256);
  spec.types.resize(256);
  spec.bos = spec.eos = spec.eot = spec.eom = spec.pad = spec.unknown = std::nullopt;
  const auto t = make(std::move(spec));
  EXPECT_EQ(encode(*t, "abc"), ids(*t, {"a", "b", "c"}));
}

// Connection threads have 256 KiB of stack; nothing here may recurse over its input, nor take
// quadratic time: at 8 MiB that would be hours.
TEST(Tokenizer, EightMebibytesOfOneLetterFitASmallStack) {
  const auto t = make(small_spec("qwen2"));
  struct Job {
    const Tokenizer& tokenizer;
    std::vector<std::string> texts;
    std::vector<std::size_t> counts;
  } job{*t, {}, {}};
  constexpr std::size_t kBytes = std::size_t{8} << 20;
  constexpr std::size_t kFewer = kBytes / 8;  // no merging in these: less tells as much
  std::string ends;
  while (ends.size() < kFewer) ends += "<|en";
  job.texts = {std::string(kBytes, 'a'), std::string(kFewer, ' '), std::string(kFewer, '\n'),
               std::string(kFewer, '<'), ends};
  pthread_attr_t small;
  pthread_attr_init(&small);
  ASSERT_EQ(pthread_attr_setstacksize(&small, 256 << 10), 0);
  pthread_t thread{};
  const auto run = [](void* argument) -> void* {
    Job& mine = *static_cast<Job*>(argument);
    for (const std::string& text : mine.texts)
      mine.counts.push_back(encode(mine.tokenizer, text, SpecialTokens::kParse).size());
    return nullptr;
  };
  ASSERT_EQ(pthread_create(&thread, &small, run, &job), 0);
  pthread_join(thread, nullptr);
  pthread_attr_destroy(&small);
  EXPECT_EQ(job.counts, (std::vector<std::size_t>{kBytes / 4, kFewer, kFewer, kFewer, kFewer}));
}

TEST(Utf8Buffer, GivesWholeCodePointsHoweverTheBytesAreCut) {
  const std::string text = "aé漢😀́z";
  for (std::size_t step = 1; step <= 5; ++step) {
    Utf8Buffer buffer;
    std::string out;
    for (std::size_t at = 0; at < text.size(); at += step) {
      const std::string part = buffer.push(text.substr(at, step));
      EXPECT_TRUE(part.empty() || (part[0] & 0xC0) != 0x80) << step;
      out += part;
    }
    EXPECT_EQ(out, text) << step;
  }
}

TEST(Utf8Buffer, ReplacesWhatIsNotUtf8) {
  Utf8Buffer buffer;
  EXPECT_EQ(buffer.push("a\xFF"
                        "b"),
            "a\xEF\xBF\xBD"
            "b");
  EXPECT_EQ(buffer.push("\xE6\xBC"), "");
  EXPECT_EQ(buffer.push("c"),
            "\xEF\xBF\xBD"
            "c");
  // Table 3-11 of Unicode 16.0.
  EXPECT_EQ(buffer.push("a\xF1\x80\x80\xE1\x80\xC2"
                        "b\x80"
                        "c\x80\xBF"
                        "d"),
            "a\uFFFD\uFFFD\uFFFDb\uFFFDc\uFFFD\uFFFDd");
}

}  // namespace
}  // namespace tophand::text

#include "text/pretokenizer.h"

#include <gtest/gtest.h>

#include <fstream>
#include <sstream>
#include <string>
#include <vector>

#include "base/json.h"
#include "text/unicode.h"

namespace tophand::text {
namespace {

Json read_reference(const std::string& name) {
  std::ifstream in(std::string(TOPHAND_SOURCE_DIR) + "/tests/reference/" + name);
  std::stringstream text;
  text << in.rdbuf();
  auto json = parse_json(text.str());
  EXPECT_TRUE(json.has_value()) << name << ": " << json.error().message;
  return json ? *json : Json::array();
}

std::vector<std::size_t> piece_sizes(PreTokenizer kind, std::string_view text) {
  std::vector<std::size_t> out;
  for (std::size_t at = 0; at < text.size();) {
    const std::size_t end = piece_end(kind, text, at);
    if (end <= at || end > text.size()) return {};
    out.push_back(end - at);
    at = end;
  }
  return out;
}

TEST(PreTokenizer, SplitsAsTheRegularExpressionsDo) {
  const Json rows = read_reference("pretokenizer_splits.json");
  ASSERT_GT(rows.size(), 300u);
  for (const std::string name : {"gpt-2", "smollm", "llama-bpe", "qwen2", "qwen35"}) {
    const auto kind = pre_tokenizer_by_name(name);
    ASSERT_TRUE(kind.has_value());
    for (const Json& row : rows) {
      const auto text = row["text"].get<std::string>();
      EXPECT_EQ(piece_sizes(*kind, text), row[name].get<std::vector<std::size_t>>())
          << name << " on " << row["text"].dump();
    }
  }
}

TEST(PreTokenizer, NamesThatMeanTheSameGiveTheSame) {
  for (const char* name : {"llama-bpe", "llama3", "llama-v3", "falcon3"})
    EXPECT_EQ(*pre_tokenizer_by_name(name), PreTokenizer::kLlama3) << name;
  for (const char* name : {"qwen2", "deepseek-r1-qwen"})
    EXPECT_EQ(*pre_tokenizer_by_name(name), PreTokenizer::kQwen2) << name;
  EXPECT_EQ(*pre_tokenizer_by_name("default"), PreTokenizer::kGpt2);
  const std::string text = "it's  12345 \n\nx";
  EXPECT_EQ(piece_sizes(PreTokenizer::kDbrx, text), piece_sizes(PreTokenizer::kLlama3, text));
}

TEST(PreTokenizer, RefusesAnUnknownNameAndListsTheKnown) {
  const auto kind = pre_tokenizer_by_name("tekken");
  ASSERT_FALSE(kind.has_value());
  EXPECT_EQ(kind.error().code, Code::kInvalid);
  EXPECT_NE(kind.error().message.find("qwen2"), std::string::npos);
}

TEST(PreTokenizer, ABitNetFileWithoutANameSplitsLikeLlama3) {
  EXPECT_EQ(pre_tokenizer_when_absent(128'256), "llama-bpe");
  EXPECT_EQ(pre_tokenizer_when_absent(32'000), "default");
}

TEST(PreTokenizer, InvalidBytesCountAsOneSymbolEach) {
  // U+FFFD is a symbol: two of them make one piece, the letters after them another.
  EXPECT_EQ(piece_sizes(PreTokenizer::kGpt2,
                        "\xFF\xC0"
                        "ab"),
            (std::vector<std::size_t>{2, 2}));
  EXPECT_EQ(piece_sizes(PreTokenizer::kGpt2, "\xE6\xBC"), (std::vector<std::size_t>{2}));
}

struct ClassRow {
  std::uint32_t code_point;
  CharClass expected;
};

// General categories from UnicodeData.txt 16.0.
TEST(Unicode, KnowsTheClassOfCodePoints) {
  for (const auto& [code_point, expected] :
       {ClassRow{0x00, CharClass::kOther}, ClassRow{0x20, CharClass::kSpace},
        ClassRow{0x85, CharClass::kSpace}, ClassRow{0x1C, CharClass::kOther},
        ClassRow{'7', CharClass::kNumber}, ClassRow{0xBD, CharClass::kNumber},
        ClassRow{0x2167, CharClass::kNumber}, ClassRow{'z', CharClass::kLetter},
        ClassRow{0xAA, CharClass::kLetter}, ClassRow{0x301, CharClass::kMark},
        ClassRow{0x93F, CharClass::kMark}, ClassRow{0x3000, CharClass::kSpace},
        ClassRow{0x200B, CharClass::kOther}, ClassRow{0x4E00, CharClass::kLetter},
        ClassRow{0x1F600, CharClass::kOther}, ClassRow{0xFFFD, CharClass::kOther},
        ClassRow{0x10D4A, CharClass::kLetter},  // Garay, new in 16.0
        ClassRow{0x10FFFF, CharClass::kOther}})
    EXPECT_EQ(classify(code_point), expected) << std::hex << code_point;
}

TEST(Unicode, EveryCodePointSurvivesWritingAndReading) {
  for (std::uint32_t c = 0; c < 0x110000; ++c) {
    if (c >= 0xD800 && c <= 0xDFFF) continue;
    std::string bytes;
    append_utf8(c, bytes);
    const CodePoint found = decode_utf8(bytes, 0);
    ASSERT_TRUE(found.valid && found.value == c && found.bytes == bytes.size()) << std::hex << c;
    for (std::size_t cut = 1; cut < bytes.size(); ++cut)
      ASSERT_EQ(unfinished_utf8("x" + bytes.substr(0, cut)), cut) << std::hex << c;
    ASSERT_EQ(unfinished_utf8(bytes), 0u) << std::hex << c;
  }
}

// RFC 3629, section 3 and Unicode 16.0, table 3-7.
TEST(Unicode, RefusesOverlongSurrogateAndTooLargeForms) {
  for (const std::string bytes :
       {"\x80", "\xC0\x80", "\xC1\xBF", "\xE0\x9F\xBF", "\xED\xA0\x80", "\xF0\x8F\xBF\xBF",
        "\xF4\x90\x80\x80", "\xF5\x80\x80\x80", "\xFF"}) {
    EXPECT_FALSE(decode_utf8(bytes, 0).valid);
    EXPECT_EQ(decode_utf8(bytes, 0).bytes, 1);
  }
}

}  // namespace
}  // namespace tophand::text

#include "base/json.h"

#include <gtest/gtest.h>

#include "base/random.h"

namespace tophand {
namespace {

TEST(Json, RefusesNestingThatWouldCrashTheWriter) {
  const std::string bomb(200'000, '[');
  const auto parsed = parse_json(bomb);
  ASSERT_FALSE(parsed);
  EXPECT_EQ(parsed.error().code, Code::kInvalid);
  EXPECT_NE(parsed.error().message.find("nested deeper than 64"), std::string::npos);
}

TEST(Json, BracketsInsideStringsAreNotNesting) {
  EXPECT_TRUE(parse_json("\"" + std::string(1000, '[') + "\""));
  EXPECT_TRUE(parse_json(R"({"a":"\"[[[["})"));
}

TEST(Json, RefusesMoreBytesThanTheLimit) {
  const auto parsed = parse_json("[1,2,3]", JsonLimits{.bytes_max = 3, .depth_max = 64});
  ASSERT_FALSE(parsed);
  EXPECT_EQ(parsed.error().code, Code::kTooLarge);
}

TEST(Json, RefusesObjectsWithMoreMembersThanTheLimit) {
  const auto object_of = [](int members) {
    std::string text = "{\"first\":[{\"a\":1},\"x:y\"]";
    for (int i = 1; i < members; ++i) text += ",\"" + std::to_string(i) + "\":{\"b\":0}";
    return text + "}";
  };
  const auto limit = static_cast<int>(JsonLimits{}.members_max);
  EXPECT_TRUE(parse_json(object_of(limit)));
  const auto parsed = parse_json(object_of(limit + 1));
  ASSERT_FALSE(parsed);
  EXPECT_EQ(parsed.error().message, "JSON object with more than 1024 members");
}

TEST(Json, MalformedTextNamesThePlace) {
  const auto parsed = parse_json("{\"a\":}");
  ASSERT_FALSE(parsed);
  EXPECT_EQ(parsed.error().code, Code::kInvalid);
  EXPECT_NE(parsed.error().message.find("column"), std::string::npos) << parsed.error().message;
}

// What JavaScript writes of a string that was cut between the halves of a surrogate pair.
TEST(Json, AMessageDoesNotEchoALongValue) {
  for (const std::string& text : {R"({"max_tokens":)" + std::string(100'000, '9') + "}",
                                  R"({"a":")" + std::string(100'000, 'x')}) {
    const auto json = parse_json(text);
    ASSERT_FALSE(json);
    EXPECT_LT(json.error().message.size(), 400u);
    EXPECT_TRUE(json.error().message.starts_with("malformed JSON: ")) << json.error().message;
  }
}

TEST(Json, NothingStandsBehindAZeroByte) {
  using std::string_view_literals::operator""sv;
  for (const std::string_view text :
       {"{}\0"sv, "{\"a\":1}\0{\"a\":2}"sv, "{\"a\":1}\0\xff"sv, "[\0]"sv, "\0"sv, "\"a\0b\""sv})
    EXPECT_EQ(parse_json(text).error().code, Code::kInvalid) << text;
  EXPECT_EQ(parse_json(R"("a\u0000b")"), Json("a\0b"sv));
}

TEST(Json, HalfASurrogatePairIsAReplacementCharacter) {
  const std::pair<const char*, const char*> texts[] = {
      {R"(["a\ud83d"])", "[\"a\uFFFD\"]"},
      {R"(["\ude00b"])", "[\"\uFFFDb\"]"},
      {R"(["\ud83d\ud83d\ude00"])", "[\"\uFFFD\U0001F600\"]"},
      {R"(["\ud83d\u0041"])", "[\"\uFFFDA\"]"},
      {R"(["\\ud83d"])", R"(["\\ud83d"])"},
      {R"(["\ud83d\\ude00"])", "[\"\uFFFD\\\\ude00\"]"},
      {R"({"\uDC00":1})", "{\"\uFFFD\":1}"},
  };
  for (const auto& [text, read] : texts) {
    const auto parsed = parse_json(text);
    ASSERT_TRUE(parsed) << text << ": " << parsed.error().message;
    EXPECT_EQ(dump_json(*parsed), read) << text;
  }
  for (const char* text : {R"(["\ud83d\u"])", R"(["\ud83"])", R"(["\ud83d)", R"(["\ud83g"])"})
    EXPECT_FALSE(parse_json(text)) << text;
}

TEST(Json, KeepsKeyOrderAndShortNumbers) {
  EXPECT_EQ(dump_json(*parse_json(R"({"z":0.7,"a":[1,true,null]})")),
            R"({"z":0.7,"a":[1,true,null]})");
}

// What nlohmann's own reader and writer make of it is right, but for lone surrogates.
void expect_as_the_library(const std::string& text) {
  Json expected;
  bool is_json = true;
  try {
    expected = Json::parse(text);
  } catch (const Json::exception&) {
    is_json = false;
  }
  const auto parsed = parse_json(text);
  ASSERT_EQ(parsed.has_value(), is_json) << text;
  if (!is_json) return;
  EXPECT_EQ(*parsed, expected) << text;
  EXPECT_EQ(parsed->is_number_float(), expected.is_number_float()) << text;
  EXPECT_EQ(dump_json(*parsed), expected.dump(-1, ' ', false, Json::error_handler_t::replace))
      << text;
}

TEST(Json, ReadsAndWritesWhatTheLibraryDoes) {
  for (const char* text : {"0",
                           "-0",
                           "-1",
                           "9223372036854775807",
                           "9223372036854775808",
                           "18446744073709551615",
                           "18446744073709551616",
                           "-9223372036854775808",
                           "-9223372036854775809",
                           "1e400",
                           "-1e-400",
                           "0.1",
                           "1.0",
                           "1E5",
                           "123456789012345678901234567890",
                           "01",
                           "1.",
                           ".5",
                           "+1",
                           "NaN",
                           R"("\ud83d\ude00")",
                           R"("\u0000\u001f\u007f")",
                           R"("\b\f\n\r\t\/\\\"")",
                           R"({"a":1,"b":2,"a":3})",
                           R"({"a":{"x":1},"a":{}})",
                           "[]",
                           "{}",
                           "[[],{}]",
                           " [1 , 2 ] ",
                           "[1,]",
                           "{\"a\"}",
                           "\"a\xff\"",
                           "\"\xed\xa0\x80\"",
                           "tru",
                           "",
                           " ",
                           "[1] 2",
                           "\xef\xbb\xbf{}",
                           "\"\x01\"",
                           "null",
                           "\"\xc3\xa9\xe2\x82\xac\xf0\x9f\x98\x80\""})
    expect_as_the_library(text);
}

TEST(Json, ReadsAndWritesMutatedTextAsTheLibraryDoes) {
  const std::string seed_text =
      R"({"model":"m","messages":[{"role":"user","content":"h\u00e9llo \"w\" \u20ac\n"},)"
      R"({"role":"tool","content":[{"type":"text","text":"x\\y"}]}],"n":-12,"t":0.7,"b":[true,null]})";
  constexpr std::uint64_t kSeed = 20261126;
  SplitMix64 random(kSeed);
  for (int round = 0; round < 20'000; ++round) {
    std::string text = seed_text;
    for (std::uint64_t edits = 1 + random.next() % 3; edits > 0; --edits) {
      const std::size_t at = random.next() % text.size();
      constexpr std::string_view kPieces = "{}[]\",:\\0-eu \x80\xc3n";
      const char piece = kPieces[random.next() % kPieces.size()];
      if (random.next() % 2 == 0) text[at] = piece;
      else if (random.next() % 2 == 0) text.insert(at, 1, piece);
      else text.erase(at, 1);
    }
    expect_as_the_library(text);
    if (HasFatalFailure() || HasNonfatalFailure()) FAIL() << "seed " << kSeed << " round " << round;
  }
}

TEST(Json, WritesInvalidUtf8AsReplacementCharacters) {
  EXPECT_EQ(dump_json(Json("a\xff")), "\"a\xef\xbf\xbd\"");
}

TEST(Json, ReadersFallBackOnMissingOrWrongType) {
  const Json object = *parse_json(R"({"n":3,"f":2.5,"s":"x","big":1e300,"neg":-4})");
  EXPECT_EQ(int_or(object, "n", 7), 3);
  EXPECT_EQ(int_or(object, "s", 7), 7);
  EXPECT_EQ(int_or(object, "big", 7), 7);
  EXPECT_EQ(int_or(object, "neg", 7), -4);
  EXPECT_EQ(int_or(object, "f", 7), 2);
  EXPECT_EQ(string_or(object, "s", "?"), "x");
  EXPECT_EQ(string_or(object, "n", "?"), "?");
  EXPECT_EQ(number_or(object, "f", 0), 2.5);
}

}  // namespace
}  // namespace tophand

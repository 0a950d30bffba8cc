#include "base/json.h"

#include <gtest/gtest.h>

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

TEST(Json, KeepsKeyOrderAndShortNumbers) {
  EXPECT_EQ(dump_json(*parse_json(R"({"z":0.7,"a":[1,true,null]})")),
            R"({"z":0.7,"a":[1,true,null]})");
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

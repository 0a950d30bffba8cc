#include "chat/answer_mend.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "base/json.h"
#include "chat/answer_check.h"

namespace tophand::chat {
namespace {

struct Row {
  const char* name;
  const char *schema, *value, *mended;
};
void PrintTo(const Row& row, std::ostream* out) {
  *out << row.name;
}
class MendedJson : public testing::TestWithParam<Row> {};

TEST_P(MendedJson, IsSpelledAsTheSchemaWants) {
  const auto schema = parse_json(GetParam().schema), value = parse_json(GetParam().value);
  ASSERT_TRUE(schema && value);
  EXPECT_EQ(dump_json(mended_json(*schema, *value)), GetParam().mended);
}

INSTANTIATE_TEST_SUITE_P(
    All, MendedJson,
    testing::Values(
        Row{"Integer", R"({"type":"integer"})", R"(" 42 ")", "42"},
        Row{"IntegerWithPoint", R"({"type":"integer"})", R"("42.0")", "42"},
        Row{"NoInteger", R"({"type":"integer"})", R"("42.5")", R"("42.5")"},
        Row{"NoNumber", R"({"type":"number"})", R"("42 EUR")", R"("42 EUR")"},
        Row{"NotFinite", R"({"type":"number"})", R"("inf")", R"("inf")"},
        Row{"TooLargeForAnInteger", R"({"type":"integer"})", R"("1e300")", R"("1e300")"},
        Row{"Number", R"({"type":"number"})", R"("-1.5")", "-1.5"},
        Row{"Boolean", R"({"type":"boolean"})", R"("False")", "false"},
        Row{"NoBoolean", R"({"type":"boolean"})", R"("yes")", R"("yes")"},
        Row{"Null", R"({"type":["integer","null"]})", R"("null")", "null"},
        Row{"String", R"({"type":"string"})", "7", R"("7")"},
        Row{"OneForAList", R"({"type":"array","items":{"type":"integer"}})", R"("7")", "[7]"},
        Row{"ListForOne", R"({"type":"string"})", R"(["a"])", R"("a")"},
        Row{"TwoForOne", R"({"type":"string"})", R"(["a","b"])", R"(["a","b"])"},
        Row{"Enum", R"({"enum":["high","in_progress"]})", R"("In Progress")", R"("in_progress")"},
        Row{"EnumTwice", R"({"enum":["a","A"]})", R"(" a")", R"(" a")"},
        Row{"Members", R"({"properties":{"full_time":{"type":"boolean"}}})",
            R"({"fullTime":"true"})", R"({"full_time":true})"},
        Row{"MemberIsThere", R"({"properties":{"a_b":{},"aB":{}}})", R"({"aB":1})", R"({"aB":1})"},
        Row{"TooMany", R"({"properties":{"a":{}},"additionalProperties":false})",
            R"({"a":1,"b":2})", R"({"a":1})"},
        Row{"MoreMayBe", R"({"properties":{"a":{}}})", R"({"a":1,"b":2})", R"({"a":1,"b":2})"},
        Row{"MissingMayBeNull",
            R"({"properties":{"a":{"type":["string","null"]}},"required":["a"]})", "{}",
            R"({"a":null})"},
        Row{"MissingStaysMissing", R"({"properties":{"a":{"type":"string"}},"required":["a"]})",
            "{}", "{}"},
        Row{"Deeper",
            R"({"properties":{"l":{"type":"array","items":{"properties":{"n":{"type":)"
            R"("integer"}}}}}})",
            R"({"l":[{"n":"1"},{"n":2}]})", R"({"l":[{"n":1},{"n":2}]})"},
        Row{"NoSchema", "true", R"("7")", R"("7")"},
        Row{"OddSchema", R"({"type":7,"enum":{},"properties":[],"required":3,"items":5})",
            R"({"a":[1]})", R"({"a":[1]})"}),
    [](const auto& test) { return test.param.name; });

TEST(MendedJson, TakesABoundedTimeForHostileSchemas) {
  Json schema = Json::object(), value = Json::array();
  schema["type"] = "array";
  for (int i = 0; i < 20'000; ++i) {
    schema["items"]["enum"].push_back("choice " + std::to_string(i));
    value.push_back("CHOICE " + std::to_string(19'999 - i));
  }
  const Json mended = mended_json(schema, value);  // 4e8 comparisons if there were no bound
  EXPECT_EQ(mended.size(), value.size());
  EXPECT_EQ(mended.front(), "choice 19999");
  EXPECT_EQ(mended.back(), value.back());
}

TEST(JsonCandidates, AreFoundInFencesAndAmongWords) {
  EXPECT_THAT(json_candidates(" {\"a\":1}\n"), testing::ElementsAre("{\"a\":1}"));
  EXPECT_THAT(json_candidates("```json\n[1]\n```"), testing::ElementsAre("[1]"));
  EXPECT_THAT(json_candidates("Here:\n```\n[1]\n```\nor {\"b\":\"}\"} so"),
              testing::IsSupersetOf({"[1]", "{\"b\":\"}\"}"}));
  EXPECT_THAT(json_candidates("It is {\"a\":[1,2]}."), testing::Contains("{\"a\":[1,2]}"));
  EXPECT_THAT(json_candidates(""), testing::ElementsAre(""));
  EXPECT_THAT(json_candidates("```"), testing::ElementsAre("```"));
  EXPECT_THAT(json_candidates("```\n{\"a\""), testing::Contains("{\"a\""));
  EXPECT_LE(json_candidates(std::string(1000, '[')).size(), 8u);
}

Request wanting(const char* schema) {
  Request request;
  request.json_schema = schema;
  return request;
}

TEST(ReadJsonAnswer, LeavesWhatFitsAsItWasWritten) {
  const JsonAnswer got = read_json_answer(wanting(R"({"type":"object"})"), "{ \"n\" : 1.0 }\n");
  EXPECT_EQ(got.text, "{ \"n\" : 1.0 }");
  EXPECT_FALSE(got.fault || got.mended);
}

TEST(ReadJsonAnswer, TakesTheOneThatFits) {
  const char* schema = R"({"type":"object","required":["n"]})";
  const JsonAnswer got = read_json_answer(wanting(schema), "Not {\"m\":1} but {\"n\":1}, I think.");
  EXPECT_EQ(got.text, "{\"n\":1}");
  EXPECT_FALSE(got.fault || got.mended);
}

TEST(ReadJsonAnswer, MendsOnlyWhatFitsThen) {
  const char* schema =
      R"({"type":"object","properties":{"n":{"type":"integer","maximum":5}},"required":["n"]})";
  const JsonAnswer good = read_json_answer(wanting(schema), "{\"n\":\"5\"}");
  EXPECT_EQ(good.text, "{\"n\":5}");
  EXPECT_TRUE(good.mended);
  const JsonAnswer bad = read_json_answer(wanting(schema), "{\"n\":\"6\"}");
  ASSERT_TRUE(bad.fault);
  EXPECT_EQ(bad.fault->kind, Fault::Kind::kWrongJson);
  EXPECT_EQ(bad.text, "{\"n\":\"6\"}");
  EXPECT_FALSE(bad.mended);
}

TEST(ReadJsonAnswer, SaysWhatIsNoJson) {
  const JsonAnswer got = read_json_answer(wanting("{}"), "I do not know.");
  ASSERT_TRUE(got.fault);
  EXPECT_EQ(got.fault->kind, Fault::Kind::kNotJson);
}

}  // namespace
}  // namespace tophand::chat

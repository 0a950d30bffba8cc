// Expected forms: Anthropic's documentation of structured outputs, and what the transform_schema()
// of its Python SDK (2.14.0) makes of the same schemas, but for the words in the descriptions.
#include <gtest/gtest.h>

#include <string>

#include "base/json.h"
#include "chat/anthropic_schema.h"
#include "chat/dialect.h"
#include "chat/upstream.h"

namespace tophand::chat {
namespace {

// Of an object with the property x, what becomes of that; "in words" where the API is not told.
std::string property(const std::string& schema, const std::string& rest = "") {
  auto form = answer_schema_for_claude(
      *parse_json(R"({"type":"object","properties":{"x":)" + schema + "}" + rest + "}"));
  return form ? dump_json((*form)["properties"]["x"]) : "in words";
}

struct Row {
  const char* name;
  const char* given;
  const char* expected;
};
void PrintTo(const Row& row, std::ostream* out) {
  *out << row.name;
}

class AnswerSchema : public testing::TestWithParam<Row> {};

TEST_P(AnswerSchema, IsWhatTheApiTakes) {
  EXPECT_EQ(property(GetParam().given), GetParam().expected);
}

INSTANTIATE_TEST_SUITE_P(
    Properties, AnswerSchema,
    testing::Values(
        Row{"LimitsOfNumbers", R"({"type":"integer","minimum":1,"maximum":5,"multipleOf":2})",
            R"({"type":"integer","description":"{\"minimum\":1,\"maximum\":5,\"multipleOf\":2}"})"},
        Row{"LimitsOfTexts",
            R"({"type":"string","minLength":1,"maxLength":9,"pattern":"^a","description":"A name"})",
            R"({"type":"string","description":"A name\n\n{\"minLength\":1,\"maxLength\":9,)"
            R"(\"pattern\":\"^a\"}"})"},
        Row{"LimitsOfLists",
            R"({"type":"array","items":{"type":"number","minimum":0},"minItems":2,"maxItems":3})",
            R"({"type":"array","items":{"type":"number","description":"{\"minimum\":0}"},)"
            R"("description":"{\"minItems\":2,\"maxItems\":3}"})"},
        Row{"OneItemAtLeast", R"({"type":"array","items":{"type":"null"},"minItems":1})",
            R"({"type":"array","items":{"type":"null"},"minItems":1})"},
        Row{"KnownFormat", R"({"type":"string","format":"date-time"})",
            R"({"type":"string","format":"date-time"})"},
        Row{"UnknownFormat", R"({"type":"string","format":"iri"})",
            R"({"type":"string","description":"{\"format\":\"iri\"}"})"},
        Row{"OneOf", R"({"oneOf":[{"type":"string"},{"type":"null"}]})",
            R"({"anyOf":[{"type":"string"},{"type":"null"}]})"},
        Row{"OptionalOfPydantic",
            R"({"anyOf":[{"type":"string","maxLength":3},{"type":"null"}],"default":null,"title":"X"})",
            R"({"anyOf":[{"type":"string","description":"{\"maxLength\":3}"},{"type":"null"}],)"
            R"("title":"X"})"},
        Row{"TypesInAList", R"({"type":["string","null"],"minLength":1})",
            R"({"type":["string","null"],"description":"{\"minLength\":1}"})"},
        Row{"Enum", R"({"type":"string","enum":["a","b"],"default":"a"})",
            R"({"enum":["a","b"],"description":"{\"default\":\"a\"}"})"},
        Row{"Const", R"({"const":null})", R"({"const":null})"},
        Row{"EnumOfObjects", R"({"type":"string","enum":[{}]})",
            R"({"type":"string","description":"{\"enum\":[{}]}"})"},
        Row{"ClosedObjects",
            R"({"type":"object","properties":{"a":{"type":"null"}},)"
            R"("required":["a"],"minProperties":1})",
            R"({"type":"object","properties":{"a":{"type":"null"}},"required":["a"],)"
            R"("additionalProperties":false,"description":"{\"minProperties\":1}"})"},
        Row{"OpenObjectsAreClosed",
            R"({"properties":{"a":{"type":"null"}},"additionalProperties":{"type":"string"}})",
            R"({"type":"object","properties":{"a":{"type":"null"}},"additionalProperties":false})"},
        Row{"ChoicesThatNarrowAType",
            R"({"type":"object","properties":{"a":{"type":"null"}},"anyOf":[{"required":["a"]}]})",
            R"({"type":"object","properties":{"a":{"type":"null"}},"additionalProperties":false,)"
            R"("description":"{\"anyOf\":[{\"required\":[\"a\"]}]}"})"},
        Row{"ChoicesOfObjects", R"({"type":"object","oneOf":[{"properties":{"a":{"const":1}}}]})",
            R"({"anyOf":[{"type":"object","properties":{"a":{"const":1}},)"
            R"("additionalProperties":false}]})"},
        Row{"AllOfOne", R"({"allOf":[{"type":"string"}],"description":"d"})",
            R"({"type":"string","description":"d"})"},
        Row{"AnyItems", R"({"type":"array","items":{}})", R"({"type":"array"})"},
        Row{"Tuples", R"({"type":"array","prefixItems":[{"type":"null"}],"items":false})",
            R"({"type":"array","description":"{\"prefixItems\":[{\"type\":\"null\"}],\"items\":false}"})"},
        Row{"AnyValue", "{}", "in words"}, Row{"True", "true", "in words"},
        Row{"AnyObject", R"({"type":"object"})", "in words"},
        Row{"Maps", R"({"type":"object","additionalProperties":{"type":"string"}})", "in words"},
        Row{"MapsWithNoNames", R"({"type":"object","properties":{},"additionalProperties":true})",
            "in words"},
        Row{"PatternsOfNames", R"({"type":"object","properties":{},"patternProperties":{"a":{}}})",
            "in words"},
        Row{"RequiredButUnknown", R"({"type":"object","properties":{},"required":["a"]})",
            "in words"},
        Row{"AllOfSeveral", R"({"allOf":[{"type":"string"},{"minLength":1}]})", "in words"},
        Row{"AnyOfAnything", R"({"anyOf":[{"type":"string"},{}]})", "in words"},
        Row{"UnknownType", R"({"type":"any"})", "in words"},
        Row{"SchemasElsewhere", R"({"$ref":"https://x.example/y"})", "in words"},
        Row{"TheRootItself", R"({"$ref":"#"})", "in words"}),
    [](const auto& row) { return row.param.name; });

TEST(AnswerSchema, NamedSchemasAreSentUnlessTheyGoInCircles) {
  EXPECT_EQ(dump_json(*answer_schema_for_claude(*parse_json(
                R"({"$ref":"#/definitions/A","definitions":{"A":{"type":"object","properties":)"
                R"({"b":{"$ref":"#/definitions/B","description":"d"},"c":{"allOf":[)"
                R"({"$ref":"#/definitions/B"}]}}},"B":{"type":"string","minLength":1},"C":{}}})"))),
            R"({"$ref":"#/$defs/A","$defs":{"A":{"type":"object","properties":{"b":)"
            R"({"$ref":"#/$defs/B"},"c":{"$ref":"#/$defs/B"}},"additionalProperties":false},)"
            R"("B":{"type":"string","description":"{\"minLength\":1}"}}})");
  EXPECT_EQ(property(R"({"$ref":"#/$defs/A"})",
                     R"(,"$defs":{"A":{"type":"array","items":{"$ref":"#/$defs/B"}},)"
                     R"("B":{"anyOf":[{"type":"null"},{"$ref":"#/$defs/A"}]}})"),
            "in words");
  EXPECT_EQ(property(R"({"$ref":"#/$defs/A"})",
                     R"(,"$defs":{"A":{"type":"array","items":{"$ref":"#/$defs/A"}}})"),
            "in words");
}

TEST(AnswerSchema, OnlyAnObjectStandsAtTheTop) {
  for (const char* schema :
       {R"({"type":"array","items":{"type":"string"}})", R"({"type":"string"})",
        R"({"anyOf":[{"type":"object","properties":{}}]})", R"({"enum":["a"]})", "{}"})
    EXPECT_FALSE(answer_schema_for_claude(*parse_json(schema))) << schema;
}

TEST(AnswerSchema, WhatTheApiCannotBeToldTheSystemTextTells) {
  const std::string body =
      R"({"model":"m","messages":[{"role":"system","content":"s"},)"
      R"({"role":"user","content":"q"}],"response_format":{"type":)"
      R"("json_schema","json_schema":{"name":"n","schema":{"type":"array"}}}})";
  const auto request = parse_request(Dialect::kOpenAiChat, body);
  ASSERT_TRUE(request);
  EXPECT_EQ(request->json_schema, R"({"type":"array"})") << "answers are held against";
  for (const std::string& text : {write_anthropic_request(*request, "claude-x", {}),
                                  write_anthropic_count(*request, "claude-x")}) {
    const Json sent = *parse_json(text);
    EXPECT_FALSE(sent.contains("output_config"));
    EXPECT_EQ(sent["system"],
              "s\n\nAnswer with JSON that fits this JSON Schema, and nothing else: "
              R"({"type":"array"})");
  }
}

}  // namespace
}  // namespace tophand::chat

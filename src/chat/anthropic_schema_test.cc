#include "chat/anthropic_schema.h"

#include <gtest/gtest.h>

#include <string>
#include <utility>

#include "base/json.h"
#include "chat/dialect.h"
#include "chat/upstream.h"

namespace tophand::chat {
namespace {

std::string changed(const char* schema, void (*change)(Json&)) {
  Json json = *parse_json(schema);
  change(json);
  return dump_json(json);
}

TEST(AnthropicSchema, NullsAreTakenOutWhereverASchemaStands) {
  const std::pair<const char*, const char*> rows[] = {
      {R"({"type":"object","required":null,"properties":null})", R"({"type":"object"})"},
      {R"({"properties":{"a":{"type":"string","enum":null},"b":null}})",
       R"({"properties":{"a":{"type":"string"}}})"},
      {R"({"properties":{"default":null}})", R"({"properties":{}})"},
      {R"({"items":null,"anyOf":[{"items":{"required":null}}]})", R"({"anyOf":[{"items":{}}]})"},
      {R"({"items":[{"description":null}],"$defs":{"x":{"type":null}}})",
       R"({"items":[{}],"$defs":{"x":{}}})"},
      {R"({"additionalProperties":{"format":null}})", R"({"additionalProperties":{}})"},
  };
  for (const auto& [given, kept] : rows) EXPECT_EQ(changed(given, drop_nulls), kept);
}

TEST(AnthropicSchema, NullsThatAreValuesStay) {
  for (const char* schema : {R"({"enum":["a",null]})", R"({"const":null})",
                             R"({"type":"string","default":null})", R"({"default":{"a":null}})",
                             R"({"examples":[null]})", R"({"type":["object","null"]})", "true"})
    EXPECT_EQ(changed(schema, drop_nulls), schema);
}

// Ollama's clients in Go and Python write out fields that are not set.
TEST(AnthropicSchema, AToolOfAnOllamaClientReachesClaudeWithoutNulls) {
  const auto request = parse_request(
      Dialect::kOllamaChat,
      R"({"model":"m","messages":[{"role":"user","content":"q"}],"tools":[{"type":"function",)"
      R"("function":{"name":"f","description":"d","parameters":{"type":"object","$defs":null,)"
      R"("items":null,"required":null,"properties":{"a":{"type":"string","items":null,)"
      R"("enum":null}}}}}],"format":{"type":"object","required":null,"properties":{"b":)"
      R"({"type":["object","null"],"properties":{},"items":null}}}})");
  ASSERT_TRUE(request) << request.error().message;
  const auto sent = parse_json(write_anthropic_request(*request, "claude-x", {.max_tokens = 9}));
  ASSERT_TRUE(sent);
  EXPECT_EQ(dump_json(sent->at("tools")[0]["input_schema"]),
            R"({"type":"object","properties":{"a":{"type":"string"}}})");
  EXPECT_EQ(dump_json(sent->at("output_config")["format"]["schema"]),
            R"({"type":"object","properties":{"b":{"type":["object","null"],"properties":{},)"
            R"("additionalProperties":false}},"additionalProperties":false})");
}

}  // namespace
}  // namespace tophand::chat

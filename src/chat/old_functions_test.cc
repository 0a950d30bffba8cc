#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "chat/dialect.h"
#include "chat/test_support.h"

namespace tophand::chat {
namespace {

constexpr auto kOpenAi = Dialect::kOpenAiChat;

// `functions` and `function_call`, which came before tools.
TEST(OldFunctions, AreToolsCalledOneAtATime) {
  const auto asked = [](const char* rest) {
    return parsed(kOpenAi, R"({"model":"m","messages":[{"role":"user","content":"hi"}],)"
                           R"("functions":[{"name":"f","description":"d","parameters":{"a":1}}])" +
                               std::string(rest) + "}");
  };
  const Request request = asked("");
  ASSERT_EQ(request.tools.size(), 1U);
  EXPECT_EQ(request.tools[0].name, "f");
  EXPECT_EQ(request.tools[0].input_schema_json, R"({"a":1})");
  EXPECT_TRUE(request.old_functions);
  EXPECT_FALSE(request.tool_choice.parallel);
  EXPECT_EQ(request.tool_choice.kind, ToolChoice::Kind::kAuto);
  EXPECT_EQ(asked(R"(,"function_call":"auto")").tool_choice.kind, ToolChoice::Kind::kAuto);
  EXPECT_EQ(asked(R"(,"function_call":"none")").tool_choice.kind, ToolChoice::Kind::kNone);
  const Request named = asked(R"(,"function_call":{"name":"f"})");
  EXPECT_EQ(named.tool_choice.kind, ToolChoice::Kind::kNamed);
  EXPECT_EQ(named.tool_choice.name, "f");
}

TEST(OldFunctions, AreNotMissedWhereThereAreNone) {
  for (const char* rest : {R"("functions":null,"function_call":null)", R"("functions":[])",
                           R"("function_call":"auto")"})
    EXPECT_FALSE(parsed(kOpenAi, R"({"model":"m","messages":[{"role":"user","content":"hi"}],)" +
                                     std::string(rest) + "}")
                     .old_functions)
        << rest;
}

}  // namespace
}  // namespace tophand::chat

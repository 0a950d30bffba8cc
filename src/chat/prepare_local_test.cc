// What a request loses and gains on its way to a local model.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "chat/dialect.h"
#include "chat/test_support.h"

namespace tophand::chat {
namespace {

constexpr auto kAnthropic = Dialect::kAnthropicMessages;
constexpr auto kOllamaChat = Dialect::kOllamaChat;

#define A(messages) R"({"model":"m","max_tokens":9,"messages":[)" messages "]}"

TEST(PrepareForLocal, StripsWhatChangesBetweenSessions) {
  Request request = parsed(
      kAnthropic,
      R"({"model":"m","max_tokens":9,"system":[{"type":"text","text":)"
      R"("x-anthropic-billing-header: cc_version=2.1; cch=a1b;"},{"type":"text","text":"You code."}],)"
      R"("messages":[{"role":"user","content":"a<total_tokens>12 left</total_tokens>b"},)"
      R"({"role":"system","content":"<total_tokens>9</total_tokens>"},)"
      R"({"role":"user","content":"x-anthropic-billing-header: stays in user text <total_tokens>"}]})");
  prepare_for_local(request);
  EXPECT_EQ(shown(request.messages),
            "system: 'You code.' | user: 'ab' | "
            "user: 'x-anthropic-billing-header: stays in user text <total_tokens>'");
  const std::string once = shown(request.messages);
  prepare_for_local(request);
  EXPECT_EQ(shown(request.messages), once);
}

TEST(ReadiedForLocal, IsACopyOnlyWhereThatChangesTheRequest) {
  const struct {
    std::string what, body;
    bool copied;
  } rows[] = {
      {"text", A(R"({"role":"user","content":"Hi."},{"role":"assistant","content":"Ho."})"), false},
      {"a tool's answer",
       A(R"({"role":"user","content":[{"type":"tool_result","tool_use_id":"t","content":"42"}]})"),
       false},
      {"a marker", A(R"({"role":"user","content":"a<total_tokens>1</total_tokens>"})"), true},
      {"a marker in a tool's answer",
       A(R"({"role":"user","content":[{"type":"tool_result","tool_use_id":"t",)"
         R"("content":"<total_tokens>1</total_tokens>"}]})"),
       true},
      {"an image",
       A(R"({"role":"user","content":[{"type":"image","source":{"type":"url","url":"u"}}]})"),
       true},
      {"a billing header",
       R"({"model":"m","max_tokens":9,"system":"x-anthropic-billing-header: a",)"
       R"("messages":[{"role":"user","content":"Hi."}]})",
       true},
  };
  for (const auto& row : rows) {
    Request request = parsed(kAnthropic, row.body);
    const auto readied = readied_for_local(request);
    EXPECT_EQ(readied.has_value(), row.copied) << row.what;
    const std::string as_it_goes = shown(readied ? readied->messages : request.messages);
    const auto unsupported = readied ? readied->unsupported : request.unsupported;
    prepare_for_local(request);
    EXPECT_EQ(as_it_goes, shown(request.messages)) << row.what;
    EXPECT_EQ(unsupported, request.unsupported) << row.what;
  }
  const Request json = parsed(
      kOllamaChat, R"({"model":"m","format":"json","messages":[{"role":"user","content":"x"}]})");
  EXPECT_TRUE(readied_for_local(json).has_value());
}

TEST(PrepareForLocal, SaysWhenJsonIsWantedOnce) {
  Request request = parsed(kOllamaChat, R"({"model":"m","format":{"type":"array"},)"
                                        R"("messages":[{"role":"user","content":"List."}]})");
  for (int i = 0; i < 2; ++i) {
    prepare_for_local(request);
    EXPECT_EQ(shown(request.messages),
              "system: 'Answer with JSON that fits this JSON Schema, and nothing else: "
              R"({"type":"array"}' | user: 'List.')");
  }
}

TEST(PrepareForLocal, LeavesOutWhatClaudeThoughtInSecret) {
  Request request = parsed(
      kAnthropic, A(R"({"role":"user","content":"a"},{"role":"assistant","content":[)"
                    R"({"type":"redacted_thinking","data":"x"},{"type":"text","text":"b"}]},)"
                    R"({"role":"user","content":"c"})"));
  prepare_for_local(request);
  EXPECT_EQ(shown(request.messages), "user: 'a' | assistant: 'b' | user: 'c'");
  EXPECT_THAT(request.unsupported, testing::IsEmpty());
}

TEST(PrepareForLocal, ListsEachUnsupportedBlockOnce) {
  Request request = parsed(
      kAnthropic,
      A(R"({"role":"user","content":[{"type":"image","source":{"type":"url","url":"u"}},)"
        R"({"type":"image","source":{"type":"url","url":"u"}},{"type":"document","source":{}},)"
        R"({"type":"tool_result","tool_use_id":"t","content":[{"type":"image","source":{"type":"url","url":"u"}}]}]})"));
  prepare_for_local(request);
  EXPECT_THAT(request.unsupported, testing::UnorderedElementsAre("image", "document"));
}

// Its bytes are Claude's alone, so a model that takes images cannot take it either.
TEST(PrepareForLocal, TellsAnImageByFileIdFromThoseThatSomeModelsTake) {
  constexpr std::string_view kBodies[] = {
      A(R"({"role":"user","content":[{"type":"text","text":"What is it?"},)"
        R"({"type":"image","source":{"type":"file","file_id":"file_1"}}]})"),
      A(R"({"role":"user","content":[{"type":"tool_result","tool_use_id":"t","content":[)"
        R"({"type":"image","source":{"type":"file","file_id":"file_1"}}]}]})")};
  for (const std::string_view body : kBodies) {
    Request request = parsed(kAnthropic, body);
    prepare_for_local(request);
    EXPECT_THAT(request.unsupported, testing::ElementsAre("image_file_id")) << body;
  }
}

}  // namespace
}  // namespace tophand::chat

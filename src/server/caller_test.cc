#include "server/caller.h"

#include <gtest/gtest.h>

#include "chat/dialect.h"

namespace tophand::server {
namespace {

chat::Request parsed(chat::Dialect dialect, std::string_view body) {
  auto request = chat::parse_request(dialect, body);
  EXPECT_TRUE(request) << request.error().message;
  return request ? *std::move(request) : chat::Request{};
}

Caller messages(std::string_view rest, const net::Headers& headers = {}) {
  return caller_of("k1", headers,
                   parsed(chat::Dialect::kAnthropicMessages,
                          R"({"model":"auto","max_tokens":9,)" + std::string(rest) + "}"));
}
Caller chat_call(std::string_view rest, const net::Headers& headers = {}) {
  return caller_of("k1", headers,
                   parsed(chat::Dialect::kOpenAiChat,
                          R"({"model":"auto","messages":[{"role":"user","content":"hi"}],)" +
                              std::string(rest) + "}"));
}
net::Headers header(std::string_view name, std::string_view value) {
  net::Headers headers;
  headers.add(std::string(name), std::string(value));
  return headers;
}
constexpr std::string_view kHi = R"("messages":[{"role":"user","content":"hi"}])";

TEST(Caller, TheAgentIsWhatItCallsItselfElseAHashOfTheUser) {
  EXPECT_EQ(messages(kHi, header("x-tophand-agent", "monday")).agent, "monday");
  EXPECT_EQ(messages(kHi, header("x-openclaw-agent", "ops")).agent, "ops");
  EXPECT_EQ(chat_call(R"("metadata":{"agent":"friday"})").agent, "friday");
  const std::string hash = chat_call(R"("user":"ann@example.org")").agent;
  EXPECT_EQ(hash.substr(0, 2), "u-");
  EXPECT_EQ(hash.size(), 18U);
  EXPECT_EQ(messages(kHi).agent, "");
}

TEST(Caller, NamesAreBoundedAndPrintable) {
  const std::string long_name(5000, 'x');
  EXPECT_LE(messages(kHi, header("x-tophand-agent", long_name)).agent.size(), 64U);
  EXPECT_EQ(chat_call(R"("metadata":{"agent":"a\nb"})").agent.substr(0, 2), "a-");
  EXPECT_EQ(chat_call(R"("metadata":{"agent":"ann@example.org"})").agent.substr(0, 2), "a-");
}

TEST(Caller, AnAgentThatIsKeptAsAHashIsKnownToTheRulesAsItCallsItself) {
  EXPECT_EQ(messages(kHi, header("x-tophand-agent", "monday")).agent_said, "");
  EXPECT_EQ(messages(kHi, header("x-tophand-agent", "vault keeper")).agent_said, "vault keeper");
  EXPECT_EQ(chat_call(R"("user":"ann@example.org")").agent_said, "");
}

TEST(Caller, TheSessionComesFromHeadersAndTheBodiesOfEveryClient) {
  EXPECT_EQ(messages(kHi, header("x-claude-code-session-id", "1-2-3")).session, "1-2-3");
  EXPECT_EQ(messages(std::string(kHi) +
                     R"(,"metadata":{"user_id":"{\"device_id\":\"d\",\"session_id\":\"4-5\"}"})")
                .session,
            "4-5");
  EXPECT_EQ(
      messages(std::string(kHi) + R"(,"metadata":{"user_id":"user_ab_account_cd_session_6-7"})")
          .session,
      "6-7");
  EXPECT_EQ(chat_call(R"("prompt_cache_key":"pck")").session, "pck");
  EXPECT_EQ(chat_call(R"("metadata":{"session_id":"m1"})").session, "m1");
  EXPECT_EQ(chat_call(R"("conversation":{"id":"conv_1"})").session, "conv_1");
  EXPECT_EQ(messages(kHi).session.substr(0, 2), "c-");
}

TEST(Caller, AConversationIsKnownByItsBeginningAndItsKey) {
  constexpr std::string_view kLater =
      R"("messages":[{"role":"user","content":"hi"},{"role":"assistant","content":"ho"},
      {"role":"user","content":"and?"}])";
  constexpr std::string_view kOther = R"("messages":[{"role":"user","content":"hi there"}])";
  EXPECT_EQ(messages(kHi).conversation.conversation, messages(kLater).conversation.conversation);
  EXPECT_EQ(messages(kHi).session, messages(kLater).session);
  EXPECT_NE(messages(kHi).conversation.conversation, messages(kOther).conversation.conversation);
  const auto request = parsed(chat::Dialect::kAnthropicMessages,
                              R"({"model":"auto","max_tokens":9,)" + std::string(kHi) + "}");
  EXPECT_NE(caller_of("k1", {}, request).conversation.conversation,
            caller_of("k2", {}, request).conversation.conversation);
}

TEST(Caller, HelpersOfOneSessionAreConversationsOfTheirOwn) {
  net::Headers main = header("x-claude-code-session-id", "s"), helper = main;
  helper.add("x-claude-code-agent-id", "7");
  EXPECT_NE(messages(kHi, main).conversation.session, messages(kHi, helper).conversation.session);
}

TEST(Caller, AToolLoopIsSeenBehindTextsThatClientsAppend) {
  constexpr std::string_view kCall =
      R"("messages":[{"role":"user","content":"x"},{"role":"assistant","content":[
      {"type":"tool_use","id":"t","name":"f","input":{}}]},)";
  constexpr std::string_view kResult =
      R"({"role":"user","content":[{"type":"tool_result","tool_use_id":"t","content":"ok"}]})";
  const std::string loop = std::string(kCall) + std::string(kResult);
  EXPECT_TRUE(messages(loop + "]").in_tool_loop);
  EXPECT_TRUE(messages(loop + R"(,{"role":"user","content":"go on"}])").in_tool_loop);
  EXPECT_FALSE(messages(loop + R"(,{"role":"assistant","content":"done"},
      {"role":"user","content":"thanks"}])")
                   .in_tool_loop);
  EXPECT_FALSE(messages(kHi).in_tool_loop);
}

TEST(Caller, PromptBytesCountTextsToolsAndNotImages) {
  EXPECT_EQ(messages(R"("messages":[{"role":"user","content":"four"}],"tools":[
      {"name":"ab","description":"cde","input_schema":{}}])")
                .prompt_bytes,
            4 + 2 + 3 + 2);
  const Caller seen = messages(R"("messages":[{"role":"user","content":[{"type":"image",
      "source":{"type":"base64","media_type":"image/png","data":"aGVsbG8="}}]}])");
  EXPECT_TRUE(seen.has_images);
  EXPECT_EQ(seen.prompt_bytes, 0);
  EXPECT_TRUE(messages(R"("messages":[{"role":"user","content":[{"type":"image",
      "source":{"type":"file","file_id":"file_1"}}]}])")
                  .has_images);
}

}  // namespace
}  // namespace tophand::server

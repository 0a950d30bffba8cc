#include "server/class_facts.h"

#include <gtest/gtest.h>

namespace tophand::server {
namespace {

using chat::Role;

chat::Message said(Role role, std::vector<chat::Block> blocks) {
  return {role, std::move(blocks)};
}
chat::Block text(const char* words) {
  return chat::TextBlock{words};
}

TEST(ClassFacts, AreTheLastUserTextsAndTheFirstSystemText) {
  chat::Request request;
  request.messages = {said(Role::kSystem, {text("be brief")}),
                      said(Role::kSystem, {text("and kind")}), said(Role::kUser, {text("old")}),
                      said(Role::kAssistant, {text("answer")}),
                      said(Role::kUser, {text("a file"), text("rename x")})};
  request.tools = {{"Read", "", "{}"}, {"Edit", "", "{}"}};
  const auto facts = class_facts(request);
  EXPECT_EQ(facts.system, "be brief");
  EXPECT_EQ(facts.user, (std::vector<std::string_view>{"a file", "rename x"}));
  EXPECT_EQ(facts.tools, (std::vector<std::string_view>{"Read", "Edit"}));
  EXPECT_EQ(facts.messages, 3);
  EXPECT_FALSE(facts.tool_result_last);
}

TEST(ClassFacts, PassOverClaudeCodesReminders) {
  chat::Request request;
  request.messages = {
      said(Role::kUser, {text("<system-reminder>today</system-reminder>"), text("fix it")})};
  EXPECT_EQ(class_facts(request).user, std::vector<std::string_view>{"fix it"});
}

TEST(ClassFacts, SeeAToolsResultBehindWhichAClientPutAText) {
  chat::Request request;
  request.messages = {said(Role::kUser, {text("go")}), said(Role::kAssistant, {text("calling")}),
                      said(Role::kUser, {chat::ToolResultBlock{"t", "Bash", "ok"}}),
                      said(Role::kUser, {text("[Tue] continue")})};
  EXPECT_TRUE(class_facts(request).tool_result_last);
  // Not one that has been answered since.
  request.messages.push_back(said(Role::kAssistant, {text("done")}));
  request.messages.push_back(said(Role::kUser, {text("thanks")}));
  EXPECT_FALSE(class_facts(request).tool_result_last);
}

TEST(ClassFacts, OfNothingAreNone) {
  const chat::Request request;
  EXPECT_TRUE(class_facts(request).user.empty());
}

}  // namespace
}  // namespace tophand::server

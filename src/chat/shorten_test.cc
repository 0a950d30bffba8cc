#include "chat/shorten.h"

#include <gtest/gtest.h>

namespace tophand::chat {
namespace {

Message said(Role role, const std::string& text) {
  return {role, {TextBlock{text}}};
}
const Message kCall{Role::kAssistant, {ToolUseBlock{"t1", "read", "{}"}}};
const Message kResult{Role::kUser, {ToolResultBlock{"t1", "read", "contents"}}};

Request conversation(std::vector<Message> messages) {
  Request request;
  request.messages = std::move(messages);
  return request;
}

// "s:text u:text a:text", a call as "c", a result as "r".
std::string outline(const Request& request) {
  std::string out;
  for (const Message& message : request.messages) {
    if (!out.empty()) out += ' ';
    const Block& block = message.blocks.front();
    if (const auto* text = std::get_if<TextBlock>(&block))
      out += std::string(1, "sua"[static_cast<int>(message.role)]) + ":" + text->text;
    else out += std::holds_alternative<ToolUseBlock>(block) ? "c" : "r";
  }
  return out;
}

TEST(Shorten, LeavesOutTheOldestTurnsAndKeepsSystemTextAndTheLastTurn) {
  Request request = conversation({said(Role::kSystem, "be kind"), said(Role::kUser, "one"),
                                  said(Role::kAssistant, "1"), said(Role::kUser, "two"),
                                  said(Role::kAssistant, "2"), said(Role::kUser, "three")});
  EXPECT_EQ(conversation_bytes(request), 7 + 3 + 1 + 3 + 1 + 5);
  const LeftOut first = leave_out_oldest(request, 1);
  EXPECT_EQ(outline(request), "s:be kind u:two a:2 u:three");
  EXPECT_EQ(first.messages, 2);
  EXPECT_EQ(first.bytes, 4);
  const LeftOut all = leave_out_oldest(request, 1000);
  EXPECT_EQ(outline(request), "s:be kind u:three");
  EXPECT_EQ(all.messages, 2);
  EXPECT_EQ(leave_out_oldest(request, 1000).messages, 0) << "the rest has to stay";
  EXPECT_EQ(outline(request), "s:be kind u:three");
}

TEST(Shorten, NeverPartsAToolCallFromItsResult) {
  Request request =
      conversation({said(Role::kUser, "old"), kCall, kResult, said(Role::kAssistant, "done"),
                    said(Role::kUser, "new"), kCall, kResult});
  leave_out_oldest(request, 1);
  EXPECT_EQ(outline(request), "u:new c r");
  EXPECT_EQ(leave_out_oldest(request, 1).messages, 0);
}

TEST(Shorten, KeepsSystemTextBetweenTheTurns) {
  Request request =
      conversation({said(Role::kUser, "a"), said(Role::kSystem, "now be brief"),
                    said(Role::kAssistant, "b"), said(Role::kUser, "c"), said(Role::kUser, "d")});
  leave_out_oldest(request, 1000);
  EXPECT_EQ(outline(request), "s:now be brief u:d");
}

TEST(Shorten, LeavesNothingOutWhereThereIsNothing) {
  Request empty;
  EXPECT_EQ(leave_out_oldest(empty, 10).messages, 0);
  Request system_only = conversation({said(Role::kSystem, "x")});
  EXPECT_EQ(leave_out_oldest(system_only, 10).messages, 0);
  Request answer_only = conversation({said(Role::kAssistant, "x")});
  EXPECT_EQ(leave_out_oldest(answer_only, 10).messages, 0);
}

}  // namespace
}  // namespace tophand::chat

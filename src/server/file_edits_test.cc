#include "server/file_edits.h"

#include <gtest/gtest.h>

namespace tophand::server {
namespace {

std::string told(const std::vector<steering::FileEdit>& edits) {
  std::string out;
  for (const auto& edit : edits)
    out += edit.path + ":" + edit.old_text + (edit.is_whole ? "=>" : "->") + edit.new_text + ";";
  return out;
}

// The arguments of the agents' own tools, as their current versions name them.
TEST(FileEdits, AreReadFromTheToolsOfSeveralAgents) {
  // Claude Code: Edit, Write
  EXPECT_EQ(told(file_edits(R"({"file_path":"/a","old_string":"x","new_string":"y"})")),
            "/a:x->y;");
  EXPECT_EQ(told(file_edits(R"({"file_path":"/a","content":"all"})")), "/a:=>all;");
  EXPECT_EQ(told(file_edits(
                R"({"file_path":"/a","edits":[{"old_string":"x","new_string":"y"},7,
                    {"old_string":"p","new_string":"q"}]})")),
            "/a:x->y;/a:p->q;");
  // Anthropic's text editor
  EXPECT_EQ(told(file_edits(R"({"command":"str_replace","path":"a","old_str":"x","new_str":"y"})")),
            "a:x->y;");
  EXPECT_EQ(told(file_edits(R"({"command":"create","path":"a","file_text":"t"})")), "a:=>t;");
  // opencode, OpenClaw
  EXPECT_EQ(told(file_edits(R"({"filePath":"a","oldString":"x","newString":"y"})")), "a:x->y;");
  EXPECT_EQ(told(file_edits(R"({"path":"a","oldText":"x","newText":"y"})")), "a:x->y;");
}

TEST(FileEdits, AreNoneInWhatOnlyReadsOrIsNoObject) {
  for (const char* input :
       {"", "{}", "[]", "{\"path\":", R"({"file_path":"/a","limit":10})", R"({"path":7})",
        R"({"command":"cat path"})", R"({"path":"a","old_str":"x"})", R"({"path":"a","edits":{}})"})
    EXPECT_EQ(told(file_edits(input)), "") << input;
}

chat::Message says(chat::Role role, std::vector<chat::Block> blocks) {
  return {role, std::move(blocks)};
}
chat::ToolUseBlock call(const std::string& id, const std::string& path) {
  return {id, "Write", R"({"file_path":")" + path + R"(","content":"c"})"};
}

TEST(LastAnswer, HasTheEditsThatWereCarriedOut) {
  chat::Request request;
  request.messages = {
      says(chat::Role::kUser, {chat::TextBlock{"do"}}),
      says(chat::Role::kAssistant, {chat::TextBlock{"yes"}, call("t1", "a"), call("t2", "b")}),
      says(chat::Role::kAssistant, {call("t3", "c")}),
      says(chat::Role::kUser, {chat::ToolResultBlock{"t1", "", "done"}}),
      says(chat::Role::kUser,
           {chat::ToolResultBlock{"t2", "", "no", true}, chat::ToolResultBlock{"t3", "", "done"},
            chat::TextBlock{"a reminder"}})};
  const auto last = last_answer(request);
  ASSERT_TRUE(last);
  EXPECT_EQ(last->messages, 1U);
  EXPECT_EQ(told(last->edits), "a:=>c;c:=>c;");
  EXPECT_FALSE(last->person_speaks);
}

TEST(LastAnswer, IsFollowedByAPersonWhenNoToolSpeaks) {
  chat::Request request;
  request.messages = {says(chat::Role::kUser, {chat::TextBlock{"do"}})};
  EXPECT_FALSE(last_answer(request));
  request.messages.push_back(says(chat::Role::kAssistant, {chat::TextBlock{"done"}}));
  EXPECT_FALSE(last_answer(request)->person_speaks);  // to be continued by the model
  request.messages.push_back(says(chat::Role::kUser, {chat::TextBlock{"and now"}}));
  EXPECT_TRUE(last_answer(request)->person_speaks);
  EXPECT_TRUE(last_answer(request)->edits.empty());
}

}  // namespace
}  // namespace tophand::server

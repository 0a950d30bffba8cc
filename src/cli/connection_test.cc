#include "cli/connection.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace tophand::cli {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;

const GatewayAccess kAccess{.url = "http://127.0.0.1:7433", .key = "th-key"};

constexpr const char* kOpenClaw = R"({
  // what I have learnt
  gateway: { port: 18789, },
  agents: {
    defaults: {
      model: { primary: 'mine/model' }, // do not touch
    },
  },
}
)";

Connection connection_of(ClientKind kind, const std::string& before) {
  const auto after = connected(before, kind, kAccess);
  EXPECT_TRUE(after) << after.error().message;
  return {.file = "f",
          .existed = true,
          .before = before,
          .after = after.value_or(""),
          .key = kAccess.key,
          .settings = settings_for(kind, kAccess, before)};
}

TEST(Connection, ChangesOnlyItsOwnMembers) {
  const Connection done = connection_of(
      ClientKind::kClaudeCode, "{\n  \"model\": \"opus\",\n  \"env\": {\"A\": \"1\"}\n}\n");
  EXPECT_EQ(done.after,
            "{\n  \"model\": \"opus\",\n  \"env\": {\"A\": \"1\", "
            "\"ANTHROPIC_BASE_URL\": \"http://127.0.0.1:7433\", "
            "\"ANTHROPIC_AUTH_TOKEN\": \"th-key\", "
            "\"CLAUDE_CODE_GATEWAY_HINT_HEADERS\": \"1\"}\n}\n");
}

TEST(Connection, AFurtherTimeChangesNothing) {
  for (const ClientKind kind : {ClientKind::kClaudeCode, ClientKind::kOpenClaw,
                                ClientKind::kOpenCode, ClientKind::kCodex}) {
    const Connection done = connection_of(kind, "{}");
    EXPECT_EQ(connected(done.after, kind, kAccess).value(), done.after);
  }
}

TEST(Connection, IsUndoneToTheByteWhenNothingElseHasChanged) {
  const Connection done = connection_of(ClientKind::kOpenClaw, kOpenClaw);
  EXPECT_THAT(done.after, HasSubstr("// do not touch"));
  EXPECT_THAT(done.after, HasSubstr("model: { primary: \"tophand/claude\" }"));
  const auto undone = disconnected(done.after, done);
  ASSERT_TRUE(undone);
  EXPECT_EQ(undone->text, kOpenClaw);
  EXPECT_THAT(undone->left_alone, IsEmpty());
}

TEST(Connection, IsUndoneMemberByMemberWhenTheUserHasWrittenSince) {
  const Connection done = connection_of(ClientKind::kOpenClaw, kOpenClaw);
  std::string now = done.after;
  now.insert(now.find("gateway:"), "mine: 1,\n  ");
  const auto undone = disconnected(now, done);
  ASSERT_TRUE(undone) << undone.error().message;
  std::string expected = kOpenClaw;
  expected.insert(expected.find("gateway:"), "mine: 1,\n  ");
  EXPECT_EQ(undone->text, expected);
}

TEST(Connection, LeavesAMemberThatHasAnotherValueNow) {
  const Connection done = connection_of(ClientKind::kClaudeCode, "{}");
  std::string now = done.after;
  now.replace(now.find("http://127.0.0.1:7433"), 21, "https://elsewhere.test");
  const auto undone = disconnected(now, done);
  ASSERT_TRUE(undone);
  EXPECT_THAT(undone->left_alone, ElementsAre("env.ANTHROPIC_BASE_URL"));
  EXPECT_THAT(undone->text, HasSubstr("https://elsewhere.test"));
  EXPECT_EQ(undone->text.find("th-key"), std::string::npos);
}

TEST(Connection, NamesAModelWhereTheFileHasANameAlone) {
  const std::string before = R"({agents: {defaults: {model: "mine/model"}}})";
  const Connection done = connection_of(ClientKind::kOpenClaw, before);
  EXPECT_THAT(done.after, HasSubstr("model: \"tophand/claude\""));
  EXPECT_EQ(disconnected(done.after + "\n", done)->text, before + "\n");
}

TEST(Connection, SaysWhichMemberCannotBeSet) {
  const auto bad = connected(R"({"env": 7})", ClientKind::kClaudeCode, kAccess);
  ASSERT_FALSE(bad);
  EXPECT_EQ(bad.error().message, "set env.ANTHROPIC_BASE_URL: line 1: expected an object");
}

TEST(Connection, ItsRecordReadsAsItWasWritten) {
  const Connection done = connection_of(ClientKind::kOpenClaw, kOpenClaw);
  const auto read = read_connection(write_connection(done));
  ASSERT_TRUE(read);
  EXPECT_EQ(write_connection(*read), write_connection(done));
  EXPECT_FALSE(read_connection("{}"));
  EXPECT_FALSE(read_connection(R"({"settings": [{"value": "1"}]})"));
}

}  // namespace
}  // namespace tophand::cli

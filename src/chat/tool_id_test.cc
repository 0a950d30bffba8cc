#include "chat/tool_id.h"

#include <gtest/gtest.h>

#include <random>
#include <set>

#include "chat/dialect.h"

namespace tophand::chat {
namespace {

TEST(ToolId, IsSpelledAsTheMessagesApiTakesItAndBack) {
  for (const std::string id : {"toolu_01A", "functions.look:0", "call_1-2", "", "x-", "x-1", "x-2e",
                               "a b", "\xc3\xa9", "-", "x--", "chatcmpl-tool-9f"}) {
    const std::string wire = wire_tool_id(id);
    EXPECT_FALSE(wire.empty());
    EXPECT_EQ(wire.find_first_not_of("abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ"
                                     "0123456789_-"),
              std::string::npos)
        << wire;
    EXPECT_EQ(tool_id_from_wire(wire), id);
  }
  EXPECT_EQ(wire_tool_id("toolu_01A"), "toolu_01A");
  EXPECT_EQ(wire_tool_id("functions.look:0"), "x-functions-2elook-3a0");
}

TEST(ToolId, OfAnotherGatewayThatLooksSpelledStaysAsItIs) {
  for (const std::string id : {"x-foo", "x-2E", "x-a-zz", "x-a-", "x-a-2", "x-a-61"})
    EXPECT_EQ(tool_id_from_wire(id), id);
}

// Kimi's ids: a client of Messages gets one that Claude takes too, and Kimi gets its own back.
TEST(ToolId, OfAnotherServerComesBackFromAClientOfMessagesAsItWas) {
  const std::string id = "functions.look:0";
  const auto writer = make_stream_writer(Dialect::kAnthropicMessages, {.id = "i", .model = "m"});
  std::string out;
  writer->on(ToolUseStart{id, "look"}, 1, out);
  const std::string wire = wire_tool_id(id);
  EXPECT_NE(out.find("\"id\":\"" + wire + "\""), std::string::npos) << out;
  Request request;
  ASSERT_TRUE(read_request(
      Dialect::kAnthropicMessages,
      R"({"model":"m","max_tokens":9,"messages":[{"role":"user","content":"a"},{"role":"assistant",)"
      R"("content":[{"type":"tool_use","id":")" +
          wire +
          R"(","name":"look","input":{}}]},{"role":"user","content":[{"type":"tool_result",)" +
          R"("tool_use_id":")" + wire + R"(","content":"1"}]}]})",
      nullptr, request));
  EXPECT_EQ(std::get<ToolUseBlock>(request.messages.at(1).blocks.at(0)).id, id);
  EXPECT_EQ(std::get<ToolResultBlock>(request.messages.at(2).blocks.at(0)).tool_use_id, id);
}

TEST(ToolId, TwoNeverBecomeOne) {
  constexpr unsigned kSeed = 20261128;
  std::mt19937 random(kSeed);
  std::set<std::string> ids, wires;
  for (int round = 0; round < 20000; ++round) {
    std::string id(random() % 6, ' ');
    for (char& c : id) c = "x-2eE.:a_"[random() % 9];
    ids.insert(id);
    wires.insert(wire_tool_id(id));
    ASSERT_EQ(tool_id_from_wire(wire_tool_id(id)), id) << "seed " << kSeed;
  }
  EXPECT_EQ(ids.size(), wires.size());
}

}  // namespace
}  // namespace tophand::chat

// What a Messages body may be billed for beyond its text.
#include <gtest/gtest.h>

#include <string>

#include "chat/dialect.h"
#include "chat/upstream.h"

namespace tophand::chat {
namespace {

using Write = CacheMark;

// A body with `fields` beside the ones that must be there, and `content` as the user's.
Result<Request> parse(const std::string& fields, const std::string& content = R"("hi")") {
  return parse_request(Dialect::kAnthropicMessages,
                       R"({"model":"m","max_tokens":5,"messages":[{"role":"user","content":)" +
                           content + "}]" + (fields.empty() ? "" : "," + fields) + "}");
}
Billing billing(const std::string& fields, const std::string& content = R"("hi")") {
  const auto request = parse(fields, content);
  EXPECT_TRUE(request) << request.error().message;
  return request ? request->billing : Billing{};
}

TEST(Billing, OfPlainTextIsNothingMore) {
  const Billing plain = billing("");
  EXPECT_EQ(plain.cache_write, Write::kNone);
  EXPECT_EQ(plain.rounds, 1);
  EXPECT_EQ(plain.images + plain.web_searches + plain.tool_tokens + plain.provider_tools, 0);
  EXPECT_FALSE(plain.documents);
  EXPECT_FALSE(plain.us_only);
  EXPECT_EQ(plain.unbounded, "");
}

TEST(Billing, FindsTheDearestCacheWriteWhereverItIsAskedFor) {
  const std::string five = R"("cache_control":{"type":"ephemeral"})";
  const std::string hour = R"("cache_control":{"type":"ephemeral","ttl":"1h"})";
  const auto text = [](const std::string& control) {
    return R"([{"type":"text","text":"a",)" + control + "}]";
  };
  EXPECT_EQ(billing("", text(five)).cache_write, Write::k5m);
  EXPECT_EQ(billing("", text(hour)).cache_write, Write::k1h);
  EXPECT_EQ(billing(R"("system":)" + text(five)).cache_write, Write::k5m);
  EXPECT_EQ(billing(R"("system":)" + text(hour), text(five)).cache_write, Write::k1h);
  EXPECT_EQ(billing(five).cache_write, Write::k5m) << "for the whole body";
  EXPECT_EQ(billing(R"("tools":[{"name":"t","input_schema":{"type":"object"},)" + hour + "}]")
                .cache_write,
            Write::k1h);
  EXPECT_EQ(
      billing("", R"([{"type":"tool_result","tool_use_id":"t","content":)" + text(hour) + "}]")
          .cache_write,
      Write::k1h);
  EXPECT_EQ(billing("", text(R"("cache_control":{"type":"ephemeral","ttl":"2d"})")).cache_write,
            Write::k1h)
      << "one that is not known yet is taken for the dearest";
}

TEST(Billing, CountsImagesByNumberAndDocumentsByWhatCannotBeKnown) {
  const std::string image =
      R"({"type":"image","source":{"type":"base64","media_type":"image/png","data":"QUJDRA=="}})";
  const std::string url = R"({"type":"image","source":{"type":"url","url":"https://x/y.png"}})";
  const Billing two = billing("", "[" + image + "," + url + "]");
  EXPECT_EQ(two.images, 2);
  EXPECT_EQ(two.image_bytes, 8);
  EXPECT_FALSE(two.documents);
  const Billing inside =
      billing("", R"([{"type":"tool_result","tool_use_id":"t","content":[)" + image + "]}]");
  EXPECT_EQ(inside.images, 1);
  EXPECT_TRUE(
      billing("", R"([{"type":"document","source":{"type":"url","url":"https://x"}}])").documents);
  EXPECT_TRUE(
      billing("", R"([{"type":"document","source":{"type":"base64","data":"JVBE"}}])").documents);
  EXPECT_FALSE(
      billing("", R"([{"type":"document","source":{"type":"text","data":"abc"}}])").documents);
}

TEST(Billing, BoundsServerToolsByTheirUses) {
  const Billing search =
      billing(R"("tools":[{"type":"web_search_20260209","name":"web_search","max_uses":4}])");
  EXPECT_EQ(search.unbounded, "");
  EXPECT_EQ(search.web_searches, 4);
  EXPECT_EQ(search.rounds, 5);
  EXPECT_GT(search.tool_tokens, 0);
  const Billing fetch = billing(
      R"("tools":[{"type":"web_fetch_20250910","name":"f","max_uses":50,"max_content_tokens":700}])");
  EXPECT_EQ(fetch.web_searches, 0);
  EXPECT_EQ(fetch.rounds, 10) << "the API stops after ten";
  EXPECT_EQ(fetch.tool_tokens, 700);
  const Billing own = billing(
      R"("tools":[{"type":"bash_20250124","name":"bash"},{"type":"computer_20251124","name":"c"}])");
  EXPECT_EQ(own.provider_tools, 2);
  EXPECT_EQ(own.rounds, 1);
  EXPECT_EQ(own.unbounded, "");
}

// Before any reading of the prompt the API may read it to sum it up.
TEST(Billing, CountsACompactionForEveryRound) {
  const std::string compacts =
      R"("context_management":{"edits":[{"type":"clear_thinking_20251015"},)"
      R"({"type":"compact_20260112"}]})";
  EXPECT_EQ(billing(compacts).rounds, 3) << "the summary's text counts as a reading";
  const Billing search =
      billing(compacts + R"(,"tools":[{"type":"web_search_20260209","name":"s","max_uses":4}])");
  EXPECT_EQ(search.rounds, 15);
  const Billing clears = billing(R"("context_management":{"edits":[{"type":"clear_x"}]})");
  EXPECT_EQ(clears.rounds, 1);
}

TEST(Billing, NamesWhatNobodyCanBound) {
  const std::pair<const char*, const char*> cases[] = {
      {R"("tools":[{"type":"web_search_20260209","name":"s"}])", "\"max_uses\""},
      {R"("tools":[{"type":"web_search_20260209","name":"s","max_uses":0}])", "\"max_uses\""},
      {R"("tools":[{"type":"web_search_20260209","name":"s","max_uses":9999999}])", "\"max_uses\""},
      {R"("tools":[{"type":"web_fetch_20250910","name":"f","max_uses":2}])", "max_content_tokens"},
      {R"("tools":[{"type":"code_execution_20250825","name":"c"}])", "code_execution_20250825"},
      {R"("mcp_servers":[{"type":"url","url":"https://x","name":"x"}])", "mcp_servers"},
      {R"("speed":"fast")", "speed"},
      {R"("inference_geo":"eu")", "inference_geo"},
      {R"("fallbacks":[{"model":"claude-x"}])", "fallbacks"},
      {R"("fallbacks":"default")", "fallbacks"},
  };
  for (const auto& [fields, says] : cases)
    EXPECT_NE(billing(fields).unbounded.find(says), std::string::npos) << fields;
  EXPECT_EQ(billing(R"("mcp_servers":[],"speed":"standard","inference_geo":"global")").unbounded,
            "");
  EXPECT_EQ(billing(R"("fallbacks":[])").unbounded, "");
  EXPECT_EQ(billing(R"("fallbacks":null)").unbounded, "");
  EXPECT_TRUE(billing(R"("inference_geo":"us")").us_only);
  EXPECT_TRUE(billing(R"("inference_geo":"global")").geo_named);
  EXPECT_FALSE(billing(R"("inference_geo":null)").geo_named) << "the workspace's default counts";
}

TEST(Billing, IsNotReadFromABodyThatSaysItTwice) {
  for (const char* twice :
       {R"("tools":[],"tools":[])", R"("speed":"standard","speed":"fast")",
        R"("fallbacks":[],"fallbacks":"default")",
        R"("context_management":{},"context_management":{"edits":[]})",
        R"("inference_geo":"us","inference_ge\u006f":"global")", R"("max_tokens":9)"}) {
    const auto request = parse(twice);
    ASSERT_FALSE(request) << twice;
    EXPECT_NE(request.error().message.find("more than once"), std::string::npos);
  }
}

// The last running totals count; none is added up.
TEST(Usage, TellsSearchesThinkingAndTerms) {
  AnthropicStreamReader reader;
  std::vector<StreamEvent> events;
  reader.on_event("message_start", R"({"type":"message_start","message":{"model":"m","usage":{
    "input_tokens":10,"output_tokens":1,"inference_geo":"us","service_tier":"standard"}}})",
                  events);
  for (const char* usage :
       {R"({"output_tokens":40,"server_tool_use":{"web_search_requests":1}})",
        R"({"input_tokens":900,"output_tokens":90,"output_tokens_details":{"thinking_tokens":60},
            "server_tool_use":{"web_search_requests":2}})"})
    reader.on_event("message_delta",
                    R"({"type":"message_delta","delta":{},"usage":)" + std::string(usage) + "}",
                    events);
  const Usage& usage = reader.usage();
  EXPECT_EQ(usage.input_tokens, 900);
  EXPECT_EQ(usage.output_tokens, 90);
  EXPECT_EQ(usage.thinking_tokens, 60);
  EXPECT_EQ(usage.web_searches, 2);
  EXPECT_TRUE(usage.us_only);
  EXPECT_FALSE(usage.batch);
  const auto batch = read_anthropic_answer(
      R"({"type":"message","role":"assistant","model":"m","content":[],"stop_reason":"end_turn",
          "usage":{"input_tokens":1,"output_tokens":1,"service_tier":"batch"}})");
  ASSERT_TRUE(batch) << batch.error().message;
  EXPECT_TRUE(batch->usage.batch);
}

}  // namespace
}  // namespace tophand::chat

#include "backend/claude_account.h"

#include <gtest/gtest.h>

namespace tophand::backend {
namespace {

constexpr std::int64_t kDayMs = 86'400'000;
constexpr std::int64_t kMonday = 1'795'392'000'000;  // 2026-11-23 00:00 UTC

// The shape of the documented example.
constexpr const char* kUsage = R"json({"data":[
 {"starting_at":"2026-11-23T00:00:00Z","ending_at":"2026-11-24T00:00:00Z","results":[
  {"uncached_input_tokens":1500,"cache_creation":{"ephemeral_1h_input_tokens":1000,
   "ephemeral_5m_input_tokens":500},"cache_read_input_tokens":200,"output_tokens":700,
   "server_tool_use":{"web_search_requests":10},"api_key_id":null,"workspace_id":null,
   "model":"claude-opus-5-5","service_tier":null,"context_window":null}]},
 {"starting_at":"2026-11-24T00:00:00Z","ending_at":"2026-11-25T00:00:00Z","results":[]}],
 "has_more":true,"next_page":"page_MjAyNg=="})json";

constexpr const char* kCost = R"json({"data":[
 {"starting_at":"2026-11-24T00:00:00Z","ending_at":"2026-11-25T00:00:00Z","results":[
  {"currency":"USD","amount":"123.45","workspace_id":null,"description":"Claude Opus 5.5 Usage",
   "cost_type":"tokens","model":"claude-opus-5-5","token_type":"output_tokens"},
  {"currency":"USD","amount":"0.00001","cost_type":"web_search","model":null}]}],
 "has_more":false,"next_page":null})json";

TEST(ClaudeAccount, ReadsTheUsageReport) {
  const auto page = parse_usage_page(kUsage);
  ASSERT_TRUE(page) << page.error().message;
  EXPECT_EQ(page->next, "page_MjAyNg==");
  ASSERT_EQ(page->items.size(), 1u);
  const DayUsage& usage = page->items[0];
  EXPECT_EQ(usage.day_ms, kMonday);
  EXPECT_EQ(usage.model, "claude-opus-5-5");
  EXPECT_EQ(usage.input, 1500);
  EXPECT_EQ(usage.cache_read, 200);
  EXPECT_EQ(usage.cache_write_5m, 500);
  EXPECT_EQ(usage.cache_write_1h, 1000);
  EXPECT_EQ(usage.output, 700);
}

TEST(ClaudeAccount, ReadsCentsExactly) {
  const auto page = parse_cost_page(kCost);
  ASSERT_TRUE(page) << page.error().message;
  EXPECT_EQ(page->next, "");
  ASSERT_EQ(page->items.size(), 2u);
  EXPECT_EQ(page->items[0].day_ms, kMonday + kDayMs);
  EXPECT_EQ(page->items[0].nano_usd, 1'234'500'000);
  EXPECT_EQ(page->items[1].nano_usd, 100);
  EXPECT_EQ(page->items[1].model, "");
}

TEST(ClaudeAccount, TakesNothingForZeroThatItDoesNotUnderstand) {
  const std::string usage = kUsage, cost = kCost;
  const auto with = [](std::string text, const std::string& from, const std::string& to) {
    const std::size_t at = text.find(from);
    EXPECT_NE(at, std::string::npos) << from;
    return text.replace(at, from.size(), to);
  };
  for (const std::string& wrong :
       {std::string(), std::string("{}"), std::string("[]"), std::string(R"({"data":[]})"),
        std::string(R"({"error":{"type":"not_found_error"}})"),
        with(usage, "2026-11-23T", "2026-13-23T"), with(usage, "2026-11-23T", "soon......T"),
        with(usage, "\"uncached_input_tokens\":1500", "\"input\":1500"),
        with(usage, "1500", "-1500"), with(usage, "1500", "1e999"), with(usage, "1500", "\"1500\""),
        with(usage, "\"page_MjAyNg==\"", "null"), with(usage, "\"has_more\":true,", "")})
    EXPECT_FALSE(parse_usage_page(wrong)) << wrong;
  for (const std::string& wrong :
       {with(cost, "USD", "EUR"), with(cost, "\"123.45\"", "123.45"), with(cost, "123.45", "1,23"),
        with(cost, "123.45", ""), with(cost, "123.45", ".5"),
        with(cost, "123.45", "99999999999999999999"), with(cost, "123.45", "1e3"),
        with(cost, "123.45", "--1"), with(cost, "123.45", "1.00000005e9"),
        with(cost, "123.45", "1.2345678 about")})
    EXPECT_FALSE(parse_cost_page(wrong)) << wrong;
}

TEST(ClaudeAccount, WantsAnAdminKey) {
  const auto made = ClaudeAccount::create({.base_url = "http://127.0.0.1:9"});
  ASSERT_FALSE(made);
  EXPECT_NE(made.error().message.find("admin_key_file"), std::string::npos);
}

}  // namespace
}  // namespace tophand::backend

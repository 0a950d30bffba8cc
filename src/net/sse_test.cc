// The event parser on recorded streams, at every split and with every line end (WHATWG
// HTML, 9.2.6).
#include "net/sse.h"

#include <gtest/gtest.h>

#include <string>
#include <vector>

namespace tophand::net {
namespace {

using Events = std::vector<SseEvent>;

bool same(const Events& a, const Events& b) {
  if (a.size() != b.size()) return false;
  for (std::size_t i = 0; i < a.size(); ++i)
    if (a[i].event != b[i].event || a[i].data != b[i].data) return false;
  return true;
}

Events parse(const std::vector<std::string_view>& pieces) {
  SseParser parser;
  Events out;
  for (const auto piece : pieces) EXPECT_TRUE(parser.push(piece, out));
  return out;
}

struct Recording {
  std::string name, bytes;
  Events expected;
};

std::vector<Recording> recordings() {
  return {
      {"llama_server_until_2025",
       "data: {\"choices\":[]}\n\nerror: {\"code\":500,\"message\":\"full\"}\n\ndata: [DONE]\n\n",
       {{"", "{\"choices\":[]}"},
        {"error", "{\"code\":500,\"message\":\"full\"}"},
        {"", "[DONE]"}}},
      {"messages_api",
       "event: message_start\ndata: {\"type\":\"message_start\"}\n\n"
       "event: ping\ndata: {\"type\": \"ping\"}\n\n"
       "event: content_block_delta\ndata: {\"delta\":{\"text\":\"H\xc3\xa9llo: w\"}}\n\n"
       "event: message_stop\ndata: {\"type\":\"message_stop\"}\n\n",
       {{"message_start", "{\"type\":\"message_start\"}"},
        {"ping", "{\"type\": \"ping\"}"},
        {"content_block_delta", "{\"delta\":{\"text\":\"H\xc3\xa9llo: w\"}}"},
        {"message_stop", "{\"type\":\"message_stop\"}"}}},
      {"chat_completions",
       "data: {\"a\":1}\n\ndata: {\"a\":2}\n\ndata: [DONE]\n\n",
       {{"", "{\"a\":1}"}, {"", "{\"a\":2}"}, {"", "[DONE]"}}},
      {"comments_keep_alive", ": ping\n\n:\n\ndata: x\n: between\ndata: y\n\n", {{"", "x\ny"}}},
      {"byte_order_mark",
       "\xef\xbb\xbf"
       "data: x\n\n",
       {{"", "x"}}},
      {"mark_later_is_data", "data: \xef\xbb\xbfx\n\n", {{"", "\xef\xbb\xbfx"}}},
      {"spaces", "data:no\n\ndata:  two\n\ndata: \n\n", {{"", "no"}, {"", " two"}, {"", ""}}},
      {"field_without_colon", "data\n\ndata\ndata\n\n", {{"", ""}, {"", "\n"}}},
      {"event_without_data", "event: a\n\ndata: x\n\n", {{"", "x"}}},
      {"last_event_name_wins", "event: a\nevent: b\ndata: x\n\n", {{"b", "x"}}},
      {"unknown_fields", "id: 7\nretry: 10\nfoo: bar\ndata: x\n\n", {{"", "x"}}},
      {"unfinished_is_dropped", "data: x\n\ndata: y\n", {{"", "x"}}},
      {"colons_in_data", "data: a: b:c\n\n", {{"", "a: b:c"}}},
  };
}

std::string with_line_ends(const std::string& text, const std::string& end) {
  std::string out;
  for (const char c : text) c == '\n' ? out += end : out += c;
  return out;
}

TEST(SseParser, GivesTheSameEventsAtEverySplitAndWithEveryLineEnd) {
  for (const Recording& recording : recordings())
    for (const char* end : {"\n", "\r\n", "\r"}) {
      const std::string text = with_line_ends(recording.bytes, end);
      const std::string_view view = text;
      for (std::size_t i = 0; i <= view.size(); ++i)
        ASSERT_TRUE(same(parse({view.substr(0, i), view.substr(i)}), recording.expected))
            << recording.name << " split at " << i << " line end " << testing::PrintToString(end);
      std::vector<std::string_view> bytes;
      for (std::size_t i = 0; i < view.size(); ++i) bytes.push_back(view.substr(i, 1));
      EXPECT_TRUE(same(parse(bytes), recording.expected)) << recording.name;
    }
}

TEST(SseParser, SaysWhetherAnEventIsUnfinished) {
  SseParser parser;
  Events out;
  EXPECT_FALSE(parser.mid_event());
  for (const char* piece : {"da", "ta: x", "\n"}) {
    ASSERT_TRUE(parser.push(piece, out));
    EXPECT_TRUE(parser.mid_event()) << piece;
  }
  ASSERT_TRUE(parser.push("\n", out));
  EXPECT_FALSE(parser.mid_event());
}

TEST(SseParser, AnEventOverTheLimitIsRefused) {
  for (const char* shape : {"line", "lines"}) {
    SseParser parser(1000);
    Events out;
    Result<> last;
    for (int i = 0; i < 2000 && last; ++i)
      last = parser.push(shape == std::string("line") ? "x" : "data: x\n", out);
    ASSERT_FALSE(last) << shape;
    EXPECT_EQ(last.error().code, Code::kTooLarge);
    EXPECT_TRUE(out.empty());
  }
}

TEST(SseParser, TheLimitCountsEachEventAlone) {
  SseParser parser(20);
  Events out;
  for (int i = 0; i < 100; ++i) ASSERT_TRUE(parser.push("data: 0123456789\n\n", out));
  EXPECT_EQ(out.size(), 100u);
}

TEST(LineParser, GivesTheSameLinesAtEverySplit) {
  const std::string text = "{\"a\":1}\n\r\n{\"b\":\"\xc3\xa9\"}\r\n\n{\"c\":3}\nrest";
  const std::vector<std::string> expected = {"{\"a\":1}", "{\"b\":\"\xc3\xa9\"}", "{\"c\":3}"};
  for (std::size_t i = 0; i <= text.size(); ++i) {
    LineParser parser;
    std::vector<std::string> out;
    ASSERT_TRUE(parser.push(std::string_view(text).substr(0, i), out));
    ASSERT_TRUE(parser.push(std::string_view(text).substr(i), out));
    EXPECT_EQ(out, expected) << i;
    EXPECT_TRUE(parser.mid_line());
  }
}

TEST(LineParser, ALineOverTheLimitIsRefused) {
  LineParser parser(10);
  std::vector<std::string> out;
  EXPECT_TRUE(parser.push("0123456789\n0123456789\n", out));
  const auto last = parser.push("0123456789a", out);
  ASSERT_FALSE(last);
  EXPECT_EQ(last.error().code, Code::kTooLarge);
}

}  // namespace
}  // namespace tophand::net

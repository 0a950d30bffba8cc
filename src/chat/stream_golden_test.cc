// Streams as exact bytes: event lists in tests/conformance/streams/*/events.jsonl, and beside each
// what every dialect must send for it, written by hand from the protocol pages.
#include <gtest/gtest.h>

#include <fstream>
#include <sstream>

#include "base/json.h"
#include "chat/dialect.h"

namespace tophand::chat {
namespace {

constexpr std::int64_t kNowMs = 1'787'302'339'385;  // 2026-08-21T08:52:19.385Z

std::string read_text(const std::string& path) {
  std::ifstream file(path, std::ios::binary);
  EXPECT_TRUE(file.good()) << path;
  std::ostringstream text;
  text << file.rdbuf();
  return text.str();
}

Finished finished_from(const Json& json) {
  Finished out;
  if (string_or(json, "reason", "") == "max_tokens") out.reason = StopReason::kMaxTokens;
  out.usage = {int_or(json, "input", 0), int_or(json, "cache_read", 0),
               int_or(json, "cache_write_5m", 0), int_or(json, "cache_write_1h", 0),
               int_or(json, "output", 0)};
  out.timing = {int_or(json, "load_ns", 0), int_or(json, "prefill_ns", 0),
                int_or(json, "decode_ns", 0), int_or(json, "total_ns", 0)};
  return out;
}

StreamEvent event_from(const Json& json) {
  const std::string kind = json.begin().key();
  const Json& value = json.begin().value();
  const auto item = [&](std::size_t i) { return value.at(i).get<std::string>(); };
  if (kind == "started") return Started{finished_from(value).usage, "answers"};
  if (kind == "text") return TextDelta{value.get<std::string>()};
  if (kind == "thinking") return ThinkingDelta{item(0), item(1)};
  if (kind == "tool_start") return ToolUseStart{item(0), item(1)};
  if (kind == "tool_delta") return ToolUseDelta{value.get<std::string>()};
  if (kind == "block_end") return BlockEnd{};
  if (kind == "progress") return Progress{value.at(0), value.at(1)};
  if (kind == "finished") return finished_from(value);
  EXPECT_EQ(kind, "failed");
  EXPECT_EQ(item(0), "unavailable");
  return Failed{{Code::kUnavailable, item(1)}, item(2)};
}

std::vector<StreamEvent> read_events(const std::string& path) {
  std::vector<StreamEvent> out;
  std::istringstream lines(read_text(path));
  for (std::string line; std::getline(lines, line);) {
    const auto json = parse_json(line);
    EXPECT_TRUE(json.has_value()) << line;
    if (json) out.push_back(event_from(*json));
  }
  return out;
}

class StreamGolden
    : public testing::TestWithParam<std::tuple<const char*, std::pair<Dialect, const char*>>> {};

TEST_P(StreamGolden, HasExactlyTheseBytes) {
  const auto& [scenario, dialect] = GetParam();
  const std::string folder =
      std::string(TOPHAND_SOURCE_DIR) + "/tests/conformance/streams/" + scenario + "/";
  const auto writer = make_stream_writer(
      dialect.first,
      {.id = "id_1", .model = "asked-for", .created_ms = kNowMs, .include_usage = true});
  std::string out;
  for (const StreamEvent& event : read_events(folder + "events.jsonl"))
    writer->on(event, kNowMs, out);
  EXPECT_EQ(out, read_text(folder + dialect.second + ".txt"));
}

INSTANTIATE_TEST_SUITE_P(
    All, StreamGolden,
    testing::Combine(testing::Values("text", "thinking_and_tools", "failure", "cut_off"),
                     testing::Values(std::pair(Dialect::kAnthropicMessages, "anthropic_messages"),
                                     std::pair(Dialect::kOpenAiChat, "openai_chat"),
                                     std::pair(Dialect::kOpenAiResponses, "openai_responses"),
                                     std::pair(Dialect::kOpenAiCompletions, "openai_completions"),
                                     std::pair(Dialect::kOllamaChat, "ollama_chat"),
                                     std::pair(Dialect::kOllamaGenerate, "ollama_generate"))),
    [](const auto& test) {
      return std::string(std::get<0>(test.param)) + "_" + std::get<1>(test.param).second;
    });

TEST(StreamWriter, OpenAiSendsNoUsageUnlessAsked) {
  const auto writer = make_stream_writer(Dialect::kOpenAiChat, {.id = "i", .model = "m"});
  std::string out;
  writer->on(TextDelta{"x"}, kNowMs, out);
  writer->on(Finished{}, kNowMs, out);
  EXPECT_EQ(out.find("usage"), std::string::npos);
}

TEST(StreamWriter, FailsAStreamWhoseToolArgumentsAreNoObject) {
  const std::pair<Dialect, const char*> rows[] = {{Dialect::kAnthropicMessages, "event: error\n"},
                                                  {Dialect::kOpenAiChat, "data: {\"error\":"},
                                                  {Dialect::kOpenAiResponses, "event: error\n"},
                                                  {Dialect::kOllamaChat, "{\"error\":"}};
  for (const auto& [dialect, error] : rows) {
    const auto writer = make_stream_writer(dialect, {.id = "i", .model = "m"});
    std::string out;
    writer->on(ToolUseStart{"c", "f"}, kNowMs, out);
    writer->on(ToolUseDelta{"{\"a\""}, kNowMs, out);
    writer->on(Finished{StopReason::kToolUse, {}, {}, {}}, kNowMs, out);
    EXPECT_NE(out.find(error), std::string::npos) << out;
    EXPECT_EQ(out.find("message_stop"), std::string::npos);
    EXPECT_EQ(out.find("[DONE]"), std::string::npos);
    EXPECT_EQ(out.find("\"done\":true"), std::string::npos);
    EXPECT_EQ(out.find("response.completed"), std::string::npos);
    EXPECT_EQ(out.find("output_item.done"), std::string::npos) << "clients run what is done";
  }
}

TEST(StreamWriter, ResponsesRepeatTheSettingsOfTheRequest) {
  const auto writer = make_stream_writer(
      Dialect::kOpenAiResponses,
      {.id = "resp_1", .model = "m", .echo_json = R"({"tools":[{"type":"function"}]})"});
  std::string out;
  writer->on(Finished{}, kNowMs, out);
  for (const char* event : {"response.created", "response.completed"}) {
    const std::size_t at = out.find(std::string("event: ") + event);
    ASSERT_NE(at, std::string::npos) << event;
    EXPECT_NE(out.find(R"("tools":[{"type":"function"}])", at), std::string::npos) << event;
  }
}

TEST(StreamWriter, ResponsesBeginBeforeTheyFail) {
  const auto writer = make_stream_writer(Dialect::kOpenAiResponses, {.id = "resp_1"});
  std::string out;
  writer->on(Failed{{Code::kExhausted, "too many"}, ""}, kNowMs, out);
  EXPECT_TRUE(out.starts_with("event: response.created\n")) << out;
  EXPECT_NE(out.find(R"("error":{"code":"rate_limit_exceeded","message":"too many"})"),
            std::string::npos)
      << out;
}

TEST(StreamWriter, HidesTroubleWithOurOwnUpstreamKey) {
  const auto writer = make_stream_writer(Dialect::kAnthropicMessages, {.id = "i", .model = "m"});
  std::string out;
  writer->on(Failed{{Code::kConfig, "the Claude key was refused"}, "authentication_error"}, 0, out);
  EXPECT_EQ(out,
            "event: error\ndata: {\"type\":\"error\",\"error\":{\"type\":\"api_error\","
            "\"message\":\"the Claude key was refused\"}}\n\n");
}

TEST(StreamContentType, FollowsTheDialect) {
  EXPECT_EQ(stream_content_type(Dialect::kAnthropicMessages), "text/event-stream");
  EXPECT_EQ(stream_content_type(Dialect::kOpenAiChat), "text/event-stream");
  EXPECT_EQ(stream_content_type(Dialect::kOllamaChat), "application/x-ndjson");
  EXPECT_EQ(stream_content_type(Dialect::kOllamaGenerate), "application/x-ndjson");
}

}  // namespace
}  // namespace tophand::chat

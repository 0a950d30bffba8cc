// What Claude states beside a plain answer: tokens in more places than one, errors in a 200.
#include <gtest/gtest.h>

#include "chat/dialect.h"
#include "chat/upstream.h"

namespace tophand::chat {
namespace {

// The numbers of the API's documentation, "Compaction at a token threshold", with a cache.
constexpr const char* kIterations =
    R"("iterations":[{"type":"compaction","input_tokens":180000,"output_tokens":3500,)"
    R"("cache_read_input_tokens":40,"cache_creation_input_tokens":60,)"
    R"("cache_creation":{"ephemeral_5m_input_tokens":10,"ephemeral_1h_input_tokens":50}},)"
    R"({"type":"message","input_tokens":23000,"output_tokens":1000}])";

void expect_all_that_is_billed(const Usage& usage) {
  EXPECT_EQ(usage.input_tokens, 203'000);
  EXPECT_EQ(usage.output_tokens, 4'500);
  EXPECT_EQ(usage.cache_read_tokens, 40);
  EXPECT_EQ(usage.cache_write_5m_tokens, 10);
  EXPECT_EQ(usage.cache_write_1h_tokens, 50);
}

TEST(AnthropicUsage, OfAWholeMessageCountsItsCompactions) {
  const auto answer = read_anthropic_answer(
      R"({"type":"message","model":"m","content":[{"type":"text","text":"a"}],)"
      R"("stop_reason":"end_turn","usage":{"input_tokens":23000,"output_tokens":1000,)" +
      std::string(kIterations) + "}}");
  ASSERT_TRUE(answer);
  expect_all_that_is_billed(answer->usage);
}

// The list is a running total like the rest: what was stated before is not added again.
TEST(AnthropicUsage, OfAStreamCountsEachCompactionOnce) {
  AnthropicStreamReader reader;
  std::vector<StreamEvent> events;
  reader.on_event("",
                  R"({"type":"message_start","message":{"usage":{"input_tokens":23000,)"
                  R"("output_tokens":1,"iterations":[{"type":"compaction","input_tokens":180000,)"
                  R"("output_tokens":3500}]}}})",
                  events);
  EXPECT_EQ(reader.usage().output_tokens, 3'501) << "of an answer that breaks off, too";
  const std::string delta =
      R"({"type":"message_delta","delta":{"stop_reason":"end_turn"},"usage":{"output_tokens":1000,)" +
      std::string(kIterations) + "}}";
  reader.on_event("", delta, events);
  reader.on_event("", R"({"type":"message_delta","delta":{},"usage":{"output_tokens":1000}})",
                  events);
  reader.on_event("", R"({"type":"message_stop"})", events);
  expect_all_that_is_billed(std::get<Finished>(events.back()).usage);
}

bool stream_says_its_usage(const std::string& start, const std::string& delta) {
  AnthropicStreamReader reader;
  std::vector<StreamEvent> events;
  reader.on_event("", R"({"type":"message_start","message":{)" + start + "}}", events);
  reader.on_event("", R"({"type":"message_delta","delta":{"stop_reason":"end_turn"})" + delta + "}",
                  events);
  reader.on_event("", R"({"type":"message_stop"})", events);
  return std::get<Finished>(events.back()).usage_said;
}

// What is not said is not free: it is charged on the safe side.
TEST(AnthropicUsage, IsSaidOnlyWhereInputAndTheWholeOutputAre) {
  const std::string start = R"("usage":{"input_tokens":9,"output_tokens":1})";
  EXPECT_TRUE(stream_says_its_usage(start, R"(,"usage":{"output_tokens":7})"));
  EXPECT_TRUE(stream_says_its_usage(R"("usage":{"input_tokens":0,"cache_read_input_tokens":9})",
                                    R"(,"usage":{"output_tokens":7})"));
  EXPECT_FALSE(stream_says_its_usage("", R"(,"usage":{"output_tokens":7})")) << "no input";
  for (const char* delta : {"", R"(,"usage":null)", R"(,"usage":{"input_tokens":9})",
                            R"(,"usage":{"output_tokens":"x"})", R"(,"usage":{"output_tokens":-5})",
                            R"(,"usage":{"output_tokens":1000000000000000000})"})
    EXPECT_FALSE(stream_says_its_usage(start, delta)) << delta;
  const std::string whole =
      R"({"type":"message","content":[{"type":"text","text":"a"}],"stop_reason":"end_turn")";
  EXPECT_FALSE(read_anthropic_answer(whole + "}")->usage_said);
  EXPECT_FALSE(read_anthropic_answer(whole + R"(,"usage":{"input_tokens":9}})")->usage_said);
  EXPECT_TRUE(read_anthropic_answer(whole + R"(,"usage":{"input_tokens":9,"output_tokens":1}})")
                  ->usage_said);
}

TEST(ReadAnthropicError, APromptThatIsTooLongIsKnownByItsWords) {
  for (const char* message : {"prompt is too long: 210000 tokens > 200000 maximum",
                              "input length and `max_tokens` exceed context limit: 199000 + 8192 > "
                              "200000, decrease input "
                              "length or `max_tokens` and try again"}) {
    const Failed failed = read_anthropic_error(
        400, R"({"type":"error","error":{"type":"invalid_request_error","message":")" +
                 std::string(message) + "\"}}");
    EXPECT_EQ(failed.error.code, Code::kPromptTooLong) << message;
    EXPECT_EQ(failed.error.message, message);
  }
}

// The limit came before the first byte of its arguments; run, it would do whatever nothing means.
TEST(ACallThatTheLimitCut, IsNoCallWithoutArguments) {
  AnthropicStreamReader reader;
  std::vector<StreamEvent> events;
  for (
      const char* data :
      {R"({"type":"message_start","message":{"usage":{"input_tokens":9}}})",
       R"({"type":"content_block_start","index":0,"content_block":{"type":"tool_use","id":"t",)"
       R"("name":"f","input":{}}})",
       R"({"type":"content_block_delta","delta":{"type":"input_json_delta","partial_json":""}})",
       R"({"type":"content_block_stop","index":0})",
       R"({"type":"message_delta","delta":{"stop_reason":"max_tokens"},"usage":{"output_tokens":4}})",
       R"({"type":"message_stop"})"})
    reader.on_event("", data, events);
  const auto written = [&](Dialect dialect) {
    const auto writer = make_stream_writer(dialect, {.id = "i", .model = "m"});
    std::string out;
    for (const StreamEvent& event : events) writer->on(event, 1, out);
    return out;
  };
  const std::string chat = written(Dialect::kOpenAiChat);
  EXPECT_NE(chat.find(R"("finish_reason":"length")"), std::string::npos) << chat;
  EXPECT_EQ(chat.find("{}\""), std::string::npos) << chat;
  const std::string responses = written(Dialect::kOpenAiResponses);
  EXPECT_NE(responses.find("response.incomplete"), std::string::npos) << responses;
  EXPECT_EQ(responses.find("response.output_item.done"), std::string::npos) << responses;
  const std::string ollama = written(Dialect::kOllamaChat);
  EXPECT_NE(ollama.find(R"("done_reason":"length")"), std::string::npos) << ollama;
  EXPECT_EQ(ollama.find("tool_calls"), std::string::npos) << ollama;
}

// Of proxies that answer at Claude's address: Claude's own blocks come one after another.
TEST(BlocksOfAStream, AreToldApartByTheirIndex) {
  const std::string call = R"("content_block":{"type":"tool_use","id":"t","name":"f","input":{}}})";
  const auto piece = [](int index) {
    return R"({"type":"content_block_delta","index":)" + std::to_string(index) +
           R"(,"delta":{"type":"input_json_delta","partial_json":"{}"}})";
  };
  const std::string first = R"({"type":"content_block_start","index":0,)" + call;
  const std::string second = R"({"type":"content_block_start","index":1,)" + call;
  AnthropicStreamReader mixed, late_stop;
  std::vector<StreamEvent> events;
  for (const std::string& data : {first, second, piece(0), piece(1)})
    mixed.on_event("", data, events);
  EXPECT_TRUE(std::holds_alternative<Failed>(events.back()));
  EXPECT_TRUE(mixed.finished());
  events.clear();
  const std::string end = R"({"type":"content_block_stop","index":0})";
  for (const std::string& data : {first, piece(0), second, end, piece(1)})
    late_stop.on_event("", data, events);
  EXPECT_EQ(std::get<ToolUseDelta>(events.back()).json, "{}");
}

// A whole answer shows what came of it as an object, which may lack the half.
TEST(ACallThatTheLimitCut, OfAWholeAnswerHasNoArguments) {
  const auto answer = read_anthropic_answer(
      R"({"type":"message","content":[{"type":"tool_use","id":"s","name":"f","input":{"a":1}},)"
      R"({"type":"tool_use","id":"t","name":"f","input":{"p":"Par"}}],"stop_reason":"max_tokens",)"
      R"("usage":{"input_tokens":9,"output_tokens":4}})");
  ASSERT_TRUE(answer);
  EXPECT_EQ(std::get<ToolUseBlock>(answer->blocks.at(0)).input_json, R"({"a":1})");
  EXPECT_EQ(std::get<ToolUseBlock>(answer->blocks.at(1)).input_json, "");
}

TEST(ReadAnthropicAnswer, AnErrorWithAStatusOf200IsThatError) {
  const auto answer = read_anthropic_answer(
      R"({"type":"error","error":{"type":"overloaded_error","message":"Overloaded"}})");
  ASSERT_FALSE(answer);
  EXPECT_EQ(answer.error().code, Code::kUnavailable);
  EXPECT_EQ(answer.error().message, "Overloaded");
}

// It is no empty answer that another backend should be asked for.
TEST(AnthropicUsage, AMessageThatOnlySumsUpHasNotEndedByItself) {
  AnthropicStreamReader reader;
  std::vector<StreamEvent> events;
  reader.on_event("", R"({"type":"message_delta","delta":{"stop_reason":"compaction"}})", events);
  reader.on_event("", R"({"type":"message_stop"})", events);
  EXPECT_EQ(std::get<Finished>(events.back()).reason, StopReason::kPauseTurn);
}

}  // namespace
}  // namespace tophand::chat

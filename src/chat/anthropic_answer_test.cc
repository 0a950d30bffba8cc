// What Claude states beside a plain answer: tokens in more places than one, errors in a 200.
#include <gtest/gtest.h>

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

// What other programs say they counted goes into sums and prices: no more is believed than those
// hold.
#include <gtest/gtest.h>

#include <string>
#include <variant>
#include <vector>

#include "chat/embedding.h"
#include "chat/embedding_upstream.h"
#include "chat/ollama_upstream.h"
#include "chat/openai_upstream.h"
#include "chat/upstream.h"

namespace tophand::chat {
namespace {

Usage usage_of(const std::vector<StreamEvent>& events) {
  for (const StreamEvent& event : events)
    if (const auto* finished = std::get_if<Finished>(&event)) return finished->usage;
  ADD_FAILURE() << "no end";
  return {};
}

TEST(StatedCounts, OfAnOpenAiServerAreLeftOutWhereNoContextHoldsThem) {
  OpenAiStreamReader reader("call_");
  std::vector<StreamEvent> events;
  reader.on_data(R"({"choices":[{"index":0,"delta":{"content":"a"},"finish_reason":"stop"}],)"
                 R"("usage":{"prompt_tokens":5,"completion_tokens":1}})",
                 events);
  reader.on_data(R"({"choices":[],"usage":{"prompt_tokens":9223372036854775807,)"
                 R"("completion_tokens":9e18,"prompt_tokens_details":{"cached_tokens":1e15}}})",
                 events);
  reader.on_end(events);
  EXPECT_EQ(usage_of(events).total_input(), 5);
  EXPECT_EQ(usage_of(events).output_tokens, 1);
}

TEST(StatedCounts, OfOllamaAreLeftOutWhereNoContextHoldsThem) {
  OllamaStreamReader reader("call_");
  std::vector<StreamEvent> events;
  reader.on_line(R"({"message":{"content":"a"},"done":true,"done_reason":"stop",)"
                 R"("prompt_eval_count":9223372036854775807,"eval_count":1000000001})",
                 events);
  EXPECT_EQ(usage_of(events).total_input(), 0);
  EXPECT_EQ(usage_of(events).output_tokens, 0);
}

TEST(StatedCounts, OfTheClaudeApiAreLeftOutWhereNoContextHoldsThem) {
  AnthropicStreamReader reader;
  std::vector<StreamEvent> events;
  reader.on_event(
      "", R"({"type":"message_start","message":{"model":"m","usage":{"input_tokens":5}}})", events);
  reader.on_event("",
                  R"({"type":"message_delta","delta":{"stop_reason":"end_turn"},"usage":{)"
                  R"("input_tokens":9223372036854775807,"cache_read_input_tokens":9e18,)"
                  R"("cache_creation_input_tokens":9e18,"cache_creation":{)"
                  R"("ephemeral_5m_input_tokens":9e18,"ephemeral_1h_input_tokens":9e18},)"
                  R"("output_tokens":7}})",
                  events);
  reader.on_event("", R"({"type":"message_stop"})", events);
  EXPECT_EQ(usage_of(events).total_input(), 5);
  EXPECT_EQ(usage_of(events).output_tokens, 7);
}

TEST(StatedCounts, OfEmbeddingsAreLeftOutWhereNoContextHoldsThem) {
  const auto ollama = read_ollama_embeddings(
      R"({"embeddings":[[1.0]],"prompt_eval_count":9223372036854775807})", 1);
  ASSERT_TRUE(ollama.has_value());
  EXPECT_EQ(ollama->input_tokens(), 0);
  const auto openai = read_openai_embeddings(
      R"({"data":[{"index":0,"embedding":[1.0]}],"usage":{"prompt_tokens":9e18}})", 1);
  ASSERT_TRUE(openai.has_value());
  EXPECT_EQ(openai->input_tokens(), 0);
}

}  // namespace
}  // namespace tophand::chat

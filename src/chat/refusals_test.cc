// How OpenAI's SDKs learn that the model would not answer. Their helpers read text as what was
// asked for, and throw where it is none; a refusal in the provider's own field ends as other
// answers do.
#include <gtest/gtest.h>

#include <string>
#include <vector>

#include "base/json.h"
#include "chat/dialect.h"
#include "chat/openai_upstream.h"

namespace tophand::chat {
namespace {

constexpr const char* kPart = R"({"type":"refusal","refusal":"I can't."})";

TEST(ResponsesRefusal, IsAPartOfItsOwnInAWholeResponse) {
  const Answer answer{
      .model = "m",
      .blocks = {TextBlock{"Well."}, ThinkingBlock{"no", ""}, TextBlock{"I can't."}},
      .reason = StopReason::kRefusal,
      .stop_sequence = {},
      .usage = {},
      .timing = {}};
  const Json response =
      *parse_json(write_answer(Dialect::kOpenAiResponses, {.id = "resp_1"}, answer));
  EXPECT_EQ(response["output"][0]["content"][0]["type"], "output_text");
  EXPECT_EQ(dump_json(response["output"][2]["content"][0]), kPart);
  EXPECT_EQ(response["incomplete_details"]["reason"], "content_filter");
}

TEST(ResponsesRefusal, ClosesTheTextOfAStream) {
  const auto writer = make_stream_writer(Dialect::kOpenAiResponses, {.id = "resp_1"});
  std::string out;
  for (const StreamEvent& event : std::vector<StreamEvent>{
           Started{}, TextDelta{"I can't."}, BlockEnd{}, Finished{StopReason::kRefusal}})
    writer->on(event, 1, out);
  EXPECT_NE(out.find("event: response.refusal.done\n"), std::string::npos) << out;
  EXPECT_EQ(out.find("response.output_text.done"), std::string::npos) << out;
  EXPECT_NE(out.find(R"("content":[)" + std::string(kPart)), std::string::npos) << out;
}

// What OpenAI's API sends for a refusal, as events.
std::vector<StreamEvent> told_by_openai() {
  OpenAiStreamReader reader("call");
  std::vector<StreamEvent> events;
  for (const char* chunk : {R"({"model":"m","choices":[{"delta":{"role":"assistant"}}]})",
                            R"({"choices":[{"delta":{"refusal":"I ca"}}]})",
                            R"({"choices":[{"delta":{"refusal":"n't."}}]})",
                            R"({"choices":[{"delta":{},"finish_reason":"stop"}]})"})
    reader.on_data(chunk, events);
  reader.on_end(events);
  return events;
}

Answer gathered(const std::vector<StreamEvent>& events) {
  Collector collector;
  for (const StreamEvent& event : events) collector.on(event);
  EXPECT_TRUE(collector.finished());
  return collector.take();
}

std::string streamed(Dialect dialect, const std::vector<StreamEvent>& events) {
  const auto writer = make_stream_writer(dialect, {.id = "resp_1"});
  std::string out;
  for (const StreamEvent& event : events) writer->on(event, 1, out);
  return out;
}

TEST(OpenAiRefusal, StaysOneInAWholeChatAnswer) {
  const Json answer = *parse_json(
      write_answer(Dialect::kOpenAiChat, {.id = "chatcmpl-1"}, gathered(told_by_openai())));
  const Json& choice = answer["choices"][0];
  EXPECT_EQ(choice["message"]["refusal"], "I can't.");
  EXPECT_TRUE(choice["message"]["content"].is_null());
  EXPECT_EQ(choice["finish_reason"], "stop");
}

TEST(OpenAiRefusal, StaysOneInAStreamOfChunks) {
  const std::string out = streamed(Dialect::kOpenAiChat, told_by_openai());
  EXPECT_NE(out.find(R"("delta":{"refusal":"I ca"})"), std::string::npos) << out;
  EXPECT_NE(out.find(R"("delta":{"refusal":"n't."})"), std::string::npos) << out;
  EXPECT_NE(out.find(R"("finish_reason":"stop")"), std::string::npos) << out;
}

TEST(OpenAiRefusal, CompletesAResponse) {
  const Json response = *parse_json(
      write_answer(Dialect::kOpenAiResponses, {.id = "resp_1"}, gathered(told_by_openai())));
  EXPECT_EQ(response["status"], "completed");
  EXPECT_EQ(dump_json(response["output"][0]["content"]), "[" + std::string(kPart) + "]");
  const std::string out = streamed(Dialect::kOpenAiResponses, told_by_openai());
  EXPECT_NE(out.find("event: response.refusal.delta\n"), std::string::npos) << out;
  EXPECT_EQ(out.find("response.output_text"), std::string::npos) << out;
  EXPECT_NE(out.find("event: response.refusal.done\n"), std::string::npos) << out;
  EXPECT_NE(out.find("event: response.completed\n"), std::string::npos) << out;
  EXPECT_EQ(out.find("output_text"), std::string::npos) << out;
}

TEST(OpenAiRefusal, IsARefusalToClientsOfOtherApis) {
  const Json message = *parse_json(
      write_answer(Dialect::kAnthropicMessages, {.id = "msg_1"}, gathered(told_by_openai())));
  EXPECT_EQ(message["stop_reason"], "refusal");
  EXPECT_EQ(message["content"][0]["text"], "I can't.");
}

// Words before it are a block of their own: they were meant as the answer.
TEST(OpenAiRefusal, IsApartFromTheTextBeforeIt) {
  const std::vector<StreamEvent> events{Started{}, TextDelta{"Well."}, TextDelta{"No.", true},
                                        Finished{StopReason::kRefusal}};
  const Json answer =
      *parse_json(write_answer(Dialect::kOpenAiChat, {.id = "chatcmpl-1"}, gathered(events)));
  EXPECT_EQ(answer["choices"][0]["message"]["content"], "Well.");
  EXPECT_EQ(answer["choices"][0]["message"]["refusal"], "No.");
  const Json response =
      *parse_json(write_answer(Dialect::kOpenAiResponses, {.id = "resp_1"}, gathered(events)));
  EXPECT_EQ(response["output"][0]["content"][0]["type"], "output_text");
  EXPECT_EQ(response["output"][1]["content"][0]["type"], "refusal");
}

}  // namespace
}  // namespace tophand::chat

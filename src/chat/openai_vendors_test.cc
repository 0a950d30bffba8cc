// What vendors beside OpenAI send in its form: errors in places of their own. Their streams are in
// tests/conformance/shapes/vendors.json.
#include <gtest/gtest.h>

#include "chat/openai_upstream.h"
#include "chat/server_error.h"
#include "chat/upstream_test_support.h"

namespace tophand::chat {
namespace {

struct ErrorPlace {
  const char* name;
  const char* data;
  const char* message;
  Code code;
};
void PrintTo(const ErrorPlace& row, std::ostream* out) {
  *out << row.name;
}

class ErrorsOfVendors : public testing::TestWithParam<ErrorPlace> {};

TEST_P(ErrorsOfVendors, KeepTheirMessageAndMeaning) {
  OpenAiStreamReader reader("");
  std::vector<StreamEvent> events;
  reader.on_data(GetParam().data, events);
  const auto* failed = events.empty() ? nullptr : std::get_if<Failed>(&events.back());
  ASSERT_NE(failed, nullptr);
  EXPECT_EQ(failed->error.message, GetParam().message);
  EXPECT_EQ(failed->error.code, GetParam().code);
}

INSTANTIATE_TEST_SUITE_P(
    All, ErrorsOfVendors,
    testing::Values(
        ErrorPlace{"InAListOfGemini",
                   R"([{"error":{"code":429,"message":"exhausted","status":"X"}}])", "exhausted",
                   Code::kExhausted},
        ErrorPlace{"InTheChoiceOfOpenRouter",
                   R"({"choices":[{"delta":{"content":""},"finish_reason":"error",)"
                   R"("error":{"code":502,"message":"Provider disconnected"}}]})",
                   "Provider disconnected", Code::kUpstream},
        ErrorPlace{"BesideAnEmptyDelta",
                   R"({"error":{"code":503,"message":"gone"},"choices":[{"delta":{}}]})", "gone",
                   Code::kUnavailable},
        ErrorPlace{"AsText", R"({"error":"boom"})", "boom", Code::kUpstream},
        ErrorPlace{"BesideWhatGroqSaid",
                   R"({"choices":[{"index":0,"delta":{},"finish_reason":null}],)"
                   R"("x_groq":{"id":"req_1","error":"over_capacity"}})",
                   "over_capacity", Code::kUnavailable},
        ErrorPlace{"OfARateByItsType",
                   R"({"error":{"type":"rate_limit_error","message":"slow down"}})", "slow down",
                   Code::kExhausted},
        ErrorPlace{"OfARateByItsCode",
                   R"({"error":{"code":"rate_limit_exceeded","message":"slow down"}})", "slow down",
                   Code::kExhausted},
        ErrorPlace{"OfARateByANumberInQuotes", R"({"error":{"code":"429","message":"slow down"}})",
                   "slow down", Code::kExhausted},
        ErrorPlace{"OfARateByItsStatus", R"({"error":{"status":429,"message":"slow down"}})",
                   "slow down", Code::kExhausted},
        ErrorPlace{"OfALoad", R"({"error":{"type":"overloaded_error","message":"busy"}})", "busy",
                   Code::kUnavailable}),
    [](const auto& test) { return test.param.name; });

TEST(ReadServerError, ReadsAListOfOne) {
  const Failed failed = read_server_error(429, R"([{"error":{"code":429,"message":"later"}}])");
  EXPECT_EQ(failed.error.message, "later");
  EXPECT_EQ(failed.error.code, Code::kExhausted);
}

std::string said(const char* chunk) {
  OpenAiStreamReader reader("");
  std::vector<StreamEvent> events;
  reader.on_data(chunk, events);
  reader.on_data("[DONE]", events);
  return in_words(events);
}

TEST(OpenAiStreamReader, ThoughtsThatOnlyTheTotalHoldsAreOutput) {
  const char* const kXai =
      R"({"choices":[{"delta":{"content":"a"},"finish_reason":"stop"}],"usage":{"prompt_tokens":32,)"
      R"("completion_tokens":9,"total_tokens":135,)"
      R"("completion_tokens_details":{"reasoning_tokens":94}}})";
  OpenAiStreamReader reader("");
  std::vector<StreamEvent> events;
  reader.on_data(kXai, events);
  reader.on_data("[DONE]", events);
  const Usage& usage = std::get<Finished>(events.back()).usage;
  EXPECT_EQ(usage.input_tokens, 32);
  EXPECT_EQ(usage.output_tokens, 103);
  EXPECT_EQ(usage.thinking_tokens, 94);
  EXPECT_EQ(said(R"({"choices":[{"delta":{"content":"a"},"finish_reason":"stop"}],)"
                 R"("usage":{"prompt_tokens":20,"completion_tokens":6,"total_tokens":26}})"),
            "started ; text a; finished end_turn 20+0/6");
}

TEST(OpenAiStreamReader, VllmAndSglangNameTheStopSequence) {
  for (const char* name : {"stop_reason", "matched_stop"}) {
    OpenAiStreamReader reader("");
    std::vector<StreamEvent> events;
    reader.on_data(R"({"choices":[{"delta":{"content":"a"},"finish_reason":"stop",")" +
                       std::string(name) + R"(":"END"}]})",
                   events);
    reader.on_data("[DONE]", events);
    EXPECT_EQ(std::get<Finished>(events.back()).reason, StopReason::kStopSequence) << name;
    EXPECT_EQ(std::get<Finished>(events.back()).stop_sequence, "END") << name;
  }
}

TEST(OpenAiStreamReader, AnEmptyObjectThatNothingFollowsIsTheArguments) {
  OpenAiStreamReader reader("");
  std::vector<StreamEvent> events;
  reader.on_data(
      R"({"choices":[{"delta":{"tool_calls":[{"index":0,"id":"a","function":{"name":"f",)"
      R"("arguments":"{}"}}]}}]})",
      events);
  EXPECT_EQ(in_words(events), "started ; tool a f") << "more may come";
  reader.on_data("[DONE]", events);
  EXPECT_EQ(in_words(events), "started ; tool a f; json {}; end; finished end_turn 0+0/0");
}

TEST(OpenAiStreamReader, CallsOfOneIdAndIndexAreToldApartByTheirNames) {
  OpenAiStreamReader reader("");
  std::vector<StreamEvent> events;
  for (const char* name : {"f", "g"})
    reader.on_data(
        R"({"choices":[{"delta":{"tool_calls":[{"index":0,"id":"a","function":{"name":")" +
            std::string(name) + R"(","arguments":"{}"}}]}}]})",
        events);
  reader.on_data("[DONE]", events);
  EXPECT_EQ(in_words(events),
            "started ; tool a f; json {}; end; tool a-1 g; json {}; end; finished end_turn 0+0/0");
}

}  // namespace
}  // namespace tophand::chat

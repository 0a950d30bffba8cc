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
    testing::Values(ErrorPlace{"InAListOfGemini",
                               R"([{"error":{"code":429,"message":"exhausted","status":"X"}}])",
                               "exhausted", Code::kExhausted},
                    ErrorPlace{"InTheChoiceOfOpenRouter",
                               R"({"choices":[{"delta":{"content":""},"finish_reason":"error",)"
                               R"("error":{"code":502,"message":"Provider disconnected"}}]})",
                               "Provider disconnected", Code::kUpstream},
                    ErrorPlace{
                        "BesideAnEmptyDelta",
                        R"({"error":{"code":503,"message":"gone"},"choices":[{"delta":{}}]})",
                        "gone", Code::kUnavailable},
                    ErrorPlace{"AsText", R"({"error":"boom"})", "boom", Code::kUpstream}),
    [](const auto& test) { return test.param.name; });

TEST(ReadServerError, ReadsAListOfOne) {
  const Failed failed = read_server_error(429, R"([{"error":{"code":429,"message":"later"}}])");
  EXPECT_EQ(failed.error.message, "later");
  EXPECT_EQ(failed.error.code, Code::kExhausted);
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

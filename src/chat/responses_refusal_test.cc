// How OpenAI's SDKs learn from a response that the model would not answer: their helpers read parts
// of the type output_text as what was asked for, and throw where it is none.
#include <gtest/gtest.h>

#include <string>
#include <vector>

#include "base/json.h"
#include "chat/dialect.h"

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

}  // namespace
}  // namespace tophand::chat

// What only servers that speak OpenAI's API are told of a request.
#include <gtest/gtest.h>

#include <string>
#include <utility>

#include "chat/openai_written_for_tests.h"

namespace tophand::chat {
namespace {

TEST(WriteOpenAiRequest, SaysWhoSpeaks) {
  const char* body =
      R"({"model":"m","messages":[{"role":"system","name":"s","content":"a"},)"
      R"({"role":"user","name":"ann","content":"q"},{"role":"user","name":"bob","content":"r"},)"
      R"({"role":"user","name":"bob","content":"t"},)"
      R"({"role":"assistant","name":"cy","content":"x"},{"role":"user","content":"u"}]})";
  EXPECT_EQ(dump_json(written(Dialect::kOpenAiChat, body, {.system_anywhere = true})["messages"]),
            R"([{"role":"system","content":"a","name":"s"},)"
            R"({"role":"user","content":"q","name":"ann"},)"
            R"({"role":"user","content":"r\n\nt","name":"bob"},)"
            R"({"role":"assistant","content":"x","name":"cy"},{"role":"user","content":"u"}])");
  // Templates that insist on turns get them: who spoke has no place there.
  EXPECT_EQ(dump_json(written(Dialect::kOpenAiChat, body)["messages"][1]),
            R"({"role":"user","content":"q\n\nr\n\nt"})");
}

TEST(WriteOpenAiRequest, PassesOnHowCloselyToLookAtAnImage) {
  for (const auto& [dialect, body] :
       {std::pair{Dialect::kOpenAiChat,
                  R"({"model":"m","messages":[{"role":"user","content":[{"type":"image_url",)"
                  R"("image_url":{"url":"u:1","detail":"low"}}]}]})"},
        std::pair{Dialect::kOpenAiResponses,
                  R"({"model":"m","input":[{"role":"user","content":[{"type":"input_image",)"
                  R"("image_url":"u:1","detail":"low"}]}]})"}})
    EXPECT_EQ(dump_json(written(dialect, body)["messages"][0]["content"][0]["image_url"]),
              R"({"url":"u:1","detail":"low"})");
}

TEST(WriteOpenAiRequest, CallsASchemaWhatTheClientCallsIt) {
  for (const auto& [dialect, body] :
       {std::pair{Dialect::kOpenAiChat,
                  R"({"model":"m","messages":[{"role":"user","content":"q"}],"response_format":)"
                  R"({"type":"json_schema","json_schema":{"name":"n","description":"d",)"
                  R"("schema":{"type":"object"}}}})"},
        std::pair{Dialect::kOpenAiResponses,
                  R"({"model":"m","input":"q","text":{"format":{"type":"json_schema","name":"n",)"
                  R"("description":"d","schema":{"type":"object"}}}})"}}) {
    const Json schema = written(dialect, body)["response_format"]["json_schema"];
    EXPECT_EQ(schema["name"], "n");
    EXPECT_EQ(schema["description"], "d");
  }
}

TEST(WriteOpenAiRequest, TellsAServerToGoOnWithTheLastMessageInItsWords) {
  const auto words = [](OpenAiQuirks::GoingOn going_on, const std::string& last) {
    const Json body =
        written(Dialect::kOpenAiChat,
                R"({"model":"m","messages":[{"role":"user","content":"q"},)" + last + "]}",
                {.going_on = going_on});
    return dump_json(body.value("continue_final_message", Json())) +
           dump_json(body.value("add_generation_prompt", Json())) +
           dump_json(body.value("continue_", Json()));
  };
  using GoingOn = OpenAiQuirks::GoingOn;
  const std::string said = R"({"role":"assistant","content":"pre"})";
  EXPECT_EQ(words(GoingOn::kTemplate, said), "truefalsenull");
  EXPECT_EQ(words(GoingOn::kContinue, said), "nullnulltrue");
  EXPECT_EQ(words(GoingOn::kUnsaid, said), "nullnullnull");
  EXPECT_EQ(words(GoingOn::kTemplate, R"({"role":"user","content":"r"})"), "nullnullnull");
  EXPECT_EQ(words(GoingOn::kTemplate,
                  R"({"role":"assistant","content":"","tool_calls":[{"id":"1","function":)"
                  R"({"name":"f","arguments":"{}"}}]})"),
            "nullnullnull");
}

}  // namespace
}  // namespace tophand::chat

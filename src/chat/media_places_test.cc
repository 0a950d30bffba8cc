// Images and files that stand where models take none.
#include "chat/media_places.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "chat/test_support.h"

namespace tophand::chat {
namespace {

#define IMAGE R"({"type":"image_url","image_url":{"url":"u:1"}})"
#define FILE_OF_TEXT \
  R"({"type":"file","file":{"filename":"a.md","file_data":"data:text/plain;base64,QQ=="}})"
#define TEXT(text) R"({"type":"text","text":")" text R"("})"
#define SAYS(role, parts) R"({"role":")" role R"(","content":[)" parts "]}"
#define ASK SAYS("user", TEXT("q"))

struct Row {
  const char* name;
  const char* messages;  // of Chat Completions
  const char* expected;
};
void PrintTo(const Row& row, std::ostream* out) {
  *out << row.name;
}

class MediaPlaces : public testing::TestWithParam<Row> {};

TEST_P(MediaPlaces, AreInTheUsersTurns) {
  const std::string body = R"({"model":"m","messages":[)" + std::string(GetParam().messages) + "]}";
  EXPECT_EQ(shown(parsed(Dialect::kOpenAiChat, body).messages), GetParam().expected);
}

INSTANTIATE_TEST_SUITE_P(
    All, MediaPlaces,
    testing::Values(
        Row{"LeadingSystem", SAYS("system", TEXT("a") "," IMAGE "," TEXT("b")) "," ASK,
            "system: 'a' 'b' | user: image ,u:1 'q'"},
        Row{"LeadingMessagesStayTogether",
            SAYS("system", TEXT("a") "," IMAGE) "," SAYS("developer",
                                                         TEXT("b") "," FILE_OF_TEXT) "," ASK,
            "system: 'a' | system: 'b' | user: image ,u:1 opaque document 'q'"},
        Row{"NothingButMedia", SAYS("system", IMAGE) "," ASK, "user: image ,u:1 'q'"},
        Row{"NoTurnOfTheUsers", SAYS("system", TEXT("a") "," IMAGE),
            "system: 'a' | user: image ,u:1"},
        Row{"TheAssistantSpeaksFirst",
            SAYS("system", TEXT("a") "," IMAGE) "," SAYS("assistant", TEXT("b")) "," ASK,
            "system: 'a' | user: image ,u:1 | assistant: 'b' | user: 'q'"},
        Row{"LaterSystem", ASK "," SAYS("system", TEXT("a") "," IMAGE) "," ASK,
            "user: 'q' | system: 'a' | user: image ,u:1 'q'"},
        Row{"LaterSystemMessagesInARow",
            ASK "," SAYS("system", TEXT("a") "," IMAGE) "," SAYS("system", TEXT("b")) "," ASK,
            "user: 'q' | system: 'a' | user: image ,u:1 | system: 'b' | user: 'q'"},
        Row{"TheAssistantsTurn", ASK "," SAYS("assistant", TEXT("drawn") "," IMAGE) "," ASK,
            "user: 'q' | assistant: 'drawn' | user: image ,u:1 'q'"},
        Row{"TheAssistantsLastTurn", ASK "," SAYS("assistant", TEXT("So: ") "," IMAGE),
            "user: 'q' image ,u:1 | assistant: 'So: '"},
        Row{"BehindResults",
            ASK R"(,{"role":"assistant","content":[)" IMAGE R"(],"tool_calls":[{"id":"t",)"
                R"("function":{"name":"f","arguments":"{}"}}]},)"
                R"({"role":"tool","tool_call_id":"t","content":"42"})",
            "user: 'q' | assistant: call f#t{} | user: result #t'42' image ,u:1"},
        Row{"WhereTheyBelong", ASK "," SAYS("user", IMAGE "," TEXT("b")),
            "user: 'q' | user: image ,u:1 'b'"}),
    [](const auto& row) { return row.param.name; });

TEST(MediaPlaces, AreTheSameInEveryDialect) {
  const std::string items = R"([{"role":"developer","content":[{"type":"input_text","text":"a"},)"
                            R"({"type":"input_image","image_url":"u:1"}]}])";
  for (const std::string& body : {R"({"model":"m","input":)" + items + "}",
                                  R"({"model":"m","input":"q","instructions":)" + items + "}"})
    EXPECT_THAT(shown(parsed(Dialect::kOpenAiResponses, body).messages),
                testing::StartsWith("system: 'a' | user: image ,u:1"));
  EXPECT_EQ(shown(parsed(Dialect::kOllamaChat,
                         R"({"model":"m","messages":[{"role":"system","content":"a",)"
                         R"("images":["R0lGOD"]},{"role":"user","content":"q"}]})")
                      .messages),
            "system: 'a' | user: image image/gif,R0lGOD 'q'");
  EXPECT_EQ(shown(parsed(Dialect::kAnthropicMessages,
                         R"({"model":"m","max_tokens":9,"messages":[{"role":"user","content":"q"},)"
                         R"({"role":"system","content":[{"type":"text","text":"a"},)"
                         R"({"type":"document","source":{}}]}]})")
                      .messages),
            "user: 'q' | system: 'a' | user: opaque document");
}

}  // namespace
}  // namespace tophand::chat

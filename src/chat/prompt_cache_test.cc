// Where requests of other dialects are marked for Claude's prompt cache.
#include "chat/prompt_cache.h"

#include <gtest/gtest.h>

#include <string>
#include <vector>

#include "base/json.h"
#include "chat/dialect.h"
#include "chat/upstream.h"

namespace tophand::chat {
namespace {

Request parsed(const Json& body, Dialect dialect = Dialect::kOpenAiChat) {
  auto request = parse_request(dialect, dump_json(body));
  EXPECT_TRUE(request.has_value()) << request.error().message;
  return request ? std::move(*request) : Request();
}

Json written(const Json& body, Dialect dialect = Dialect::kOpenAiChat, bool own = true) {
  return *parse_json(
      write_anthropic_request(parsed(body, dialect), "claude-x", {.cache_prompt = own}));
}

// The paths of all marks, with the lifetime of those that have one.
void find_marks(const Json& json, const std::string& path, std::vector<std::string>& out) {
  if (json.is_object() && json.contains("cache_control"))
    out.push_back(path + std::string(string_or(json["cache_control"], "ttl", "")));
  if (json.is_object())
    for (const auto& [key, value] : json.items()) find_marks(value, path + "/" + key, out);
  if (json.is_array())
    for (std::size_t i = 0; i < json.size(); ++i)
      find_marks(json[i], path + "/" + std::to_string(i), out);
}
std::vector<std::string> marks(const Json& body) {
  std::vector<std::string> out;
  for (const char* part : {"tools", "system", "messages"})
    if (body.contains(part)) find_marks(body[part], part, out);
  return out;
}
using Marks = std::vector<std::string>;

Json text(const char* role, const std::string& said) {
  return {{"role", role}, {"content", said}};
}
const std::string kLong(4000, 'x');
const Json kTool = {{"type", "function"}, {"function", {{"name", "look"}, {"description", kLong}}}};
const Json kMark = {{"type", "ephemeral"}};
const Json kHour = {{"type", "ephemeral"}, {"ttl", "1h"}};

Json loop() {
  Json call = {
      {"id", "c1"}, {"type", "function"}, {"function", {{"name", "look"}, {"arguments", "{}"}}}};
  Json calls = {{"role", "assistant"}, {"content", nullptr}, {"tool_calls", Json::array({call})}};
  Json result = {{"role", "tool"}, {"tool_call_id", "c1"}, {"content", "found"}};
  return {
      {"model", "m"},
      {"tools", Json::array({kTool})},
      {"messages", Json::array({text("system", "Be brief."), text("user", "Go."), calls, result})}};
}

TEST(PromptCache, AnAgentsLoopIsMarkedAtItsEndAtThatOfTheTurnBeforeAndBehindTheSystemText) {
  EXPECT_EQ(marks(written(loop())),
            (Marks{"system/0", "messages/0/content/0", "messages/2/content/0"}));
}

TEST(PromptCache, ToolsWithoutSystemTextAreMarkedThemselves) {
  Json body = loop();
  body["messages"].erase(0);
  EXPECT_EQ(marks(written(body)),
            (Marks{"tools/0", "messages/0/content/0", "messages/2/content/0"}));
}

TEST(PromptCache, NothingButTheMarksIsOtherThanWithoutThem) {
  Json marked = written(loop());
  const Json plain = written(loop(), Dialect::kOpenAiChat, false);
  EXPECT_TRUE(marks(plain).empty());
  EXPECT_EQ(marked["system"][0]["text"], plain["system"]);
  marked["system"] = plain["system"];
  for (const std::size_t at : {0U, 2U}) marked["messages"][at]["content"][0].erase("cache_control");
  EXPECT_EQ(dump_json(marked), dump_json(plain));
}

TEST(PromptCache, WhatWillNotBeSentAgainIsNotMarked) {
  const Json once = {{"model", "m"}, {"messages", Json::array({text("user", kLong)})}};
  EXPECT_TRUE(marks(written(once)).empty());
  Json forced = once;
  forced["tools"] = Json::array({kTool});
  EXPECT_FALSE(marks(written(forced)).empty());
  forced["tool_choice"] = {{"type", "function"}, {"function", {{"name", "look"}}}};
  EXPECT_TRUE(marks(written(forced)).empty());
}

TEST(PromptCache, ATalkIsMarkedFromItsSecondTurnOnWhenItIsLongEnoughToBeKept) {
  Json talk = {{"model", "m"},
               {"messages", Json::array({text("user", "Hi."), text("assistant", "Hi."),
                                         text("user", "What now?")})}};
  EXPECT_TRUE(marks(written(talk)).empty());
  talk["messages"][0]["content"] = kLong;
  EXPECT_EQ(marks(written(talk)), (Marks{"messages/0/content/0", "messages/2/content/0"}));
}

TEST(PromptCache, MarksOfTheClientAreKeptAndNoneAreAdded) {
  Json body = loop();
  body["messages"][0]["content"] =
      Json::array({{{"type", "text"}, {"text", "Be brief."}, {"cache_control", kHour}},
                   {{"type", "text"}, {"text", "Now."}}});
  body["messages"][3]["cache_control"] = kMark;  // of the message, as LiteLLM's clients set it
  const Json out = written(body);
  EXPECT_EQ(marks(out), (Marks{"system/01h", "messages/2/content/0"}));
  EXPECT_EQ(out["system"].size(), 2U);
  EXPECT_EQ(out["system"][1]["text"], "Now.");
  EXPECT_EQ(parsed(body).billing.cache_write, CacheMark::k1h);
}

TEST(PromptCache, MarksOfToolsStandBesideTheFunctionOrInIt) {
  for (const bool inside : {false, true}) {
    Json body = loop();
    (inside ? body["tools"][0]["function"] : body["tools"][0])["cache_control"] = kMark;
    EXPECT_EQ(marks(written(body)), (Marks{"tools/0"})) << inside;
  }
}

TEST(PromptCache, OneMarkForTheWholeRequestIsPutWhereItIsBest) {
  Json body = {{"model", "m"},
               {"messages", Json::array({text("system", "S"), text("user", "U")})},
               {"cache_control", kHour}};
  EXPECT_EQ(marks(written(body)), (Marks{"system/01h", "messages/0/content/01h"}));
  EXPECT_EQ(mark_of_ends(parsed(body), false), CacheMark::k1h);
  EXPECT_EQ(marks(written(body, Dialect::kOpenAiChat, false)).size(), 2U);  // as it is not ours
}

TEST(PromptCache, TheLastFourOfMoreMarksAreSent) {
  Json parts = Json::array();
  for (int i = 0; i < 6; ++i)
    parts.push_back({{"type", "text"}, {"text", "p"}, {"cache_control", kMark}});
  const Json body = {{"model", "m"},
                     {"messages", Json::array({{{"role", "user"}, {"content", parts}}})}};
  EXPECT_EQ(marks(written(body)), (Marks{"messages/0/content/2", "messages/0/content/3",
                                         "messages/0/content/4", "messages/0/content/5"}));
}

TEST(PromptCache, WhatStandsInFrontOfAnHourLastsAnHour) {
  Json body = loop();
  body["messages"][0]["cache_control"] = kMark;
  body["messages"][1]["cache_control"] = kHour;
  body["messages"][3]["cache_control"] = kMark;
  EXPECT_EQ(marks(written(body)),
            (Marks{"system/01h", "messages/0/content/01h", "messages/2/content/0"}));
}

TEST(PromptCache, ResponsesHaveTheSameMarks) {
  const Json part = {{"type", "input_text"}, {"text", "Go."}, {"cache_control", kMark}};
  Json body = {{"model", "m"},
               {"instructions", kLong},
               {"input", Json::array({{{"role", "user"}, {"content", Json::array({part})}}})}};
  EXPECT_EQ(marks(written(body, Dialect::kOpenAiResponses)), (Marks{"messages/0/content/0"}));
  body["input"][0]["content"][0].erase("cache_control");
  body["tools"] = Json::array({{{"type", "function"}, {"name", "look"}, {"cache_control", kMark}}});
  EXPECT_EQ(marks(written(body, Dialect::kOpenAiResponses)), (Marks{"tools/0"}));
  body["tools"][0].erase("cache_control");
  EXPECT_EQ(marks(written(body, Dialect::kOpenAiResponses)),
            (Marks{"system/0", "messages/0/content/0"}));
}

TEST(PromptCache, MarksOnItemsOfResponsesAreKept) {
  const Json call = {{"type", "function_call"},
                     {"call_id", "c"},
                     {"name", "look"},
                     {"arguments", "{}"},
                     {"cache_control", kMark}};
  const Json result = {{"type", "function_call_output"},
                       {"call_id", "c"},
                       {"output", "x"},
                       {"cache_control", kMark}};
  Json message = text("user", "Go.");
  message["cache_control"] = kHour;
  const Json body = {{"model", "m"}, {"input", Json::array({message, call, result})}};
  EXPECT_EQ(marks(written(body, Dialect::kOpenAiResponses)),
            (Marks{"messages/0/content/01h", "messages/1/content/0", "messages/2/content/0"}));
}

// As text in the user's turn; and a result without a call, which is told as text.
TEST(PromptCache, MarksOnWhatIsToldInOtherWordsAreKept) {
  Json later = text("system", "Be quick."),
       stray = {{"role", "tool"}, {"tool_call_id", "c9"}, {"content", "x"}};
  later["cache_control"] = stray["cache_control"] = kMark;
  Json body = loop();
  body["messages"] = Json::array({text("user", "Go."), later, text("assistant", "A"), stray});
  EXPECT_EQ(marks(written(body)), (Marks{"messages/0/content/1", "messages/2/content/0"}));
}

TEST(PromptCache, WhereTheClientsMarkHasNoPlaceOursAreSet) {
  Json body = loop();
  Json thoughts = {{"role", "assistant"}, {"content", nullptr}, {"reasoning_content", "hm"}};
  thoughts["cache_control"] = kHour;
  body["messages"].insert(body["messages"].begin() + 2, thoughts);
  EXPECT_EQ(marks(written(body)).size(), 3U);
}

TEST(PromptCache, OneMarkForTheWholeRequestLeavesTheClientsOthers) {
  Json body = loop();
  body["cache_control"] = kMark;
  body["messages"][0]["cache_control"] = kHour;
  EXPECT_EQ(marks(written(body)),
            (Marks{"system/01h", "messages/0/content/0", "messages/2/content/0"}));
}

TEST(PromptCache, BlankSystemTextIsNotSentAndNotMarked) {
  Json body = loop();
  body["messages"][0]["content"] = " \n";
  EXPECT_FALSE(written(body).contains("system"));
  EXPECT_EQ(marks(written(body)),
            (Marks{"tools/0", "messages/0/content/0", "messages/2/content/0"}));
}

TEST(PromptCache, WhatIsNoMarkIsPassedOver) {
  for (const Json& odd : {Json("ephemeral"), Json(true), Json(nullptr), Json::array({1})}) {
    Json body = loop();
    body["messages"][1]["cache_control"] = odd;
    EXPECT_EQ(marks(written(body)).size(), 3U) << dump_json(odd);
  }
}

}  // namespace
}  // namespace tophand::chat

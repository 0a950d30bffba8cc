#include "chat/openai_upstream.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "base/json.h"
#include "chat/dialect.h"
#include "chat/openai_written_for_tests.h"
#include "chat/upstream_test_support.h"

namespace tophand::chat {
namespace {

Json messages_of(std::string_view messages, const OpenAiQuirks& quirks = {}) {
  return written(Dialect::kAnthropicMessages,
                 R"({"model":"m","max_tokens":9,"messages":)" + std::string(messages) + "}",
                 quirks)["messages"];
}

// --- requests: expected values from OpenAI's API reference
// -----------------------------------------

TEST(WriteOpenAiRequest, KeepsACallBesideItsResult) {
  EXPECT_EQ(
      dump_json(messages_of(
          R"([{"role":"user","content":"list"},{"role":"assistant","content":[)"
          R"({"type":"text","text":"Looking."},{"type":"tool_use","id":"t1","name":"ls",)"
          R"("input":{"path":"."}}]},{"role":"user","content":[{"type":"text","text":"go on"},)"
          R"({"type":"tool_result","tool_use_id":"t1","content":"a.txt","is_error":true}]}])")),
      R"([{"role":"user","content":"list"},{"role":"assistant","content":"Looking.",)"
      R"("tool_calls":[{"id":"t1","type":"function","function":{"name":"ls",)"
      R"("arguments":"{\"path\":\".\"}"}}]},{"role":"tool","content":"Error: a.txt",)"
      R"("tool_call_id":"t1","name":"ls"},{"role":"user","content":"go on"}])");
}

TEST(WriteOpenAiRequest, SendsImagesAsParts) {
  EXPECT_EQ(dump_json(messages_of(
                R"([{"role":"user","content":[{"type":"text","text":"what?"},{"type":"image",)"
                R"("source":{"type":"base64","media_type":"image/png","data":"AAAA"}}]}])")),
            R"([{"role":"user","content":[{"type":"text","text":"what?"},{"type":"image_url",)"
            R"("image_url":{"url":"data:image/png;base64,AAAA"}}]}])");
}

// Templates that insist on turns by turns refuse two of one role in a row.
TEST(WriteOpenAiRequest, JoinsWhatTheUserSaidAndShowedInARow) {
  EXPECT_EQ(dump_json(messages_of(
                R"([{"role":"user","content":"see"},{"role":"user","content":[{"type":"image",)"
                R"("source":{"type":"url","url":"u:1"}}]},{"role":"user","content":"well?"}])")),
            R"([{"role":"user","content":[{"type":"text","text":"see"},{"type":"image_url",)"
            R"("image_url":{"url":"u:1"}},{"type":"text","text":"well?"}]}])");
}

TEST(WriteOpenAiRequest, ShowsTheUserTheImagesOfSystemText) {
  EXPECT_EQ(dump_json(written(
                Dialect::kOpenAiChat,
                R"({"model":"m","messages":[{"role":"system","content":[)"
                R"({"type":"text","text":"a"},{"type":"image_url",)"
                R"("image_url":{"url":"u:1"}}]},{"role":"user","content":"q"}]})")["messages"]),
            R"([{"role":"system","content":"a"},{"role":"user","content":[{"type":"image_url",)"
            R"("image_url":{"url":"u:1"}},{"type":"text","text":"q"}]}])");
}

TEST(WriteOpenAiRequest, PutsOneSystemMessageFirstUnlessTheServerTakesMore) {
  const char* body =
      R"({"model":"m","messages":[{"role":"system","content":"a"},{"role":"developer",)"
      R"("content":"b"},{"role":"user","content":"q"},{"role":"system","content":"late"}]})";
  EXPECT_EQ(dump_json(written(Dialect::kOpenAiChat, body)["messages"]),
            R"([{"role":"system","content":"a\n\nb"},{"role":"user",)"
            R"("content":"q\n\n<system>\nlate\n</system>"}])");
  EXPECT_EQ(dump_json(written(Dialect::kOpenAiChat, body, {.system_anywhere = true})["messages"]),
            R"([{"role":"system","content":"a\n\nb"},{"role":"user","content":"q"},)"
            R"({"role":"system","content":"late"}])");
}

TEST(WriteOpenAiRequest, AsksForUsageInAStream) {
  const Json streamed =
      written(Dialect::kOpenAiChat,
              R"({"model":"m","stream":true,"messages":[{"role":"user","content":"q"}]})");
  EXPECT_EQ(streamed["stream_options"]["include_usage"], true);
  EXPECT_EQ(streamed["model"], "m1");
}

constexpr const char* kFullRequest =
    R"({"model":"m","max_tokens":7,"temperature":0.5,"top_p":0.25,"top_k":3,"min_p":0.125,)"
    R"("repetition_penalty":1.5,"seed":11,"stop":["A"],"reasoning_effort":"none","tools":[)"
    R"({"type":"function","function":{"name":"f","parameters":{"type":"object"}}},)"
    R"({"type":"function","function":{"name":"g"}}],)"
    R"("tool_choice":{"type":"function","function":{"name":"g"}},"response_format":)"
    R"({"type":"json_schema","json_schema":{"name":"n","schema":{"type":"object"}}},)"
    R"("messages":[{"role":"user","content":"q"}]})";

TEST(WriteOpenAiRequest, SendsAPlainServerNothingItMightRefuse) {
  Json body = written(Dialect::kOpenAiChat, kFullRequest);
  body.erase("messages");
  EXPECT_EQ(
      dump_json(body),
      R"({"model":"m1","tools":[{"type":"function","function":{"name":"g",)"
      R"("parameters":{"type":"object","properties":{}}}}],"tool_choice":{"type":"function","function":{"name":"g"}},)"
      R"("max_tokens":7,"temperature":0.5,"top_p":0.25,"seed":11,)"
      R"("response_format":{"type":"json_schema","json_schema":{"name":"n",)"
      R"("schema":{"type":"object"}}},"stop":["A"],"stream":false})");
}

TEST(WriteOpenAiRequest, SaysHowMuchToThinkWhereTheClientDid) {
  using Thinking = OpenAiQuirks::Thinking;
  const auto effort = [](Thinking kind, std::string_view said, Dialect dialect) {
    const bool responses = dialect == Dialect::kOpenAiResponses;
    const std::string question =
        responses ? R"("input":"q")" : R"("messages":[{"role":"user","content":"q"}])";
    const Json body = written(dialect, R"({"model":"m",)" + question + std::string(said) + "}",
                              {.thinking = kind});
    return dump_json(body.value("reasoning_effort", Json())) +
           dump_json(body.value("chat_template_kwargs", Json()));
  };
  const auto chat = [&](Thinking kind, const std::string& word) {
    return effort(kind, R"(,"reasoning_effort":")" + word + '"', Dialect::kOpenAiChat);
  };
  EXPECT_EQ(chat(Thinking::kUnsaid, "low"), R"("low"null)");
  EXPECT_EQ(chat(Thinking::kUnsaid, "xhigh"), R"("high"null)");
  for (const char* refused_by_some : {"none", "minimal", "much"})
    EXPECT_EQ(chat(Thinking::kUnsaid, refused_by_some), "nullnull");
  EXPECT_EQ(chat(Thinking::kTemplateKwargs, "high"),
            R"("high"{"enable_thinking":true,"reasoning_effort":"high"})");
  EXPECT_EQ(chat(Thinking::kTemplateKwargs, "none"), R"(null{"enable_thinking":false})");
  EXPECT_EQ(chat(Thinking::kEffort, "xhigh"), R"("xhigh"null)");
  EXPECT_EQ(chat(Thinking::kEffort, "minimal"), R"("none"null)");
  EXPECT_EQ(
      effort(Thinking::kUnsaid, R"(,"reasoning":{"effort":"high"})", Dialect::kOpenAiResponses),
      R"("high"null)");
  EXPECT_EQ(effort(Thinking::kEffort, R"(,"think":"max")", Dialect::kOllamaChat), R"("xhigh"null)");
  EXPECT_EQ(effort(Thinking::kEffort, R"(,"think":true)", Dialect::kOllamaChat), R"("medium"null)");
}

TEST(WriteOpenAiRequest, FollowsTheQuirksOfAServer) {
  Json body = written(Dialect::kOpenAiChat, kFullRequest,
                      {.thinking = OpenAiQuirks::Thinking::kTemplateKwargs,
                       .max_tokens = "max_completion_tokens",
                       .repeat_penalty = "repeat_penalty",
                       .response_format = false,
                       .named_tool_choice = false,
                       .says_parallel_calls = true});
  body.erase("messages");
  body.erase("tools");
  EXPECT_EQ(dump_json(body),
            R"({"model":"m1","tool_choice":"required","parallel_tool_calls":true,)"
            R"("chat_template_kwargs":{"enable_thinking":false},"max_completion_tokens":7,)"
            R"("temperature":0.5,"top_p":0.25,"seed":11,"top_k":3,"min_p":0.125,)"
            R"("repeat_penalty":1.5,"stop":["A"],"stream":false})");
}

TEST(WriteOpenAiRequest, StrictIsPassedOnAsItCame) {
  const char* asked[] = {
      R"({"model":"m","messages":[{"role":"user","content":"q"}],"tools":[{"type":"function",)"
      R"("function":{"name":"f","strict":true}},{"type":"function","function":{"name":"g",)"
      R"("strict":null}}],"response_format":{"type":"json_schema","json_schema":{"name":"n",)"
      R"("strict":true,"schema":{"type":"object"}}}})",
      R"({"model":"m","input":"q","tools":[{"type":"function","name":"f","strict":true},)"
      R"({"type":"function","name":"g"}],"text":{"format":{"type":"json_schema","name":"n",)"
      R"("strict":true,"schema":{"type":"object"}}}})"};
  for (const Dialect dialect : {Dialect::kOpenAiChat, Dialect::kOpenAiResponses}) {
    const Json body = written(dialect, asked[dialect == Dialect::kOpenAiChat ? 0 : 1]);
    EXPECT_EQ(
        dump_json(body["tools"]),
        R"([{"type":"function","function":{"name":"f","parameters":{"type":"object","properties":{}},"strict":true}},)"
        R"({"type":"function","function":{"name":"g","parameters":{"type":"object","properties":{}}}}])");
    EXPECT_EQ(dump_json(body["response_format"]["json_schema"]),
              R"({"name":"n","schema":{"type":"object"},"strict":true})");
  }
}

constexpr const char* kAllowed =
    R"({"model":"m","messages":[{"role":"user","content":"q"}],"tools":[)"
    R"({"type":"function","function":{"name":"f"}},{"type":"function","function":{"name":"g"}}],)"
    R"("tool_choice":{"type":"allowed_tools","allowed_tools":{"mode":"required","tools":[)"
    R"({"type":"function","function":{"name":"g"}}]}}})";

TEST(WriteOpenAiRequest, AllowedToolsStayAChoiceWhereTheServerKnowsThem) {
  Json body = written(Dialect::kOpenAiChat, kAllowed, {.allowed_tools = true});
  EXPECT_EQ(
      dump_json(body["tools"]),
      R"([{"type":"function","function":{"name":"f","parameters":{"type":"object","properties":{}}}},)"
      R"({"type":"function","function":{"name":"g","parameters":{"type":"object","properties":{}}}}])");
  EXPECT_EQ(dump_json(body["tool_choice"]),
            R"({"type":"allowed_tools","allowed_tools":{"mode":"required","tools":[)"
            R"({"type":"function","function":{"name":"g"}}]}})");
}

TEST(WriteOpenAiRequest, ElsewhereTheAllowedToolsAreAllThereIs) {
  Json body = written(Dialect::kOpenAiChat, kAllowed);
  EXPECT_EQ(
      dump_json(body["tools"]),
      R"([{"type":"function","function":{"name":"g","parameters":{"type":"object","properties":{}}}}])");
  EXPECT_EQ(body["tool_choice"], "required");
}

TEST(WriteOpenAiRequest, ARawPromptGoesToCompletions) {
  const Json body = written(Dialect::kOllamaGenerate,
                            R"({"model":"m","prompt":"1 + 1 =","raw":true,"stream":false})");
  EXPECT_EQ(body["prompt"], "1 + 1 =");
  EXPECT_FALSE(body.contains("messages"));
}

TEST(WriteOpenAiRequest, NeverSendsClaudesThinking) {
  const char* turns =
      R"([{"role":"user","content":"q"},{"role":"assistant","content":[{"type":"thinking",)"
      R"("thinking":"secret","signature":"s"},{"type":"thinking","thinking":"local"},)"
      R"({"type":"text","text":"a"}]},{"role":"user","content":"r"}])";
  EXPECT_EQ(messages_of(turns)[1].contains("reasoning_content"), false);
  EXPECT_EQ(messages_of(turns, {.reasoning_back =
                                    OpenAiQuirks::ReasoningBack::kAlways})[1]["reasoning_content"],
            "local");
}

// --- streams -------------------------------------------------------------------------------------

struct Stream {
  const char* name;
  std::vector<const char*> data;
  const char* expected;  // upstream_test_support.h
};
void PrintTo(const Stream& row, std::ostream* out) {
  *out << row.name;
}

class OpenAiStreams : public testing::TestWithParam<Stream> {};

TEST_P(OpenAiStreams, BecomeEvents) {
  OpenAiStreamReader reader("id");
  std::vector<StreamEvent> events;
  for (const char* data : GetParam().data) reader.on_data(data, events);
  reader.on_end(events);
  EXPECT_TRUE(reader.finished());
  EXPECT_EQ(in_words(events), GetParam().expected);
}

constexpr const char* kDone = "[DONE]";
constexpr const char* kStop = R"({"choices":[{"index":0,"delta":{},"finish_reason":"stop"}]})";

INSTANTIATE_TEST_SUITE_P(
    All, OpenAiStreams,
    testing::Values(
        // platform.openai.com/docs/api-reference/chat-streaming: usage after the last choice.
        Stream{"UsageInAChunkWithoutChoices",
               {R"({"id":"c","object":"chat.completion.chunk","model":"m","choices":[{"index":0,)"
                R"("delta":{"role":"assistant","content":""},"finish_reason":null}],"usage":null})",
                R"({"choices":[{"index":0,"delta":{"content":"Hi"},"finish_reason":null}]})", kStop,
                R"({"choices":[],"usage":{"prompt_tokens":19,"completion_tokens":10,)"
                R"("total_tokens":29,"prompt_tokens_details":{"cached_tokens":4}}})",
                kDone},
               "started m; text Hi; finished end_turn 15+4/10"},
        Stream{"UsageInTheLastChoice",
               {R"({"choices":[{"delta":{"content":"a"},"finish_reason":"length"}],)"
                R"("usage":{"prompt_tokens":2,"completion_tokens":1}})"},
               "started ; text a; finished max_tokens 2+0/1"},
        Stream{"MissingDone",
               {R"({"choices":[{"delta":{"content":"a"}}]})", kStop},
               "started ; text a; finished end_turn 0+0/0"},
        Stream{"CutOff",
               {R"({"choices":[{"delta":{"content":"a"}}]})"},
               "started ; text a; failed upstream_error"},
        Stream{"ReasoningContentOfLlamaServer",
               {R"({"choices":[{"delta":{"reasoning_content":"hm"}}]})",
                R"({"choices":[{"delta":{"content":"a"}}]})", kStop, kDone},
               "started ; thinking hm; text a; finished end_turn 0+0/0"},
        Stream{"ReasoningOfVllm",
               {R"({"choices":[{"delta":{"reasoning":"hm"}}]})", kStop, kDone},
               "started ; thinking hm; finished end_turn 0+0/0"},
        // The API reference's own parallel call, arguments in fragments.
        Stream{
            "CallInFragments",
            {R"({"choices":[{"delta":{"tool_calls":[{"index":0,"id":"c1","type":"function",)"
             R"("function":{"name":"f","arguments":""}}]}}]})",
             R"({"choices":[{"delta":{"tool_calls":[{"index":0,"function":{"arguments":"{\"a"}}]}}]})",
             R"({"choices":[{"delta":{"tool_calls":[{"index":0,"function":{"arguments":"\":1}"}}]}}]})",
             R"({"choices":[{"delta":{"tool_calls":[{"index":1,"id":"c2","function":)"
             R"({"name":"g","arguments":"{}"}}]}}]})",
             R"({"choices":[{"delta":{},"finish_reason":"tool_calls"}]})", kDone},
            "started ; tool c1 f; json {\"a; json \":1}; end; tool c2 g; json {}; end; "
            "finished tool_use 0+0/0"},
        Stream{"CallsWholeInTheLastChunk",
               {R"({"choices":[{"delta":{"content":"x","tool_calls":[{"function":{"name":"f",)"
                R"("arguments":{"a":1}}},{"function":{"name":"f","arguments":"{}"},"id":"own"}]},)"
                R"("finish_reason":"stop"}]})"},
               "started ; text x; tool id0 f; json {\"a\":1}; end; tool own f; json {}; end; "
               "finished end_turn 0+0/0"},
        Stream{
            "CallsInterleaved",
            {R"({"choices":[{"delta":{"tool_calls":[{"index":0,"id":"a","function":{"name":"f"}}]}}]})",
             R"({"choices":[{"delta":{"tool_calls":[{"index":1,"id":"b","function":{"name":"g"}}]}}]})",
             R"({"choices":[{"delta":{"tool_calls":[{"index":1,"function":{"arguments":"{\"b\":2}"}}]}}]})",
             R"({"choices":[{"delta":{"tool_calls":[{"index":0,"function":{"arguments":"{\"a\":1}"}}]}}]})",
             kStop, kDone},
            "started ; tool a f; json {\"a\":1}; end; tool b g; json {\"b\":2}; end; "
            "finished end_turn 0+0/0"},
        // Servers that number every call 0 and tell them apart by id.
        Stream{"CallsOfOneIndex",
               {R"({"choices":[{"delta":{"tool_calls":[{"index":0,"id":"a","function":{"name":"f",)"
                R"("arguments":"{}"}}]}}]})",
                R"({"choices":[{"delta":{"tool_calls":[{"index":0,"id":"b","function":{"name":"f",)"
                R"("arguments":"{}"}}]}}]})",
                kStop, kDone},
               "started ; tool a f; json {}; end; tool b f; json {}; end; finished end_turn 0+0/0"},
        // Poolside (poolsideai/pool#9).
        Stream{
            "FreshIdsInEveryFragment",
            {R"({"choices":[{"delta":{"tool_calls":[{"index":0,"id":"a","function":{"name":"f",)"
             R"("arguments":""}}]}}]})",
             R"({"choices":[{"delta":{"tool_calls":[{"index":0,"id":"b","function":{)"
             R"("arguments":"{\"x\""}}]}}]})",
             R"({"choices":[{"delta":{"tool_calls":[{"index":0,"id":"c","function":{"name":null,)"
             R"("arguments":":1}"}}]}}]})",
             R"({"choices":[{"delta":{"tool_calls":[{"index":1,"id":"d","function":{"name":"g",)"
             R"("arguments":"{"}}]}}]})",
             R"({"choices":[{"delta":{"tool_calls":[{"index":1,"id":"e","function":{)"
             R"("arguments":"}"}}]}}]})",
             kStop, kDone},
            "started ; tool a f; json {\"x\"; json :1}; end; tool d g; json {; json }; end; "
            "finished end_turn 0+0/0"},
        // LocalAI: the answer's own id for every call.
        Stream{
            "CallsOfOneId",
            {R"({"choices":[{"delta":{"tool_calls":[{"index":0,"id":"r","function":{"name":"f"}}]}}]})",
             R"({"choices":[{"delta":{"tool_calls":[{"index":0,"id":"r","function":{"name":"",)"
             R"("arguments":"{\"a\":1}"}}]}}]})",
             R"({"choices":[{"delta":{"tool_calls":[{"index":1,"id":"r","function":{"name":"f"}}]}}]})",
             R"({"choices":[{"delta":{"tool_calls":[{"index":1,"id":"r","function":{"name":"",)"
             R"("arguments":"{\"a\":2}"}}]}}]})",
             kStop, kDone},
            "started ; tool r f; json {\"a\":1}; end; tool r-1 f; json {\"a\":2}; end; "
            "finished end_turn 0+0/0"},
        Stream{"CallsOfOneIdInAWholeAnswer",
               {R"({"choices":[{"message":{"content":"","tool_calls":[{"id":"r","function":)"
                R"({"name":"f","arguments":"{\"a\":1}"}},{"id":"r","function":{"name":"f",)"
                R"("arguments":"{\"a\":2}"}}]},"finish_reason":"tool_calls"}]})"},
               "started ; tool r f; json {\"a\":1}; end; tool r-1 f; json {\"a\":2}; end; "
               "finished tool_use 0+0/0"},
        Stream{"CallOfNoIndexSaidOnceMoreWhole",
               {R"({"choices":[{"delta":{"tool_calls":[{"id":"a","function":{"name":"f",)"
                R"("arguments":""}}]}}]})",
                R"({"choices":[{"delta":{"tool_calls":[{"function":{"arguments":"{\"a\""}}]}}]})",
                R"({"choices":[{"delta":{"tool_calls":[{"function":{"arguments":":1}"}}]}}]})",
                R"({"choices":[{"delta":{"tool_calls":[{"id":"a","function":{"name":"f",)"
                R"("arguments":"{ \"a\": 1 }"}}]},"finish_reason":"tool_calls"}]})",
                kDone},
               "started ; tool a f; json {\"a\"; json :1}; end; finished tool_use 0+0/0"},
        Stream{"CallOfNoIndexSaidOnceMoreWithoutArguments",
               {R"({"choices":[{"delta":{"tool_calls":[{"id":"a","function":{"name":"f",)"
                R"("arguments":"{\"a\":1}"}}]}}]})",
                R"({"choices":[{"delta":{"tool_calls":[{"id":"a","function":{"name":"f",)"
                R"("arguments":""}}]}}]})",
                R"({"choices":[{"delta":{"tool_calls":[{"id":"b","function":{"name":"g",)"
                R"("arguments":"{}"}}]}}]})",
                R"({"choices":[{"delta":{"tool_calls":[{"id":"b","function":{"name":"g"}}]}}]})",
                kStop, kDone},
               "started ; tool a f; json {\"a\":1}; end; tool b g; json {}; end; "
               "finished end_turn 0+0/0"},
        Stream{
            "CallsOfNoIndexAllSaidOnceMoreAtTheEnd",
            {R"({"choices":[{"delta":{"tool_calls":[{"id":"a","function":{"name":"f",)"
             R"("arguments":"{\"a\":1}"}},{"id":"b","function":{"name":"g","arguments":"{}"}}]}}]})",
             R"({"choices":[{"delta":{"tool_calls":[{"id":"a","function":{"name":"f",)"
             R"("arguments":"{\"a\":1}"}},{"id":"b","function":{"name":"g","arguments":"{}"}}]},)"
             R"("finish_reason":"tool_calls"}]})",
             kDone},
            "started ; tool a f; json {\"a\":1}; end; tool b g; json {}; end; "
            "finished tool_use 0+0/0"},
        Stream{"CallOfNoIndexAndNoIdSaidOnceMore",
               {R"({"choices":[{"delta":{"tool_calls":[{"function":{"name":"f",)"
                R"("arguments":"{\"a\""}}]}}]})",
                R"({"choices":[{"delta":{"tool_calls":[{"function":{"arguments":":1}"}}]}}]})",
                R"({"choices":[{"delta":{"tool_calls":[{"function":{"name":"f",)"
                R"("arguments":"{\"a\":1}"}}]}}]})",
                kStop, kDone},
               "started ; tool id0 f; json {\"a\"; json :1}; end; finished end_turn 0+0/0"},
        Stream{"CallWithAnIndexSaidOnceMore",
               {R"({"choices":[{"delta":{"tool_calls":[{"index":0,"id":"a","function":{"name":"f",)"
                R"("arguments":"{\"a\":1}"}}]}}]})",
                R"({"choices":[{"delta":{"tool_calls":[{"index":0,"id":"a","function":{"name":"f",)"
                R"("arguments":"{\"a\":1}"}}]}}]})",
                kStop, kDone},
               "started ; tool a f; json {\"a\":1}; end; finished end_turn 0+0/0"},
        // Two calls, though they share an id and the second begins as a repetition would.
        Stream{"CallsOfOneIdAndNoIndexInPieces",
               {R"({"choices":[{"delta":{"tool_calls":[{"id":"r","function":{"name":"f",)"
                R"("arguments":"{\"a\":1}"}}]}}]})",
                R"({"choices":[{"delta":{"tool_calls":[{"id":"r","function":{"name":"f",)"
                R"("arguments":""}}]}}]})",
                R"({"choices":[{"delta":{"tool_calls":[{"function":{"arguments":"{\"a\""}}]}}]})",
                R"({"choices":[{"delta":{"tool_calls":[{"function":{"arguments":":2}"}}]}}]})",
                kStop, kDone},
               "started ; tool r f; json {\"a\":1}; end; tool r-1 f; json {\"a\":2}; end; "
               "finished end_turn 0+0/0"},
        // Whole calls without ids are all meant, in one list or in several.
        Stream{"EqualCallsOfNoIndexAndNoId",
               {R"({"choices":[{"delta":{"tool_calls":[{"function":{"name":"f","arguments":"{}"}},)"
                R"({"function":{"name":"f","arguments":"{}"}}]}}]})",
                R"({"choices":[{"delta":{"tool_calls":[{"function":{"name":"f",)"
                R"("arguments":"{}"}}]}}]})",
                kStop, kDone},
               "started ; tool id0 f; json {}; end; tool id1 f; json {}; end; "
               "tool id2 f; json {}; end; finished end_turn 0+0/0"},
        Stream{"EqualCallsOfOneIdInAWholeAnswer",
               {R"({"choices":[{"message":{"tool_calls":[{"id":"r","function":)"
                R"({"name":"f","arguments":"{}"}},{"id":"r","function":{"name":"f",)"
                R"("arguments":"{}"}}]},"finish_reason":"tool_calls"}]})"},
               "started ; tool r f; json {}; end; tool r-1 f; json {}; end; "
               "finished tool_use 0+0/0"},
        Stream{"NameAfterItsCallBegan",
               {R"({"choices":[{"delta":{"tool_calls":[{"index":0,"id":"a","function":{)"
                R"("arguments":"{"}}]}}]})",
                R"({"choices":[{"delta":{"tool_calls":[{"index":0,"function":{"name":"f",)"
                R"("arguments":"}"}}]}}]})",
                kStop, kDone},
               "started ; tool a f; json {}; end; finished end_turn 0+0/0"},
        Stream{"CallWithoutAName",
               {R"({"choices":[{"delta":{"tool_calls":[{"index":0,"id":"a","function":{)"
                R"("arguments":"{}"}}]}}]})",
                kStop},
               "started ; failed upstream_error"},
        Stream{
            "BlankTextBetweenCallsIsDroppedOtherTextWaits",
            {R"({"choices":[{"delta":{"tool_calls":[{"index":0,"id":"a","function":{"name":"f",)"
             R"("arguments":"{\"a\""}}]}}]})",
             R"({"choices":[{"delta":{"content":"\n"}}]})",
             R"({"choices":[{"delta":{"content":"late"}}]})",
             R"({"choices":[{"delta":{"tool_calls":[{"index":0,"function":{"arguments":":1}"}}]}}]})",
             kStop},
            "started ; tool a f; json {\"a\"; json :1}; end; text \nlate; "
            "finished end_turn 0+0/0"},
        Stream{"ErrorInsideTheStream",
               {R"({"choices":[{"delta":{"content":"a"}}]})",
                R"({"error":{"code":503,"message":"Loading model","type":"unavailable_error"}})"},
               "started ; text a; failed unavailable"},
        Stream{"ErrorObjectOfVllm",
               {R"({"object":"error","message":"boom","type":"InternalServerError","code":500})"},
               "failed upstream_error"},
        Stream{"GaveUp",
               {R"({"choices":[{"delta":{"content":"a"},"finish_reason":"abort"}]})"},
               "started ; text a; failed upstream_error"},
        Stream{"GaveUpForWantOfResources",
               {R"({"choices":[{"delta":{"content":"a"},)"
                R"("finish_reason":"insufficient_system_resource"}]})"},
               "started ; text a; failed upstream_error"},
        Stream{"ContextFullOfMistral",
               {R"({"choices":[{"delta":{"content":"a"},"finish_reason":"model_length"}]})", kDone},
               "started ; text a; finished model_context_window_exceeded 0+0/0"},
        Stream{"AReasonThatNobodyKnows",
               {R"({"choices":[{"delta":{"content":"a"},"finish_reason":"eos_token"}]})", kDone},
               "started ; text a; finished end_turn 0+0/0"},
        Stream{"ContentFilter",
               {R"({"choices":[{"delta":{"refusal":"No."},"finish_reason":"content_filter"}]})"},
               "started ; text No.; finished refusal 0+0/0"},
        Stream{
            "StopSequenceOfVllm",
            {R"({"choices":[{"delta":{"content":"a"},"finish_reason":"stop","stop_reason":"END"}]})"},
            "started ; text a; finished stop_sequence END 0+0/0"},
        Stream{"WholeAnswer",
               {R"({"object":"chat.completion","model":"m","choices":[{"index":0,"message":)"
                R"({"role":"assistant","content":null,"tool_calls":[{"id":"c","type":"function",)"
                R"("function":{"name":"f","arguments":"{}"}}]},"finish_reason":"tool_calls"}],)"
                R"("usage":{"prompt_tokens":3,"completion_tokens":2}})"},
               "started m; tool c f; json {}; end; finished tool_use 3+0/2"},
        Stream{"TextCompletion",
               {R"({"choices":[{"index":0,"text":"2","finish_reason":"stop"}]})"},
               "started ; text 2; finished end_turn 0+0/0"},
        Stream{"NotJson", {"<html>"}, "failed upstream_error"},
        Stream{"NothingButDone", {kDone}, "failed upstream_error"},
        Stream{"BlankDataAndSpaceBehindDone",
               {R"({"choices":[{"delta":{"content":"a"}}]})", "", " ", kStop, "[DONE] "},
               "started ; text a; finished end_turn 0+0/0"},
        Stream{"ErrorThatIsNotWrapped",
               {R"({"choices":[{"delta":{"content":"a"}}]})",
                R"({"code":503,"message":"Loading model","type":"unavailable_error"})", kDone},
               "started ; text a; failed unavailable"},
        Stream{"DetailOfFastApi", {R"({"detail":"boom"})", kDone}, "failed upstream_error"},
        // docs.mistral.ai/capabilities/reasoning
        Stream{
            "ContentInParts",
            {R"({"choices":[{"delta":{"content":[{"type":"thinking","thinking":[)"
             R"({"type":"text","text":"hm"}]}]}}]})",
             R"({"choices":[{"delta":{"content":[{"type":"text","text":"a"}]}}]})", kStop, kDone},
            "started ; thinking hm; text a; finished end_turn 0+0/0"},
        Stream{"UsageInsideTheChoice",
               {R"({"choices":[{"delta":{"content":"a"},"finish_reason":"stop",)"
                R"("usage":{"prompt_tokens":2,"completion_tokens":1}}]})",
                kDone},
               "started ; text a; finished end_turn 2+0/1"},
        Stream{"FunctionCallOfBeforeToolCalls",
               {R"({"choices":[{"delta":{"function_call":{"name":"f","arguments":""}}}]})",
                R"({"choices":[{"delta":{"function_call":{"arguments":"{\"a\":1}"}}}]})",
                R"({"choices":[{"delta":{},"finish_reason":"function_call"}]})", kDone},
               "started ; tool id0 f; json {\"a\":1}; end; finished tool_use 0+0/0"},
        // A nil map in Go.
        Stream{"NullAndBlankArgumentsAreNone",
               {R"({"choices":[{"delta":{"tool_calls":[{"index":0,"id":"a","function":{"name":"f",)"
                R"("arguments":"null"}},{"index":1,"id":"b","function":{"name":"g",)"
                R"("arguments":" "}}]}}]})",
                R"({"choices":[{"delta":{"tool_calls":[{"index":1,"function":{"arguments":)"
                R"("{\"a\":1}"}}]}}]})",
                kStop, kDone},
               "started ; tool a f; end; tool b g; json {\"a\":1}; end; "
               "finished end_turn 0+0/0"}),
    [](const auto& test) { return test.param.name; });

TEST(OpenAiStreamReader, CountsThoughtsWithinTheOutput) {
  OpenAiStreamReader reader("");
  std::vector<StreamEvent> events;
  reader.on_data(R"({"choices":[{"delta":{},"finish_reason":"stop"}],"usage":{"prompt_tokens":1,)"
                 R"("completion_tokens":9,"completion_tokens_details":{"reasoning_tokens":4}}})",
                 events);
  reader.on_end(events);
  const Usage& usage = std::get<Finished>(events.back()).usage;
  EXPECT_EQ(usage.output_tokens, 9);
  EXPECT_EQ(usage.thinking_tokens, 4);
}

TEST(OpenAiStreamReader, TakesLlamaServersTimings) {
  OpenAiStreamReader reader("");
  std::vector<StreamEvent> events;
  reader.on_data(R"({"choices":[{"delta":{},"finish_reason":"stop"}],"timings":)"
                 R"({"prompt_n":1,"prompt_ms":2.5,"predicted_n":2,"predicted_ms":4.0}})",
                 events);
  reader.on_end(events);
  const auto& finished = std::get<Finished>(events.back());
  EXPECT_EQ(finished.timing.prefill_ns, 2'500'000);
  EXPECT_EQ(finished.timing.decode_ns, 4'000'000);
}

}  // namespace
}  // namespace tophand::chat

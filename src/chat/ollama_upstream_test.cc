#include "chat/ollama_upstream.h"

#include <gtest/gtest.h>

#include "base/json.h"
#include "chat/dialect.h"
#include "chat/server_error.h"
#include "chat/upstream_test_support.h"

namespace tophand::chat {
namespace {

Json written(Dialect dialect, std::string_view body, OllamaAsk ask = {.model = "m1"}) {
  const auto request = parse_request(dialect, body);
  EXPECT_TRUE(request.has_value()) << request.error().message;
  if (!request) return {};
  const auto text = write_ollama_request(*request, ask);
  EXPECT_TRUE(text.has_value());
  return text ? *parse_json(*text) : Json();
}

// --- requests: expected values from Ollama's api.md
// ------------------------------------------------

TEST(WriteOllamaRequest, WritesArgumentsAsObjectsAndImagesAsBytes) {
  const Json body =
      written(Dialect::kAnthropicMessages,
              R"({"model":"m","max_tokens":9,"system":"s","messages":[{"role":"user","content":[)"
              R"({"type":"text","text":"what?"},{"type":"image","source":{"type":"base64",)"
              R"("media_type":"image/png","data":"AAAA"}}]},{"role":"assistant","content":[)"
              R"({"type":"tool_use","id":"t1","name":"ls","input":{"path":"."}}]},{"role":"user",)"
              R"("content":[{"type":"tool_result","tool_use_id":"t1","content":"a.txt"}]}],)"
              R"("tools":[{"name":"ls","description":"d","input_schema":{"type":"object"}}]})");
  EXPECT_EQ(dump_json(body["messages"]),
            R"([{"role":"system","content":"s"},{"role":"user","content":"what?",)"
            R"("images":["AAAA"]},{"role":"assistant","content":"","tool_calls":[{"id":"t1",)"
            R"("function":{"index":0,"name":"ls","arguments":{"path":"."}}}]},{"role":"tool",)"
            R"("content":"a.txt","tool_name":"ls","tool_call_id":"t1"}])");
  EXPECT_EQ(dump_json(body["tools"]),
            R"([{"type":"function","function":{"name":"ls","description":"d",)"
            R"("parameters":{"type":"object","properties":{}}}}])");
}

TEST(WriteOllamaRequest, AlwaysSaysTheContextAndNeverLetsThePromptBeCut) {
  const Json body = written(Dialect::kOllamaChat,
                            R"({"model":"m","messages":[{"role":"user","content":"q"}],)"
                            R"("options":{"num_ctx":99}})",
                            {.model = "m1", .context_tokens = 4096});
  EXPECT_EQ(dump_json(body["options"]), R"({"num_ctx":4096})");
  EXPECT_EQ(body["truncate"], false);
  EXPECT_EQ(body["shift"], false);
}

TEST(WriteOllamaRequest, CarriesEverySetting) {
  Json body = written(
      Dialect::kOllamaChat,
      R"({"model":"m","messages":[{"role":"user","content":"q"}],"format":{"type":"object"},)"
      R"("keep_alive":"10m","think":true,"stream":false,"options":{"temperature":0.5,"top_k":3,)"
      R"("top_p":0.25,"min_p":0.125,"repeat_penalty":1.5,"seed":7,"num_predict":5,"stop":["A"]}})");
  body.erase("messages");
  EXPECT_EQ(dump_json(body),
            R"({"model":"m1","stream":false,"options":{"num_ctx":8192,"num_predict":5,)"
            R"("temperature":0.5,"top_k":3,"top_p":0.25,"min_p":0.125,"repeat_penalty":1.5,)"
            R"("seed":7,"stop":["A"]},"truncate":false,"shift":false,"format":{"type":"object"},)"
            R"("think":true,"keep_alive":600.0})");
}

TEST(WriteOllamaRequest, DoesNotAskAModelToThinkThatCannot) {
  const char* thinks = R"({"model":"m","think":true,"messages":[{"role":"user","content":"q"}]})";
  const char* does_not =
      R"({"model":"m","think":false,"messages":[{"role":"user","content":"q"}]})";
  const OllamaAsk cannot{.model = "m1", .can_think = false};
  EXPECT_FALSE(written(Dialect::kOllamaChat, thinks, cannot).contains("think"));
  EXPECT_EQ(written(Dialect::kOllamaChat, does_not, cannot)["think"], false);
}

TEST(WriteOllamaRequest, SaysHowMuchToThinkWhereThatIsKnown) {
  const OllamaAsk levels{.model = "m1", .thinks_by_level = true};
  const auto think = [&](Dialect dialect, std::string_view said, const OllamaAsk& ask) {
    return written(
        dialect,
        R"({"model":"m","messages":[{"role":"user","content":"q"}])" + std::string(said) + "}",
        ask)["think"];
  };
  EXPECT_EQ(think(Dialect::kOllamaChat, R"(,"think":"low")", levels), "low");
  EXPECT_EQ(think(Dialect::kOllamaChat, R"(,"think":"max")", levels), "high");
  EXPECT_EQ(think(Dialect::kOpenAiChat, R"(,"reasoning_effort":"medium")", levels), "medium");
  EXPECT_EQ(think(Dialect::kOllamaChat, R"(,"think":true)", levels), true);
  EXPECT_EQ(think(Dialect::kOpenAiChat, R"(,"reasoning_effort":"none")", levels), false);
  EXPECT_EQ(think(Dialect::kOllamaChat, R"(,"think":"low")", {.model = "m1"}), true);
}

TEST(WriteOllamaRequest, LeavesToolsOutThatMayNotBeCalled) {
  const auto tools_for = [](std::string_view choice) {
    return dump_json(written(
        Dialect::kOpenAiChat,
        R"({"model":"m","messages":[{"role":"user","content":"q"}],"tools":[{"type":"function",)"
        R"("function":{"name":"f"}},{"type":"function","function":{"name":"g"}}],"tool_choice":)" +
            std::string(choice) + "}")["tools"]);
  };
  EXPECT_EQ(tools_for(R"("none")"), "null");
  EXPECT_EQ(
      tools_for(R"({"type":"function","function":{"name":"g"}})"),
      R"([{"type":"function","function":{"name":"g","parameters":{"type":"object","properties":{}}}}])");
  EXPECT_EQ(
      tools_for(R"({"type":"allowed_tools","allowed_tools":{"mode":"auto","tools":[)"
                R"({"type":"function","function":{"name":"f"}}]}})"),
      R"([{"type":"function","function":{"name":"f","parameters":{"type":"object","properties":{}}}}])");
}

TEST(WriteOllamaRequest, RefusesAnImageByItsAddress) {
  const auto request = parse_request(
      Dialect::kOpenAiChat, R"({"model":"m","messages":[{"role":"user","content":[{"type":)"
                            R"("image_url","image_url":{"url":"https://h/x.png"}}]}]})");
  ASSERT_TRUE(request.has_value());
  const auto body = write_ollama_request(*request, {.model = "m1"});
  ASSERT_FALSE(body.has_value());
  EXPECT_EQ(body.error().code, Code::kInvalid);
  EXPECT_EQ(body.error().about, About::kAbility) << "another server may take it";
}

TEST(WriteOllamaRequest, ARawPromptIsForGenerate) {
  const Json body = written(Dialect::kOllamaGenerate,
                            R"({"model":"m","prompt":"1 + 1 =","raw":true,"stream":false})");
  EXPECT_EQ(body["prompt"], "1 + 1 =");
  EXPECT_EQ(body["raw"], true);
  EXPECT_FALSE(body.contains("messages"));
}

// --- streams -------------------------------------------------------------------------------------

struct Lines {
  const char* name;
  std::vector<const char*> lines;
  const char* expected;
};
void PrintTo(const Lines& row, std::ostream* out) {
  *out << row.name;
}

class OllamaStreams : public testing::TestWithParam<Lines> {};

TEST_P(OllamaStreams, BecomeEvents) {
  OllamaStreamReader reader("id");
  std::vector<StreamEvent> events;
  for (const char* line : GetParam().lines) reader.on_line(line, events);
  reader.on_end(events);
  EXPECT_TRUE(reader.finished());
  EXPECT_EQ(in_words(events), GetParam().expected);
}

constexpr const char* kDone =
    R"({"model":"m","created_at":"2026-08-21T08:52:19.4Z","message":{"role":"assistant",)"
    R"("content":""},"done":true,"done_reason":"stop","total_duration":10706818083,)"
    R"("load_duration":6338219291,"prompt_eval_count":26,"prompt_eval_duration":130079000,)"
    R"("eval_count":259,"eval_duration":4232710000})";

INSTANTIATE_TEST_SUITE_P(
    All, OllamaStreams,
    testing::Values(
        Lines{
            "Text",
            {R"({"model":"m","message":{"role":"assistant","content":"The"},"done":false})", kDone},
            "started m; text The; finished end_turn 26+0/259"},
        Lines{"ThinkingBeforeText",
              {R"({"model":"m","message":{"content":"","thinking":"hm"},"done":false})",
               R"({"model":"m","message":{"content":"a"},"done":false})", kDone},
              "started m; thinking hm; text a; finished end_turn 26+0/259"},
        // Older versions give no id; done_reason is "stop" after calls, too.
        Lines{"Calls",
              {R"({"model":"m","message":{"content":"","tool_calls":[{"function":{"name":"f",)"
               R"("arguments":{"b":1,"a":[2]}}},{"id":"call_x","function":{"index":1,"name":"g",)"
               R"("arguments":{}}}]},"done":false})",
               kDone},
              "started m; tool id0 f; json {\"b\":1,\"a\":[2]}; end; tool call_x g; json {}; end; "
              "finished end_turn 26+0/259"},
        Lines{"ArgumentsAsTheirText",
              {R"({"message":{"tool_calls":[{"function":{"name":"f","arguments":"{\"a\":1}"}},)"
               R"({"function":{"name":"g","arguments":""}},)"
               R"({"function":{"name":"h","arguments":"{\"a\""}}]},"done":false})",
               kDone},
              "started ; tool id0 f; json {\"a\":1}; end; tool id1 g; json {}; end; "
              "tool id2 h; json {\"a\"; end; finished end_turn 26+0/259"},
        Lines{"CutAtTheLimit",
              {R"({"model":"m","message":{"content":"a"},"done":true,"done_reason":"length",)"
               R"("prompt_eval_count":2,"eval_count":1})"},
              "started m; text a; finished max_tokens 2+0/1"},
        Lines{"ErrorInTheMiddle",
              {R"({"model":"m","message":{"content":"a"},"done":false})",
               R"({"error":"an error was encountered while running the model"})"},
              "started m; text a; failed upstream_error"},
        Lines{"EndedEarly",
              {R"({"model":"m","message":{"content":"a"},"done":false})"},
              "started m; text a; failed upstream_error"},
        Lines{"Generate",
              {R"({"model":"m","response":"2","done":false})",
               R"({"model":"m","response":"","done":true,"done_reason":"stop","eval_count":1,)"
               R"("prompt_eval_count":5})"},
              "started m; text 2; finished end_turn 5+0/1"},
        Lines{"NotJson", {"oops"}, "failed upstream_error"}),
    [](const auto& test) { return test.param.name; });

TEST(OllamaStreamReader, TakesTheDurations) {
  OllamaStreamReader reader("");
  std::vector<StreamEvent> events;
  reader.on_line(kDone, events);
  const Timing& timing = std::get<Finished>(events.back()).timing;
  EXPECT_EQ(timing.load_ns, 6'338'219'291);
  EXPECT_EQ(timing.prefill_ns, 130'079'000);
  EXPECT_EQ(timing.decode_ns, 4'232'710'000);
}

// --- errors, as the servers' documentation and sources have them
// -----------------------------------

struct ErrorRow {
  const char* name;
  int status;
  const char* body;
  Code code;
  const char* message;
};
void PrintTo(const ErrorRow& row, std::ostream* out) {
  *out << row.name;
}

class ServerErrors : public testing::TestWithParam<ErrorRow> {};

// The client's request is wrong for this model, whatever another one would say.
TEST(ServerError, WhatAModelDoesNotDoIsNoModelThatIsMissing) {
  const Error error =
      read_server_error(400, R"({"error":{"message":"'temperature' does not support 0.2 here",)"
                             R"("type":"invalid_request_error","param":"temperature",)"
                             R"("code":"unsupported_value"}})")
          .error;
  EXPECT_EQ(error.code, Code::kInvalid);
  EXPECT_EQ(error.about, About::kAbility) << "which another model may do";
  EXPECT_EQ(write_error(Dialect::kOpenAiChat, error, ""),
            R"({"error":{"message":"'temperature' does not support 0.2 here",)"
            R"("type":"invalid_request_error","param":"temperature","code":"unsupported_value"}})");
  const Error numbered = read_server_error(400, R"({"error":{"message":"m","code":"400"}})").error;
  EXPECT_NE(write_error(Dialect::kOpenAiChat, numbered, "").find(R"("code":null)"),
            std::string::npos);
}

TEST_P(ServerErrors, SayWhatToDo) {
  const Failed failed = read_server_error(GetParam().status, GetParam().body);
  EXPECT_EQ(failed.error.code, GetParam().code);
  EXPECT_EQ(failed.error.message, GetParam().message);
}

INSTANTIATE_TEST_SUITE_P(
    All, ServerErrors,
    testing::Values(
        ErrorRow{
            "OpenAiLimit", 429,
            R"({"error":{"message":"slow down","type":"requests","code":"rate_limit_exceeded"}})",
            Code::kExhausted, "slow down"},
        ErrorRow{"OpenAiContext", 400,
                 R"({"error":{"message":"too long","code":"context_length_exceeded"}})",
                 Code::kPromptTooLong, "too long"},
        ErrorRow{"LlamaServerContext", 400,
                 R"({"error":{"code":400,"message":"the request exceeds the available context )"
                 R"(size","type":"exceed_context_size_error","n_prompt_tokens":9,"n_ctx":8}})",
                 Code::kPromptTooLong, "the request exceeds the available context size"},
        ErrorRow{"LlamaServerLoading", 503,
                 R"({"error":{"code":503,"message":"Loading model","type":"unavailable_error"}})",
                 Code::kUnavailable, "Loading model"},
        ErrorRow{"VllmContext", 400,
                 R"({"object":"error","message":"This model's maximum context length is 4096 )"
                 R"(tokens.","type":"BadRequestError","param":null,"code":400})",
                 Code::kPromptTooLong, "This model's maximum context length is 4096 tokens."},
        ErrorRow{
            "GeminiContext", 400,
            R"([{"error":{"code":400,"message":"The input token count (9) exceeds the maximum )"
            R"(number of tokens allowed (8).","status":"INVALID_ARGUMENT"}}])",
            Code::kPromptTooLong,
            "The input token count (9) exceeds the maximum number of tokens allowed (8)."},
        ErrorRow{"OllamaCloudContext", 400,
                 R"({"error":"prompt too long; exceeded max context length by 1 tokens"})",
                 Code::kPromptTooLong, "prompt too long; exceeded max context length by 1 tokens"},
        ErrorRow{"FastApiDetail", 422, R"({"detail":[{"msg":"field required"}]})", Code::kInvalid,
                 R"([{"msg":"field required"}])"},
        ErrorRow{"OllamaUnknownModel", 404, R"({"error":"model 'm' not found"})", Code::kNotFound,
                 "model 'm' not found"},
        ErrorRow{"OllamaCannot", 400, R"({"error":"\"m\" does not support tools"})", Code::kInvalid,
                 "\"m\" does not support tools"},
        ErrorRow{"OllamaContext", 400, R"({"error":"the input length exceeds the context length"})",
                 Code::kPromptTooLong, "the input length exceeds the context length"},
        ErrorRow{"OllamaBusy", 503,
                 R"({"error":"server busy, please try again.  maximum pending requests exceeded"})",
                 Code::kUnavailable,
                 "server busy, please try again.  maximum pending requests exceeded"},
        ErrorRow{"OurKey", 401, R"({"error":{"message":"Invalid API Key"}})", Code::kConfig,
                 "Invalid API Key"},
        ErrorRow{"AProxysPage", 502, "<html>", Code::kUpstream,
                 "answered with status 502 and no readable error"},
        ErrorRow{"InAStream", 0, R"({"error":{"code":503,"message":"busy"}})", Code::kUnavailable,
                 "busy"}),
    [](const auto& test) { return test.param.name; });

}  // namespace
}  // namespace tophand::chat

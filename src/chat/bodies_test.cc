// Whole answers, errors, lists and the small bodies, as exact text.
#include <gtest/gtest.h>

#include "base/json.h"
#include "chat/answer_json.h"
#include "chat/dialect.h"
#include "chat/model_list.h"

namespace tophand::chat {
namespace {

constexpr std::int64_t kNowMs = 1'787'302'339'385;  // 2026-08-21T08:52:19.385Z

Answer sample_answer() {
  Answer answer;
  answer.blocks = {ThinkingBlock{"hm", "s"}, TextBlock{"a\"b"},
                   ToolUseBlock{"t", "f", R"({"z":1,"a":"\n"})"}};
  answer.reason = StopReason::kToolUse;
  answer.usage = {.input_tokens = 10,
                  .cache_read_tokens = 5,
                  .cache_write_5m_tokens = 2,
                  .cache_write_1h_tokens = 1,
                  .output_tokens = 7,
                  .thinking_tokens = 4};
  answer.timing = {1, 2, 3, 6};
  return answer;
}

const AnswerContext kContext{.id = "id_1", .model = "asked-for", .created_ms = kNowMs};

TEST(WriteAnswer, Anthropic) {
  EXPECT_EQ(write_answer(Dialect::kAnthropicMessages, kContext, sample_answer()),
            R"({"id":"id_1","type":"message","role":"assistant","model":"asked-for","content":[)"
            R"({"type":"thinking","thinking":"hm","signature":"s"},{"type":"text","text":"a\"b"},)"
            R"({"type":"tool_use","id":"t","name":"f","input":{"z":1,"a":"\n"}}],)"
            R"("stop_reason":"tool_use","stop_sequence":null,"usage":{"input_tokens":10,)"
            R"("cache_creation_input_tokens":3,"cache_read_input_tokens":5,"cache_creation":)"
            R"({"ephemeral_5m_input_tokens":2,"ephemeral_1h_input_tokens":1},"output_tokens":7,)"
            R"("service_tier":"standard"}})");
}

TEST(WriteAnswer, OpenAi) {
  EXPECT_EQ(
      write_answer(Dialect::kOpenAiChat, kContext, sample_answer()),
      R"({"id":"id_1","object":"chat.completion","created":1787302339,"model":"asked-for",)"
      R"("choices":[{"index":0,"message":{"role":"assistant","content":"a\"b","refusal":null,)"
      R"("reasoning_content":"hm","tool_calls":[{"id":"t","type":"function","function":)"
      R"({"name":"f","arguments":"{\"z\":1,\"a\":\"\\n\"}"}}]},"logprobs":null,)"
      R"("finish_reason":"tool_calls"}],"usage":{"prompt_tokens":18,"completion_tokens":7,)"
      R"("total_tokens":25,"prompt_tokens_details":{"cached_tokens":5,"cache_write_tokens":3},)"
      R"("completion_tokens_details":{"reasoning_tokens":4}}})");
}

TEST(WriteAnswer, Ollama) {
  const std::string metrics =
      R"("done":true,"done_reason":"stop","total_duration":6,"load_duration":1,)"
      R"("prompt_eval_count":18,"prompt_eval_duration":2,"eval_count":7,"eval_duration":3})";
  EXPECT_EQ(write_answer(Dialect::kOllamaChat, kContext, sample_answer()),
            R"({"model":"asked-for","created_at":"2026-08-21T08:52:19.385000000Z","message":)"
            R"({"role":"assistant","content":"a\"b","thinking":"hm","tool_calls":[{"id":"t",)"
            R"("function":{"index":0,"name":"f","arguments":{"z":1,"a":"\n"}}}]},)" +
                metrics);
  Answer text_only = sample_answer();
  text_only.blocks = {TextBlock{"x"}};
  EXPECT_EQ(
      write_answer(Dialect::kOllamaGenerate, kContext, text_only),
      R"({"model":"asked-for","created_at":"2026-08-21T08:52:19.385000000Z","response":"x",)" +
          metrics);
}

// Backends measure from when the model was loaded; Ollama's total has everything.
TEST(WriteAnswer, OllamasTotalIsNeverLessThanItsParts) {
  Answer answer = sample_answer();
  answer.timing = {.load_ns = 100, .prefill_ns = 2, .decode_ns = 3, .total_ns = 6};
  EXPECT_NE(write_answer(Dialect::kOllamaChat, kContext, answer)
                .find(R"("total_duration":105,"load_duration":100)"),
            std::string::npos);
}

TEST(WriteAnswer, ShowsTheStopSequenceOnlyWhenItStopped) {
  Answer answer;
  answer.reason = StopReason::kStopSequence;
  answer.stop_sequence = "END";
  EXPECT_NE(write_answer(Dialect::kAnthropicMessages, kContext, answer)
                .find(R"("stop_reason":"stop_sequence","stop_sequence":"END")"),
            std::string::npos);
}

TEST(WriteAnswer, GivesInvalidUtf8AReplacementInsteadOfBreakingTheJson) {
  Answer answer;
  answer.blocks = {TextBlock{"a\xFF"}};
  EXPECT_NE(write_answer(Dialect::kOllamaChat, kContext, answer).find("a\xEF\xBF\xBD"),
            std::string::npos);
}

TEST(WriteOllamaLoad, SaysWhichOfTheTwo) {
  EXPECT_EQ(write_ollama_load(Dialect::kOllamaChat, kContext, false),
            R"({"model":"asked-for","created_at":"2026-08-21T08:52:19.385000000Z","message":)"
            R"({"role":"assistant","content":""},"done":true,"done_reason":"load"})");
  EXPECT_EQ(write_ollama_load(Dialect::kOllamaGenerate, kContext, true),
            R"({"model":"asked-for","created_at":"2026-08-21T08:52:19.385000000Z","response":"",)"
            R"("done":true,"done_reason":"unload"})");
}

TEST(WriteError, HasEachDialectsShape) {
  struct Row {
    Dialect dialect;
    Error error;
    const char* body;
  };
  const Row rows[] = {
      {Dialect::kAnthropicMessages,
       {Code::kInvalid, "max_tokens: Field required"},
       R"({"type":"error","error":{"type":"invalid_request_error","message":)"
       R"("max_tokens: Field required"},"request_id":"req_1"})"},
      {Dialect::kAnthropicMessages, unknown_model(Dialect::kAnthropicMessages, "x"),
       R"({"type":"error","error":{"type":"not_found_error","message":"model: x"},)"
       R"("request_id":"req_1"})"},
      {Dialect::kOpenAiChat, fail_field("messages[2].content", "expected a string").value(),
       R"({"error":{"message":"messages[2].content: expected a string","type":)"
       R"("invalid_request_error","param":"messages[2].content","code":null}})"},
      {Dialect::kOpenAiChat,
       {Code::kInvalid, "malformed JSON: at byte 3"},
       R"({"error":{"message":"malformed JSON: at byte 3","type":"invalid_request_error",)"
       R"("param":null,"code":null}})"},
      {Dialect::kOpenAiChat, unknown_model(Dialect::kOpenAiChat, "x"),
       R"({"error":{"message":"The model `x` does not exist or you do not have access to it.",)"
       R"("type":"invalid_request_error","param":null,"code":"model_not_found"}})"},
      {Dialect::kOpenAiChat,
       {Code::kUnauthorized, "wrong key"},
       R"({"error":{"message":"wrong key","type":"invalid_request_error","param":null,)"
       R"("code":"invalid_api_key"}})"},
      {Dialect::kOllamaChat, unknown_model(Dialect::kOllamaChat, "x"),
       R"({"error":"model 'x' not found"})"},
      {Dialect::kOllamaChat,
       {Code::kUnauthorized, "wrong key"},
       R"({"error":"wrong key","status":"wrong key"})"},
      {Dialect::kOllamaGenerate,
       {Code::kBug, "a \"quoted\" thing"},
       R"({"error":"a \"quoted\" thing"})"}};
  for (const Row& row : rows) EXPECT_EQ(write_error(row.dialect, row.error, "req_1"), row.body);
}

// What another server says may begin or read like one of our own errors.
TEST(WriteError, WhatAnErrorIsAboutIsNotReadOutOfItsWords) {
  const std::pair<Error, const char*> rows[] = {
      {{Code::kInvalid, "ValueError: bad shape"}, R"("param":null,"code":null)"},
      {{Code::kInvalid, "Previous response with id 'x' not found."}, R"("param":null,"code":null)"},
      {{Code::kNotFound, "the file of the model has gone"}, R"("param":null,"code":"not_found")"},
      {{Code::kNotFound, "Item with id 'x' not found."}, R"("param":null,"code":"not_found")"},
      {{Code::kNotFound, "it is not here", About::kModel},
       R"("param":null,"code":"model_not_found")"},
      {{Code::kInvalid, "too big", About::kOther, "max_tokens"},
       R"("param":"max_tokens","code":null)"}};
  for (const auto& [error, members] : rows)
    EXPECT_NE(write_error(Dialect::kOpenAiChat, error, "").find(members), std::string::npos)
        << error.message << write_error(Dialect::kOpenAiChat, error, "");
  const Error like_a_thread{Code::kNotFound, "nothing is stored here: send the whole conversation"};
  EXPECT_EQ(write_error(Dialect::kAnthropicMessages, like_a_thread, "").find("details"),
            std::string::npos);
}

TEST(WriteError, ClaudesTypesAreNoWordsOfOpenAisApi) {
  const Error busy{Code::kUnavailable, "Overloaded"};
  EXPECT_EQ(write_error(Dialect::kOpenAiChat, busy, "", "overloaded_error"),
            R"({"error":{"message":"Overloaded","type":"server_error","param":null,"code":null}})");
}

TEST(WriteError, AnthropicTypesFollowTheCode) {
  const std::pair<Code, const char*> rows[] = {{Code::kInvalid, "invalid_request_error"},
                                               {Code::kUnauthorized, "authentication_error"},
                                               {Code::kForbidden, "permission_error"},
                                               {Code::kNotFound, "not_found_error"},
                                               {Code::kTooLarge, "request_too_large"},
                                               {Code::kExhausted, "rate_limit_error"},
                                               {Code::kUnavailable, "overloaded_error"},
                                               {Code::kDeadline, "timeout_error"},
                                               {Code::kBudget, "billing_error"},
                                               {Code::kUpstream, "api_error"},
                                               {Code::kBug, "api_error"}};
  for (const auto& [code, type] : rows)
    EXPECT_EQ(write_error(Dialect::kAnthropicMessages, {code, "m"}, ""),
              std::string(R"({"type":"error","error":{"type":")") + type + R"(","message":"m"}})");
}

// The words clients look for before they shorten the conversation: Claude Code, the OpenAI SDK's
// users ("code" or "maximum context length"), Ollama's.
TEST(WriteError, APromptThatIsTooLongIsToldInTheWordsOfTheDialect) {
  const Error error{Code::kPromptTooLong, "prompt is too long: 5000 tokens > 4095 maximum"};
  EXPECT_EQ(write_error(Dialect::kAnthropicMessages, error, ""),
            R"({"type":"error","error":{"type":"invalid_request_error",)"
            R"("message":"prompt is too long: 5000 tokens > 4095 maximum"}})");
  EXPECT_EQ(
      write_error(Dialect::kOpenAiChat, error, ""),
      R"({"error":{"message":"This model's maximum context length is 4095 tokens. However, )"
      R"(your messages resulted in 5000 tokens (prompt is too long: 5000 tokens > 4095 )"
      R"(maximum).","type":"invalid_request_error","param":null,"code":"context_length_exceeded"}})");
  EXPECT_EQ(write_error(Dialect::kOllamaChat, error, ""),
            R"({"error":"the input length exceeds the context length: prompt is too long: )"
            R"(5000 tokens > 4095 maximum"})");
}

TEST(WriteError, WhatAnotherServerSaysOfAPromptThatIsTooLongIsToldInTheWordsOfTheDialect) {
  const Error vllm{Code::kPromptTooLong,
                   "This model's maximum context length is 4096 tokens. However, you requested "
                   "5000 tokens (4700 in the messages, 300 in the completion)."};
  EXPECT_EQ(client_message(Dialect::kAnthropicMessages, vllm),
            "prompt is too long: 5000 tokens > 4096 maximum (" + vllm.message + ")");
  EXPECT_EQ(client_message(Dialect::kOpenAiChat, vllm), vllm.message);
  const Error no_numbers{Code::kPromptTooLong, "the prompt has about 9000 tokens"};
  EXPECT_EQ(client_message(Dialect::kAnthropicMessages, no_numbers),
            "prompt is too long: the prompt has about 9000 tokens");
  EXPECT_EQ(client_message(Dialect::kOpenAiChat, no_numbers),
            "the prompt has about 9000 tokens, this model's maximum context length");
}

// What the vendor's SDKs look at before they send the whole conversation.
TEST(WriteError, AThreadThatIsNotStoredIsToldAsTheVendorTellsIt) {
  const Error error{Code::kNotFound, "a.id: nothing is stored here: send the whole conversation",
                    About::kThread};
  EXPECT_EQ(write_error(Dialect::kAnthropicMessages, error, ""),
            R"({"type":"error","error":{"type":"not_found_error",)"
            R"("message":"a.id: nothing is stored here: send the whole conversation",)"
            R"("details":{"error_code":"thread_not_found"}}})");
}

// A client that asked by `functions` knows one call of their form.
TEST(OldFunctions, AreAnsweredInTheirForm) {
  const AnswerContext context{.id = "chatcmpl-1", .model = "m", .old_functions = true};
  Answer answer;
  answer.blocks = {ToolUseBlock{"a", "f", R"({"x":1})"}, ToolUseBlock{"b", "g", "{}"}};
  answer.reason = StopReason::kToolUse;
  const std::string whole = write_answer(Dialect::kOpenAiChat, context, answer);
  EXPECT_NE(whole.find(R"("content":null,"refusal":null,)"
                       R"("function_call":{"name":"f","arguments":"{\"x\":1}"})"),
            std::string::npos)
      << whole;
  EXPECT_NE(whole.find(R"("finish_reason":"function_call")"), std::string::npos);
  EXPECT_EQ(whole.find("tool_calls"), std::string::npos);

  const auto writer = make_stream_writer(Dialect::kOpenAiChat, context);
  std::string stream;
  for (const StreamEvent& event : std::vector<StreamEvent>{
           ToolUseStart{"a", "f"}, ToolUseDelta{R"({"x":1})"}, BlockEnd{}, ToolUseStart{"b", "g"},
           ToolUseDelta{"{}"}, BlockEnd{}, Finished{StopReason::kToolUse, "", {}, {}}})
    writer->on(event, 0, stream);
  EXPECT_NE(stream.find(R"("delta":{"function_call":{"name":"f","arguments":""}})"),
            std::string::npos)
      << stream;
  EXPECT_NE(stream.find(R"("delta":{"function_call":{"arguments":"{\"x\":1}"}})"),
            std::string::npos);
  EXPECT_NE(stream.find(R"("finish_reason":"function_call")"), std::string::npos);
  EXPECT_EQ(stream.find(R"("name":"g")"), std::string::npos);
  EXPECT_EQ(stream.find("tool_calls"), std::string::npos);
}

TEST(WriteError, TakesAGivenType) {
  EXPECT_EQ(
      write_error(Dialect::kAnthropicMessages, {Code::kUpstream, "m"}, "", "overloaded_error"),
      R"({"type":"error","error":{"type":"overloaded_error","message":"m"}})");
}

TEST(ModelList, HasThreeShapes) {
  const std::vector<ListedModel> models{{.id = "local/tiny:1b",
                                         .display_name = "Tiny",
                                         .created_ms = kNowMs,
                                         .family = "qwen2",
                                         .parameter_size = "1.5B",
                                         .quantization = "Q4_K_M",
                                         .digest = "abc",
                                         .size_bytes = 12,
                                         .context_tokens = 4096,
                                         .capabilities = {"completion", "tools"}},
                                        {.id = "b"}};
  EXPECT_EQ(write_model_list(ModelListStyle::kOpenAi, models),
            R"({"object":"list","data":[{"id":"local/tiny:1b","object":"model",)"
            R"("created":1787302339,"owned_by":"tophand"},{"id":"b","object":"model","created":0,)"
            R"("owned_by":"tophand"}]})");
  EXPECT_EQ(
      write_model_list(ModelListStyle::kAnthropic, models),
      R"({"data":[{"type":"model","id":"local/tiny:1b","display_name":"Tiny","created_at":)"
      R"("2026-08-21T08:52:19Z","lifecycle":"active","max_input_tokens":4096},{"type":"model","id":"b","display_name":"b","created_at":)"
      R"("1970-01-01T00:00:00Z","lifecycle":"active"}],"has_more":false,"first_id":"local/tiny:1b","last_id":"b"})");
  EXPECT_EQ(write_model_list(ModelListStyle::kOllamaTags, {models[0]}),
            R"({"models":[{"name":"local/tiny:1b","model":"local/tiny:1b","modified_at":)"
            R"("2026-08-21T08:52:19.385000000Z","size":12,"digest":"abc","details":)"
            R"({"parent_model":"","format":"gguf","family":"qwen2","families":["qwen2"],)"
            R"("parameter_size":"1.5B","quantization_level":"Q4_K_M","context_length":4096},)"
            R"("capabilities":["completion","tools"]}]})");
  EXPECT_EQ(write_model(ModelListStyle::kOpenAi, models[1]),
            R"({"id":"b","object":"model","created":0,"owned_by":"tophand"})");
}

TEST(ModelList, AnEmptyOneHasNoFirstAndLast) {
  EXPECT_EQ(write_model_list(ModelListStyle::kAnthropic, {}),
            R"({"data":[],"has_more":false,"first_id":null,"last_id":null})");
}

TEST(ModelList, IsCutIntoPages) {
  const std::vector<ListedModel> models{{.id = "a"}, {.id = "b"}, {.id = "c"}};
  struct Row {
    ModelPage page;
    const char* first;
    const char* last;
    bool has_more;
  };
  const Row rows[] = {{{}, "a", "c", false},
                      {{.limit = 1000}, "a", "c", false},
                      {{.limit = 2}, "a", "b", true},
                      {{.limit = 1, .after_id = "b"}, "c", "c", false},
                      {{.after_id = "a"}, "b", "c", false},
                      {{.before_id = "c"}, "a", "b", false},
                      {{.limit = 0}, "a", "a", true},
                      {{.limit = 1, .before_id = "c"}, "b", "b", true},
                      {{.limit = 1, .before_id = "b"}, "a", "a", false},
                      {{.after_id = "a", .before_id = "c"}, "b", "b", false}};
  for (const Row& row : rows) {
    const auto page = write_model_page(models, row.page);
    ASSERT_TRUE(page.has_value());
    const auto list = parse_json(*page);
    ASSERT_TRUE(list.has_value());
    EXPECT_EQ(list->at("first_id"), row.first);
    EXPECT_EQ(list->at("last_id"), row.last);
    EXPECT_EQ(list->at("has_more"), row.has_more);
  }
}

TEST(ModelList, APageBesideAnUnknownModelIsRefused) {
  for (const ModelPage& page : {ModelPage{.after_id = "gone"}, ModelPage{.before_id = "gone"}}) {
    const auto refused = write_model_page({{.id = "a"}}, page);
    ASSERT_FALSE(refused.has_value());
    EXPECT_EQ(refused.error().code, Code::kInvalid);
  }
}

TEST(SmallBodies, AreExact) {
  EXPECT_EQ(write_ollama_version("0.20.0"), R"({"version":"0.20.0"})");
  EXPECT_EQ(write_token_count(Dialect::kAnthropicMessages, 42), R"({"input_tokens":42})");
  EXPECT_EQ(write_token_count(Dialect::kOpenAiResponses, 42),
            R"({"object":"response.input_tokens","input_tokens":42})");
}

// Expected values from `date -u -d @N`.
TEST(Rfc3339, KnowsTheCalendar) {
  const std::pair<std::int64_t, const char*> rows[] = {
      {0, "1970-01-01T00:00:00Z"},
      {951'782'400'000, "2000-02-29T00:00:00Z"},
      {1'709'164'799'000, "2024-02-28T23:59:59Z"},
      {4'107'542'400'000, "2100-03-01T00:00:00Z"},
      {253'402'300'799'000, "9999-12-31T23:59:59Z"},
      {-1, "1970-01-01T00:00:00Z"},
      {INT64_MAX, "1970-01-01T00:00:00Z"}};
  for (const auto& [ms, text] : rows) EXPECT_EQ(rfc3339(ms, TimePrecision::kSeconds), text);
}

TEST(Collector, NamesTheToolWhoseArgumentsAreNoObject) {
  Collector collector;
  collector.on(ToolUseStart{"t", "edit"});
  collector.on(ToolUseDelta{"[1]"});
  collector.on(Finished{});
  ASSERT_TRUE(collector.failed().has_value());
  EXPECT_FALSE(collector.finished());
  EXPECT_NE(collector.failed()->error.message.find("'edit'"), std::string::npos);
}

TEST(Collector, IsEmptyAfterTake) {
  Collector collector;
  collector.on(TextDelta{"x"});
  collector.on(Finished{});
  EXPECT_EQ(collector.take().blocks.size(), 1u);
  EXPECT_FALSE(collector.finished());
  EXPECT_TRUE(collector.take().blocks.empty());
}

}  // namespace
}  // namespace tophand::chat

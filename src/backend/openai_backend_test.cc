#include "backend/openai_backend.h"

#include <gtest/gtest.h>

#include <future>

#include "backend/fake_server.h"
#include "backend/test_support.h"
#include "base/clock.h"
#include "base/json.h"

namespace tophand::backend {
namespace {

const std::string kSse = "text/event-stream";
const std::string kStream =
    "data: {\"model\":\"m1\",\"choices\":[{\"index\":0,\"delta\":{\"content\":\"Hi\"}}]}\n\n"
    ": keep-alive\n\n"
    "data: {\"choices\":[{\"index\":0,\"delta\":{},\"finish_reason\":\"stop\"}]}\n\n"
    "data: {\"choices\":[],\"usage\":{\"prompt_tokens\":3,\"completion_tokens\":2}}\n\n"
    "data: [DONE]\n\n";

struct Rig {
  Rig(std::string kind, FakeServer::Answers answers) : server(std::move(answers)) {
    config = config_for(std::move(kind), server.url());
    adapter = adapter_for(config);
  }
  Report answer(int hops = 0) {
    const Call call{.request = &request, .model = "m1", .hops = hops};
    return adapter->answer(call, sink, never);
  }

  Json asked(const std::string& path) const {
    return parse_json(server.asked(path)).value_or(Json());
  }

  FakeServer server;
  config::BackendConfig config;
  std::unique_ptr<Adapter> adapter;
  chat::Request request = simple_request();
  RecordingSink sink;
  net::CancelFlag never;
};

// The answer of a server that sends `bytes` and then neither goes on nor ends.
struct LeftOpen {
  LeftOpen(int status, const std::string& type, const std::string& bytes) {
    std::promise<void> answered;
    ScriptedServer server([&, over = answered.get_future().share()](const net::Request&,
                                                                    net::ResponseWriter& writer) {
      ASSERT_TRUE(writer.start_stream(status, type));
      if (!bytes.empty()) {
        ASSERT_TRUE(writer.write(bytes));
      }
      over.wait();
    });
    auto config = config_for("openai", server.url());
    config.timeout_s = 10;
    const auto adapter = adapter_for(config);
    const chat::Request request = simple_request();
    const net::CancelFlag never;
    report = adapter->answer({.request = &request, .model = "m1"}, sink, never);
    answered.set_value();
  }

  RecordingSink sink;
  Report report;
};

TEST(OpenAiBackend, AnAnswerIsOverWithItsLastEvent) {
  const LeftOpen left(200, kSse, kStream);
  EXPECT_EQ(left.report.end, End::kFinished);
  EXPECT_EQ(left.sink.text(), "Hi");
}

// As some servers leave it: everything has been said, and nothing comes any more.
TEST(OpenAiBackend, AStreamThatIsNotEndedIsOverSoonBehindItsReason) {
  const LeftOpen left(200, kSse, kStream.substr(0, kStream.find("data: [DONE]")));
  EXPECT_EQ(left.report.end, End::kFinished);
  EXPECT_EQ(left.sink.text(), "Hi");
  EXPECT_EQ(left.report.usage.output_tokens, 2);
}

// The status has said no: the next backend is not kept waiting for the words.
TEST(OpenAiBackend, ARefusalWithoutItsBodyIsOneSoon) {
  const std::int64_t begun_ns = system_clock().mono_ns();
  const LeftOpen left(503, "application/json", "");
  EXPECT_LT(system_clock().mono_ns() - begun_ns, 8'000'000'000);
  EXPECT_EQ(left.report.end, End::kRefused);
  ASSERT_TRUE(left.report.failure);
  EXPECT_EQ(left.report.failure->error.code, Code::kUnavailable);
}

// Comments keep a connection alive; nothing else, for good, is no answer.
TEST(OpenAiBackend, AFloodWithoutContentFailsTheAnswer) {
  ScriptedServer server([](const net::Request&, net::ResponseWriter& writer) {
    std::string comments;
    while (comments.size() < 1u << 20) comments += ": keep-alive\n\n";
    ASSERT_TRUE(writer.start_stream(200, kSse));
    for (int mib = 0; mib < 66; ++mib)
      if (!writer.write(comments)) return;
    static_cast<void>(writer.write(kStream));
  });
  const auto adapter = adapter_for(config_for("openai", server.url()));
  const chat::Request request = simple_request();
  RecordingSink sink;
  net::CancelFlag never;
  const Report report = adapter->answer({.request = &request, .model = "m1"}, sink, never);
  EXPECT_EQ(report.end, End::kFailed);
  ASSERT_TRUE(report.failure);
  EXPECT_EQ(report.failure->error.code, Code::kUpstream);
  EXPECT_EQ(sink.text(), "");
}

TEST(OpenAiBackend, StreamsAnAnswer) {
  Rig rig("vllm", {{"POST /v1/chat/completions", {200, kStream, kSse}}});
  const Report report = rig.answer();
  EXPECT_EQ(report.end, End::kFinished);
  EXPECT_EQ(rig.sink.text(), "Hi");
  EXPECT_EQ(report.usage.input_tokens, 3);
  EXPECT_EQ(report.usage.output_tokens, 2);
  EXPECT_EQ(rig.asked("/v1/chat/completions")["model"], "m1");
}

TEST(OpenAiBackend, AStreamMayEndWithoutItsLastBlankLine) {
  Rig rig("vllm", {{"POST /v1/chat/completions",
                    {200, kStream.substr(0, kStream.find("\n\ndata: [DONE]")), kSse}}});
  EXPECT_EQ(rig.answer().end, End::kFinished);
  EXPECT_EQ(rig.sink.text(), "Hi");
}

// Agents ask every model for as much: vLLM would refuse it with the prompt, which does fit.
TEST(OpenAiBackend, ALimitThatTheContextHasNoRoomForIsLeftOut) {
  Rig rig("vllm", {{"GET /health", {200, "", "text/plain"}},
                   {"GET /v1/models", {200, R"({"data":[{"id":"m1","max_model_len":4096}]})"}},
                   {"POST /v1/chat/completions", {200, kStream, kSse}}});
  const auto limit_sent = [&](std::int64_t limit) {
    rig.request.max_tokens = limit;
    EXPECT_EQ(rig.answer().end, End::kFinished);
    return int_or(rig.asked("/v1/chat/completions"), "max_tokens", -1);
  };
  EXPECT_EQ(limit_sent(4096), 4096) << "how long the context is has not been told yet";
  ASSERT_TRUE(rig.adapter->probe(rig.never));
  EXPECT_EQ(limit_sent(4096), -1);
  EXPECT_EQ(limit_sent(3000), 3000);
}

TEST(OpenAiBackend, AConfiguredContextCountsForItsLimits) {
  FakeServer server({{"POST /v1/chat/completions", {200, kStream, kSse}}});
  config::BackendConfig config = config_for("openai", server.url());
  config.context_tokens = 2048;
  chat::Request request = simple_request();
  request.max_tokens = 2048;
  RecordingSink sink;
  net::CancelFlag never;
  adapter_for(config)->answer({.request = &request, .model = "m1"}, sink, never);
  EXPECT_EQ(parse_json(server.asked("/v1/chat/completions")).value_or(Json()).count("max_tokens"),
            0);
}

std::string whole_answer(const std::string& message) {
  return R"({"choices":[{"message":)" + message +
         R"(,"finish_reason":"stop"}],"usage":{"prompt_tokens":3,"completion_tokens":2}})";
}

chat::Message turn_with_call(const std::string& thought, const std::string& id) {
  return {chat::Role::kAssistant,
          {chat::ThinkingBlock{thought, ""}, chat::ToolUseBlock{id, "look", "{}"}}};
}

// DeepSeek and Moonshot refuse a loop without them, strict servers one with them.
TEST(OpenAiBackend, ThoughtsBeforeCallsGoBackToWhomTheyCameFrom) {
  const std::string thinks = R"({"content":"a","reasoning_content":"hm"})";
  for (const bool sent_some : {true, false}) {
    Rig rig("openai", {{"POST /v1/chat/completions",
                        {200, whole_answer(sent_some ? thinks : R"({"content":"a"})")}}});
    rig.answer();
    rig.request.messages.push_back(turn_with_call("hm", "c1"));
    rig.request.messages.push_back({chat::Role::kUser, {chat::ToolResultBlock{"c1", "", "1"}}});
    rig.answer();
    const Json turns = rig.asked("/v1/chat/completions")["messages"];
    EXPECT_EQ(turns.at(turns.size() - 2).value("reasoning_content", "none"),
              sent_some ? "hm" : "none");
  }
}

// Gemini signs its calls, and refuses them without.
TEST(OpenAiBackend, WhatStoodBesideACallStandsThereWhenItGoesBack) {
  const std::string signature = R"({"google":{"thought_signature":"SIG"}})";
  Rig rig("openai",
          {{"POST /v1/chat/completions",
            {200, whole_answer(R"({"tool_calls":[{"id":"c1","extra_content":)" + signature +
                               R"(,"function":{"name":"look","arguments":"{}"}}]})")}}});
  rig.answer();
  rig.request.messages.push_back(turn_with_call("", "c1"));
  rig.request.messages.push_back(turn_with_call("", "of another server"));
  rig.answer();
  const Json turns = rig.asked("/v1/chat/completions")["messages"];
  const Json& own = turns.at(turns.size() - 2)["tool_calls"][0];
  EXPECT_EQ(own.value("extra_content", Json()), *parse_json(signature));
  EXPECT_FALSE(turns.back()["tool_calls"][0].contains("extra_content"));
}

TEST(OpenAiBackend, AnErrorInAFieldOfItsOwnEndsTheAnswer) {
  Rig rig("llama-server",
          {{"POST /v1/chat/completions",
            {200,
             "data: {\"choices\":[{\"index\":0,\"delta\":{\"content\":\"Hi\"}}]}\n\n"
             "error: {\"code\":500,\"message\":\"Context size has been exceeded.\"}\n\n"
             "data: [DONE]\n\n",
             kSse}}});
  const Report report = rig.answer();
  EXPECT_EQ(report.end, End::kFailed);
  ASSERT_TRUE(report.failure);
  EXPECT_NE(report.failure->error.message.find("Context size has been exceeded"),
            std::string::npos);
}

TEST(OpenAiBackend, ReadsAWholeAnswer) {
  Rig rig("vllm", {{"POST /v1/chat/completions",
                    {200, R"({"model":"m1","choices":[{"message":{"content":"Hi"},)"
                          R"("finish_reason":"stop"}],"usage":{"prompt_tokens":3,)"
                          R"("completion_tokens":2}})"}}});
  rig.request.stream = false;
  const Report report = rig.answer();
  EXPECT_EQ(report.end, End::kFinished);
  EXPECT_EQ(rig.sink.text(), "Hi");
  EXPECT_EQ(report.usage.input_tokens, 3);
}

TEST(OpenAiBackend, EstimatesWhatTheServerDidNotCount) {
  Rig rig("text-generation-webui",
          {{"POST /v1/chat/completions",
            {200, R"({"choices":[{"message":{"content":"12345"},"finish_reason":"stop"}]})"}}});
  const Report report = rig.answer();
  EXPECT_GT(report.usage.input_tokens, 0);
  EXPECT_EQ(report.usage.output_tokens, 2);  // four bytes a token, rounded up
}

// Agents show how full the context is from an answer's first event on.
TEST(OpenAiBackend, AnAnswerStartsWithAnEstimateOfItsPrompt) {
  Rig rig("vllm", {{"POST /v1/chat/completions", {200, kStream, kSse}}});
  EXPECT_EQ(rig.answer().end, End::kFinished);
  const auto* started = std::get_if<chat::Started>(&rig.sink.events.at(0));
  ASSERT_NE(started, nullptr);
  EXPECT_GT(started->usage.input_tokens, 0);
}

TEST(OpenAiBackend, AnErrorInsideAStreamFailsTheAnswer) {
  Rig rig("vllm", {{"POST /v1/chat/completions",
                    {200, "data: {\"error\":{\"message\":\"boom\",\"code\":500}}\n\n", kSse}}});
  const Report report = rig.answer();
  EXPECT_EQ(report.end, End::kFailed);
  EXPECT_EQ(report.failure->error.message, "ws2: boom");
  EXPECT_TRUE(rig.sink.events.empty());
}

// None of these is the request's fault: the next backend may answer it.
TEST(OpenAiBackend, WhatCannotBeReadIsTheServersFault) {
  const std::string half_call =
      R"(data: {"choices":[{"delta":{"tool_calls":[{"function":{"name":"f","arguments":"{\"a"}}]}}]})";
  for (const std::string& body :
       {std::string("not JSON"), std::string("data: not JSON\n\n"), std::string("data: [1]\n\n"),
        std::string("{\"choices\":"), std::string("<html>502</html>"), half_call + "\n\n",
        "data: " + std::string(9u << 20, 'x') + "\n\n"}) {
    Rig rig("vllm", {{"POST /v1/chat/completions", {200, body, kSse}}});
    const Report report = rig.answer();
    EXPECT_EQ(report.end, End::kFailed) << body.substr(0, 80);
    ASSERT_TRUE(report.failure) << body.substr(0, 80);
    EXPECT_EQ(report.failure->error.code, Code::kUpstream) << body.substr(0, 80);
  }
}

TEST(OpenAiBackend, PassesEmbeddingsOn) {
  Rig rig("vllm",
          {{"POST /v1/embeddings",
            {200, R"({"data":[{"index":0,"embedding":[0.5,1]}],"usage":{"prompt_tokens":2}})"}}});
  net::Headers kept;
  const auto answer = rig.adapter->embed("bge", {.inputs = {"text"}}, kept, rig.never);
  ASSERT_TRUE(answer) << answer.error().message;
  EXPECT_EQ(answer->items.front().values, (std::vector<float>{0.5F, 1}));
  EXPECT_EQ(answer->input_tokens(), 2);
  EXPECT_EQ(rig.asked("/v1/embeddings")["model"], "bge");

  Rig broken("vllm", {{"POST /v1/embeddings", {200, "{"}}});
  EXPECT_EQ(broken.adapter->embed("bge", {.inputs = {"text"}}, kept, broken.never).error().code,
            Code::kUpstream);
}

TEST(OpenAiBackend, ARefusedKeyIsOursToMend) {
  for (const int status : {401, 403}) {
    Rig rig("openai", {{"POST /v1/chat/completions",
                        {status, R"({"error":{"message":"Invalid API Key"}})"}}});
    const Report report = rig.answer();
    ASSERT_TRUE(report.failure);
    EXPECT_EQ(report.failure->error.code, Code::kUpstream) << status;
    EXPECT_EQ(report.failure->error.message,
              "ws2: it refused our key (" + std::to_string(status) +
                  ": Invalid API Key); check key_file of the backend ws2");
  }
}

TEST(OpenAiBackend, KeepsWhatARefusalOfEmbeddingsSaysOfAskingAgain) {
  FakeAnswer busy{429, R"({"error":{"message":"busy"}})"};
  for (const char* said : {"7", "later"}) {
    busy.retry_after = said;
    Rig rig("vllm", {{"POST /v1/embeddings", busy}});
    net::Headers kept;
    EXPECT_FALSE(rig.adapter->embed("bge", {.inputs = {"text"}}, kept, rig.never));
    EXPECT_EQ(kept.get("retry-after"), said == std::string_view("7") ? "7" : "");
  }
}

TEST(OpenAiBackend, ARefusalNamesTheBackend) {
  Rig rig("llama-server", {{"POST /v1/chat/completions",
                            {503, R"({"error":{"code":503,"message":"Loading model"}})"}}});
  const Report report = rig.answer();
  EXPECT_EQ(report.end, End::kRefused);
  EXPECT_EQ(report.failure->error.code, Code::kUnavailable);
  EXPECT_EQ(report.failure->error.message, "ws2: Loading model");
}

TEST(OpenAiBackend, NobodyThereIsARefusalThatSentNothing) {
  std::string url;
  {
    const ScriptedServer gone([](const net::Request&, net::ResponseWriter&) {});
    url = gone.url();
  }
  const auto adapter = adapter_for(config_for("vllm", url));
  const chat::Request request = simple_request();
  RecordingSink sink;
  const net::CancelFlag never;
  const Report report = adapter->answer({.request = &request, .model = "m1"}, sink, never);
  EXPECT_EQ(report.end, End::kRefused);
  EXPECT_FALSE(report.sent);
  EXPECT_EQ(report.failure->error.code, Code::kUnavailable);
}

TEST(OpenAiBackend, SendsItsKeyOnlyAsABearer) {
  FakeServer server({{"POST /v1/chat/completions", {200, kStream, kSse}}});
  config::BackendConfig config = config_for("openai", server.url() + "/v1");
  config.api_key = "sk-canary";
  const auto adapter = adapter_for(config);
  const chat::Request request = simple_request();
  RecordingSink sink;
  const net::CancelFlag never;
  EXPECT_EQ(adapter->answer({.request = &request, .model = "m"}, sink, never).end, End::kFinished);
  EXPECT_EQ(server.requests().front().headers.get("authorization"), "Bearer sk-canary");
}

TEST(OpenAiBackend, TakesTheAddressOfAServerOrOfItsApi) {
  const std::pair<const char*, const char*> kPaths[] = {
      {"", "/v1/chat/completions"},
      {"/v1", "/v1/chat/completions"},
      {"/api/v1", "/api/v1/chat/completions"},
      {"/beta/openai", "/beta/openai/chat/completions"}};
  for (const auto& [base, path] : kPaths) {
    FakeServer server({{std::string("POST ") + path, {200, kStream, kSse}}});
    const auto adapter = adapter_for(config_for("openai", server.url() + base));
    const chat::Request request = simple_request();
    RecordingSink sink;
    const net::CancelFlag never;
    EXPECT_EQ(adapter->answer({.request = &request, .model = "m"}, sink, never).end, End::kFinished)
        << base;
  }
}

// --- probes --------------------------------------------------------------------------------------

TEST(OpenAiProbe, LlamaServerTellsItsContextAndWhetherItTakesImages) {
  Rig rig("llama-server",
          {{"GET /health", {200, R"({"status":"ok"})"}},
           {"GET /v1/models", {200, R"({"object":"list","data":[{"id":"a.gguf"}]})"}},
           {"GET /props",
            {200, R"({"default_generation_settings":{"n_ctx":4096},"total_slots":1,)"
                  R"("modalities":{"vision":true,"audio":false}})"}}});
  const auto probed = rig.adapter->probe(rig.never);
  ASSERT_TRUE(probed) << probed.error().message;
  ASSERT_EQ(probed->models.size(), 1u);
  EXPECT_EQ(probed->models[0].name, "a.gguf");
  EXPECT_EQ(probed->models[0].context_tokens, 4096);
  EXPECT_TRUE(probed->models[0].takes_images);
}

TEST(OpenAiProbe, AServerThatLoadsIsNotUp) {
  Rig rig("llama-server",
          {{"GET /health", {503, R"({"error":{"code":503,"message":"Loading model"}})"}}});
  const auto probed = rig.adapter->probe(rig.never);
  ASSERT_FALSE(probed);
  EXPECT_EQ(probed.error().code, Code::kUnavailable);
  EXPECT_NE(probed.error().message.find("Loading model"), std::string::npos);
}

TEST(OpenAiProbe, VllmTellsTheLengthOfItsContext) {
  Rig rig("vllm",
          {{"GET /health", {200, "", "text/plain"}},
           {"GET /v1/models", {200, R"({"data":[{"id":"org/model","max_model_len":32768}]})"}}});
  const auto probed = rig.adapter->probe(rig.never);
  ASSERT_TRUE(probed) << probed.error().message;
  EXPECT_EQ(probed->models.at(0).name, "org/model");
  EXPECT_EQ(probed->models.at(0).context_tokens, 32768);
}

TEST(OpenAiProbe, LocalAiListsItsModels) {
  Rig rig("localai", {{"GET /readyz", {200, "OK", "text/plain"}},
                      {"GET /v1/models", {200, R"({"data":[{"id":"a"},{"id":"b"}]})"}}});
  const auto probed = rig.adapter->probe(rig.never);
  ASSERT_TRUE(probed) << probed.error().message;
  EXPECT_EQ(probed->models.size(), 2u);
}

// It answers with the loaded model whatever it is asked for: the others on its list would lie.
TEST(OpenAiProbe, TextGenerationWebuiOffersWhatIsLoaded) {
  FakeServer::Answers answers{
      {"GET /v1/internal/health", {200, R"({"status":"ok"})"}},
      {"GET /v1/internal/model/info", {200, R"({"model_name":"a.gguf","lora_names":[]})"}},
      {"GET /v1/models", {200, R"({"data":[{"id":"a.gguf"},{"id":"b.gguf"}]})"}}};
  Rig loaded("text-generation-webui", answers);
  const auto probed = loaded.adapter->probe(loaded.never);
  ASSERT_TRUE(probed) << probed.error().message;
  ASSERT_EQ(probed->models.size(), 1u);
  EXPECT_EQ(probed->models[0].name, "a.gguf");

  answers["GET /v1/internal/model/info"].body = R"({"model_name":"None","lora_names":[]})";
  Rig empty("text-generation-webui", answers);
  const auto none = empty.adapter->probe(empty.never);
  ASSERT_FALSE(none);
  EXPECT_EQ(none.error().message, "ws2: no model is loaded there");
}

TEST(OpenAiProbe, AnApiWithoutAListIsStillUp) {
  Rig rig("openai", {});
  const auto probed = rig.adapter->probe(rig.never);
  ASSERT_TRUE(probed) << probed.error().message;
  EXPECT_TRUE(probed->models.empty());
}

TEST(OpenAiProbe, ARefusedKeyIsToldAsOne) {
  Rig rig("openai", {{"GET /v1/models", {401, R"({"error":{"message":"Invalid API Key"}})"}}});
  const auto probed = rig.adapter->probe(rig.never);
  ASSERT_FALSE(probed);
  EXPECT_EQ(probed.error().code, Code::kConfig);
}

TEST(OpenAiProbe, OfAnotherTophandOnlyItsOwnModelsAreTaken) {
  Rig rig("tophand", {{"GET /healthz", {200, R"({"status":"ok"})"}},
                      {"GET /v1/models",
                       {200, R"({"data":[{"id":"auto","owned_by":"tophand"},)"
                             R"({"id":"qwen","owned_by":"local"},)"
                             R"({"id":"ws9/llama","owned_by":"ws9"},)"
                             R"({"id":"claude-opus","owned_by":"anthropic"}]})"}}});
  const auto probed = rig.adapter->probe(rig.never);
  ASSERT_TRUE(probed) << probed.error().message;
  ASSERT_EQ(probed->models.size(), 1u);
  EXPECT_EQ(probed->models[0].name, "qwen");
}

// --- hops ----------------------------------------------------------------------------------------

TEST(OpenAiBackend, TellsAnotherTophandThePriorityAndCountsTheHops) {
  Rig rig("tophand", {{"POST /v1/chat/completions", {200, kStream, kSse}}});
  EXPECT_EQ(rig.answer(1).end, End::kFinished);
  const net::Headers headers = rig.server.requests().front().headers;
  EXPECT_EQ(headers.get("x-tophand-priority"), "low");
  EXPECT_EQ(headers.get(kHopsHeader), "2");
}

TEST(OpenAiBackend, OtherServersHearNothingOfHops) {
  Rig rig("vllm", {{"POST /v1/chat/completions", {200, kStream, kSse}}});
  EXPECT_EQ(rig.answer(kHopsMax).end, End::kFinished);
  EXPECT_FALSE(rig.server.requests().front().headers.find(kHopsHeader));
}

// Two gateways that list each other and have nothing to answer with: without the limit the request
// would go round for ever.
TEST(OpenAiBackend, TwoGatewaysThatListEachOtherDoNotLoop) {
  std::unique_ptr<Adapter> to_a, to_b;
  const auto gateway = [](std::unique_ptr<Adapter>& other) {
    return [&other](const net::Request& request, net::ResponseWriter& writer) {
      const chat::Request again = simple_request();
      const Call call{.request = &again,
                      .model = "m",
                      .hops = std::stoi(std::string(request.headers.get(kHopsHeader, "0")))};
      RecordingSink sink;
      const net::CancelFlag never;
      const Report report = other->answer(call, sink, never);
      EXPECT_EQ(report.end, End::kRefused);
      EXPECT_TRUE(
          writer.send(503, "application/json",
                      "{\"error\":{\"message\":\"" + report.failure->error.message + "\"}}"));
    };
  };
  const ScriptedServer a(gateway(to_b)), b(gateway(to_a));
  to_a = adapter_for(config_for("tophand", a.url()));
  to_b = adapter_for(config_for("tophand", b.url()));
  const chat::Request request = simple_request();
  RecordingSink sink;
  const net::CancelFlag never;
  const Report report = to_a->answer({.request = &request, .model = "m"}, sink, never);
  EXPECT_EQ(report.end, End::kRefused);
  EXPECT_NE(report.failure->error.message.find("went through 3 gateways"), std::string::npos)
      << report.failure->error.message;
  EXPECT_EQ(a.requests().size() + b.requests().size(), 3u);
}

// --- counting, loading ---------------------------------------------------------------------------

TEST(OpenAiBackend, LlamaServerCountsTheRenderedPrompt) {
  Rig rig("llama-server", {{"POST /apply-template", {200, R"({"prompt":"<user>hello"})"}},
                           {"POST /tokenize", {200, R"({"tokens":[1,2,3,4]})"}}});
  const auto count = rig.adapter->count({.request = &rig.request, .model = "m1"}, rig.never);
  ASSERT_TRUE(count) << count.error().message;
  EXPECT_EQ(*count, 4);
  EXPECT_EQ(rig.asked("/tokenize")["content"], "<user>hello");
}

TEST(OpenAiBackend, VllmCountsMessages) {
  Rig rig("vllm", {{"POST /tokenize", {200, R"({"count":7,"max_model_len":10,"tokens":[]})"}}});
  EXPECT_EQ(*rig.adapter->count({.request = &rig.request, .model = "m1"}, rig.never), 7);
}

TEST(OpenAiBackend, OthersCannotCount) {
  for (const char* kind : {"openai", "localai", "text-generation-webui"}) {
    Rig rig(kind, {});
    EXPECT_FALSE(rig.adapter->count({.request = &rig.request, .model = "m1"}, rig.never)) << kind;
  }
}

TEST(OpenAiBackend, LoadsAndUnloadsWhereTheApiCan) {
  Rig webui("text-generation-webui", {{"POST /v1/internal/model/load", {200, R"("OK")"}},
                                      {"POST /v1/internal/model/unload", {200, R"("OK")"}}});
  EXPECT_TRUE(webui.adapter->load("a.gguf", webui.never));
  EXPECT_EQ(webui.asked("/v1/internal/model/load")["model_name"], "a.gguf");
  EXPECT_TRUE(webui.adapter->unload("a.gguf", webui.never));

  Rig vllm("vllm", {});
  EXPECT_TRUE(vllm.adapter->load("m", vllm.never));  // it is loaded as long as vLLM runs
  const auto cannot = vllm.adapter->unload("m", vllm.never);
  ASSERT_FALSE(cannot);
  EXPECT_EQ(cannot.error().code, Code::kInvalid);
  EXPECT_TRUE(vllm.server.requests().empty());

  Rig single("llama-server", {});  // not a router: it has no such path
  EXPECT_EQ(single.adapter->unload("m", single.never).error().code, Code::kInvalid);
}

}  // namespace
}  // namespace tophand::backend

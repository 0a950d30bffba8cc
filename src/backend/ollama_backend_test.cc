#include "backend/ollama_backend.h"

#include <gtest/gtest.h>

#include "backend/fake_server.h"
#include "base/json.h"

namespace tophand::backend {
namespace {

const std::string kLines =
    "{\"model\":\"m:latest\",\"message\":{\"role\":\"assistant\",\"content\":\"Hi\"},"
    "\"done\":false}\n"
    "{\"model\":\"m:latest\",\"message\":{\"content\":\"\"},\"done\":true,\"done_reason\":\"stop\","
    "\"prompt_eval_count\":3,\"eval_count\":2}\n";

FakeServer::Answers answers() {
  return {{"GET /api/version", {200, R"({"version":"0.33.0"})"}},
          {"GET /api/tags",
           {200, R"({"models":[{"name":"m:latest","digest":"d1"},{"name":"e:latest",)"
                 R"("digest":"d2"}]})"}},
          {"POST /api/show",
           {200, R"({"capabilities":["completion","vision"],"model_info":{)"
                 R"("general.architecture":"qwen2","qwen2.context_length":32768}})"}},
          {"POST /api/chat", {200, kLines, "application/x-ndjson"}}};
}

struct Rig {
  explicit Rig(FakeServer::Answers given = answers(), std::int64_t context_tokens = 0)
      : server(std::move(given)) {
    config::BackendConfig config = config_for("ollama", server.url());
    config.context_tokens = context_tokens;
    adapter = adapter_for(config);
  }
  Report answer() { return adapter->answer({.request = &request, .model = "m"}, sink, never); }

  Json asked(const std::string& path) const {
    return parse_json(server.asked(path)).value_or(Json());
  }

  FakeServer server;
  std::unique_ptr<Adapter> adapter;
  chat::Request request = simple_request();
  RecordingSink sink;
  net::CancelFlag never;
};

TEST(OllamaBackend, StreamsAnAnswer) {
  Rig rig;
  const Report report = rig.answer();
  EXPECT_EQ(report.end, End::kFinished);
  EXPECT_EQ(rig.sink.text(), "Hi");
  EXPECT_EQ(report.usage.input_tokens, 3);
  EXPECT_EQ(report.usage.output_tokens, 2);
}

TEST(OllamaBackend, ReadsAWholeAnswerWithoutALineEnd) {
  FakeServer::Answers given = answers();
  given["POST /api/chat"] = {200, R"({"model":"m","message":{"content":"Hi"},"done":true})"};
  Rig rig(given);
  rig.request.stream = false;
  EXPECT_EQ(rig.answer().end, End::kFinished);
  EXPECT_EQ(rig.sink.text(), "Hi");
}

TEST(OllamaBackend, AnErrorLineFailsTheAnswer) {
  FakeServer::Answers given = answers();
  given["POST /api/chat"].body = kLines.substr(0, kLines.find('\n') + 1) + "{\"error\":\"boom\"}\n";
  Rig rig(given);
  const Report report = rig.answer();
  EXPECT_EQ(report.end, End::kFailed);
  EXPECT_EQ(report.failure->error.message, "ws2: boom");
}

// One value for each model: another one would have Ollama load it again.
TEST(OllamaBackend, SaysTheSameContextWithEveryRequest) {
  Rig rig;
  ASSERT_TRUE(rig.adapter->probe(rig.never));
  rig.answer();
  EXPECT_EQ(rig.asked("/api/chat")["options"]["num_ctx"], 8192);

  Rig configured(answers(), 16384);
  configured.answer();
  EXPECT_EQ(configured.asked("/api/chat")["options"]["num_ctx"], 16384);
}

TEST(OllamaBackend, RefusesAPromptThatOllamaWouldCut) {
  Rig rig(answers(), 512);
  std::string longer;
  for (int i = 0; i < 2000; ++i) longer += "word ";
  rig.request.messages.front().blocks = {chat::TextBlock{longer}};
  const Report report = rig.answer();
  EXPECT_EQ(report.end, End::kRefused);
  EXPECT_EQ(report.failure->error.code, Code::kPromptTooLong);
  EXPECT_TRUE(rig.server.requests().empty());
}

TEST(OllamaBackend, DiscoversModelsAndLooksAtEachOnce) {
  Rig rig;
  for (int i = 0; i < 2; ++i) {
    const auto probed = rig.adapter->probe(rig.never);
    ASSERT_TRUE(probed) << probed.error().message;
    EXPECT_EQ(probed->version, "0.33.0");
    ASSERT_EQ(probed->models.size(), 2u);
    EXPECT_TRUE(probed->models[0].takes_images);
    EXPECT_FALSE(probed->models[0].can_think);
    EXPECT_EQ(probed->models[0].context_tokens, 8192);
  }
  int shown = 0;
  for (const net::Request& request : rig.server.requests()) shown += request.path == "/api/show";
  EXPECT_EQ(shown, 2);
}

TEST(OllamaBackend, SaysHowMuchToThinkToModelsThatKnowLevels) {
  for (const auto& [architecture, expected] :
       {std::pair("gptoss", Json("high")), std::pair("qwen3", Json(true))}) {
    FakeServer::Answers given = answers();
    given["POST /api/show"].body =
        std::string(R"({"capabilities":["completion","thinking"],"model_info":{)") +
        R"("general.architecture":")" + architecture + "\"}}";
    Rig rig(given);
    ASSERT_TRUE(rig.adapter->probe(rig.never));
    rig.request.think = true;
    rig.request.effort = "high";
    rig.answer();
    EXPECT_EQ(rig.asked("/api/chat")["think"], expected) << architecture;
  }
}

TEST(OllamaBackend, KnowsModelsThatOnlyMakeEmbeddings) {
  FakeServer::Answers given = answers();
  given["POST /api/show"].body = R"({"capabilities":["embedding"],"model_info":{}})";
  Rig rig(given);
  const auto probed = rig.adapter->probe(rig.never);
  ASSERT_EQ(probed->models.size(), 2u);
  EXPECT_FALSE(probed->models[0].can_generate);
}

TEST(OllamaBackend, PassesEmbeddingsOnAndRefusesRatherThanCut) {
  FakeServer::Answers given = answers();
  given["POST /api/embed"].body = R"({"embeddings":[[0.6,0.8]],"prompt_eval_count":3})";
  Rig rig(given);
  const chat::EmbeddingRequest request{.inputs = {"text"}};
  net::Headers kept;
  const auto answer = rig.adapter->embed("nomic", request, kept, rig.never);
  ASSERT_TRUE(answer) << answer.error().message;
  EXPECT_EQ(answer->items.front().values, (std::vector<float>{0.6F, 0.8F}));
  EXPECT_EQ(rig.asked("/api/embed")["truncate"], false);

  given["POST /api/embed"] = {400, R"({"error":"the input length exceeds the context length"})"};
  Rig full(given);
  EXPECT_EQ(full.adapter->embed("nomic", request, kept, full.never).error().code,
            Code::kPromptTooLong);
}

TEST(OllamaBackend, DoesNotAskAModelToThinkThatCannot) {
  Rig rig;
  ASSERT_TRUE(rig.adapter->probe(rig.never));
  rig.request.think = true;
  rig.answer();
  EXPECT_FALSE(rig.asked("/api/chat").contains("think"));
}

TEST(OllamaBackend, LoadsAndUnloadsByKeepAlive) {
  Rig rig;
  EXPECT_TRUE(rig.adapter->load("m", rig.never));
  EXPECT_EQ(rig.asked("/api/chat")["keep_alive"], -1);
  EXPECT_TRUE(rig.adapter->unload("m", rig.never));
  EXPECT_EQ(rig.asked("/api/chat")["keep_alive"], 0);
}

}  // namespace
}  // namespace tophand::backend

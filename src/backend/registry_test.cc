#include "backend/registry.h"

#include <gtest/gtest.h>

#include <atomic>
#include <chrono>
#include <thread>

#include "backend/fake_server.h"

namespace tophand::backend {
namespace {

FakeServer::Answers vllm(std::string models) {
  return {{"GET /health", {200, "", "text/plain"}},
          {"GET /v1/models", {200, "{\"data\":" + std::move(models) + "}"}},
          {"POST /v1/chat/completions",
           {200, R"({"choices":[{"message":{"content":"Hi"},"finish_reason":"stop"}]})"}}};
}

std::unique_ptr<Registry> registry_of(std::vector<config::BackendConfig> backends) {
  auto made = Registry::create({.backends = std::move(backends), .clock = &system_clock()});
  EXPECT_TRUE(made) << made.error().message;
  return made ? std::move(*made) : nullptr;
}

std::string dead_url() {
  const ScriptedServer gone([](const net::Request&, net::ResponseWriter&) {});
  return gone.url();
}

std::vector<std::string> names(const std::vector<policy::Offer>& offers) {
  std::vector<std::string> out;
  for (const policy::Offer& offer : offers)
    out.push_back(offer.backend + "/" + offer.model + (offer.up ? "" : " down"));
  return out;
}
using Names = std::vector<std::string>;

TEST(Registry, OffersConfiguredModelsBeforeAnyProbe) {
  config::BackendConfig config = config_for("vllm", dead_url());
  config.models = {"a", "b"};
  config.local_model = "b";
  const auto registry = registry_of({config});
  EXPECT_EQ(names(registry->offers()), (Names{"ws2/a", "ws2/b"}));
  EXPECT_FALSE(registry->offers()[0].stands_for_local);
  EXPECT_TRUE(registry->offers()[1].stands_for_local);
}

TEST(Registry, OffersWhatAProbeFound) {
  const FakeServer server(vllm(R"([{"id":"a","max_model_len":4096},{"id":"b"}])"));
  const auto registry = registry_of({config_for("vllm", server.url())});
  EXPECT_TRUE(registry->offers().empty());
  registry->probe_all();
  EXPECT_EQ(names(registry->offers()), (Names{"ws2/a", "ws2/b"}));
  EXPECT_EQ(registry->offers()[0].context_tokens, 4096);
}

TEST(Registry, TheConfigurationLimitsWhatIsOffered) {
  const FakeServer server(vllm(R"([{"id":"a"},{"id":"b"}])"));
  config::BackendConfig config = config_for("vllm", server.url());
  config.models = {"b", "c"};
  config.context_tokens = 2048;
  config.images = true;
  const auto registry = registry_of({config});
  registry->probe_all();
  EXPECT_EQ(names(registry->offers()), (Names{"ws2/b", "ws2/c"}));
  EXPECT_EQ(registry->offers()[0].context_tokens, 2048);
  EXPECT_TRUE(registry->offers()[0].takes_images);
  EXPECT_EQ(registry->status()[0].missing, Names{"c"});
}

TEST(Registry, OffersAModelThatOnlyMakesEmbeddingsForThose) {
  const FakeServer server(
      {{"GET /api/version", {200, R"({"version":"0.33.0"})"}},
       {"GET /api/tags", {200, R"({"models":[{"name":"nomic:latest","digest":"d"}]})"}},
       {"POST /api/show", {200, R"({"capabilities":["embedding"],"model_info":{}})"}},
       {"POST /api/embed", {200, R"({"embeddings":[[1]]})"}}});
  const auto registry = registry_of({config_for("ollama", server.url())});
  registry->probe_all();
  EXPECT_TRUE(registry->offers().empty());
  for (const char* name : {"nomic", "nomic:latest", "ws2/nomic"}) {
    const auto targets = registry->embedders(name);
    ASSERT_EQ(targets.size(), 1u) << name;
    EXPECT_EQ(targets[0].backend, "ws2");
    EXPECT_EQ(targets[0].model, "nomic:latest");
  }
  EXPECT_TRUE(registry->embedders("other").empty());
  const net::CancelFlag never;
  net::Headers kept;
  EXPECT_TRUE(registry->find("ws2")->embed("nomic:latest", {.inputs = {"a"}}, kept, never));
}

TEST(Registry, AFailedProbeMarksItDownWithTheReason) {
  config::BackendConfig config = config_for("vllm", dead_url());
  config.models = {"a"};
  const auto registry = registry_of({config});
  registry->probe_all();
  EXPECT_EQ(names(registry->offers()), Names{"ws2/a down"});
  EXPECT_FALSE(registry->status()[0].up);
  EXPECT_FALSE(registry->status()[0].reason.empty());
  EXPECT_GT(registry->status()[0].last_probe_ms, 0);
}

TEST(Registry, AnswersTellItWhatProbesWouldLater) {
  config::BackendConfig config = config_for("vllm", dead_url());
  config.models = {"a"};
  const auto registry = registry_of({config});
  const chat::Request request = simple_request();
  RecordingSink sink;
  const net::CancelFlag never;
  Backend* backend = registry->find("ws2");
  ASSERT_NE(backend, nullptr);
  EXPECT_EQ(backend->answer({.request = &request, .model = "a"}, sink, never).end, End::kRefused);
  EXPECT_FALSE(registry->status()[0].up);
  registry->report_success("ws2");
  EXPECT_TRUE(registry->status()[0].up);
}

// What the client did wrong says nothing about the backend.
TEST(Registry, ARequestThatIsWrongLeavesItUp) {
  const auto registry = registry_of({config_for("vllm", dead_url())});
  registry->report_failure("ws2", {Code::kInvalid, "no messages"});
  registry->report_failure("ws2", {Code::kPromptTooLong, "too long"});
  EXPECT_TRUE(registry->status()[0].up);
}

TEST(Registry, KnowsNoOtherNames) {
  const auto registry = registry_of({config_for("vllm", dead_url())});
  EXPECT_EQ(registry->find("ws3"), nullptr);
  const net::CancelFlag never;
  EXPECT_EQ(registry->load("ws3", "m", never).error().code, Code::kNotFound);
}

TEST(Registry, CountsWhatIsInFlight) {
  const FakeServer server(vllm("[]"));
  const auto registry = registry_of({config_for("vllm", server.url())});
  const chat::Request request = simple_request();
  RecordingSink sink;
  std::int64_t during = -1;
  sink.on_event = [&](const chat::StreamEvent&) { during = registry->status()[0].in_flight; };
  const net::CancelFlag never;
  registry->find("ws2")->answer({.request = &request, .model = "a"}, sink, never);
  EXPECT_EQ(during, 1);
  EXPECT_EQ(registry->status()[0].in_flight, 0);
}

void wait_for_offers(const Registry& registry, std::chrono::seconds patience) {
  const auto deadline = std::chrono::steady_clock::now() + patience;
  while (registry.offers().empty() && std::chrono::steady_clock::now() < deadline)
    std::this_thread::yield();
}

TEST(Registry, ProbesInItsOwnThreadAndStopsAtOnce) {
  const FakeServer server(vllm(R"([{"id":"a"}])"));
  const auto registry = registry_of({config_for("vllm", server.url())});
  registry->start();
  wait_for_offers(*registry, std::chrono::seconds(20));
  EXPECT_EQ(names(registry->offers()), Names{"ws2/a"});
  registry->stop();
}

// Answers with a byte now and then, and never to the end.
class DribblingServer {
 public:
  ~DribblingServer() { over_ = true; }
  std::string url() const { return server_.url(); }

 private:
  std::atomic<bool> over_ = false;
  ScriptedServer server_{[this](const net::Request&, net::ResponseWriter& writer) {
    if (!writer.start_stream(200, "application/json")) return;
    while (!over_ && writer.write(" ")) net::pause(writer.client(), 10);
  }};
};

TEST(Registry, AProbeThatIsNeverDoneKeepsNoOtherBackendWaiting) {
  const DribblingServer dribbling;
  const FakeServer server(vllm(R"([{"id":"a"}])"));
  config::BackendConfig first = config_for("openai", dribbling.url());
  first.name = "dribbling";
  const auto registry = registry_of({first, config_for("vllm", server.url())});
  registry->start();
  wait_for_offers(*registry, std::chrono::seconds(5));
  EXPECT_EQ(names(registry->offers()), Names{"ws2/a"});
  registry->stop();
}

TEST(Registry, AProbeHasOneDeadlineForAllOfIt) {
  const DribblingServer dribbling;
  auto made = Registry::create({.backends = {config_for("openai", dribbling.url())},
                                .clock = &system_clock(),
                                .probe_ms_max = 50});
  ASSERT_TRUE(made);
  (*made)->probe_all();
  EXPECT_FALSE((*made)->status()[0].up);
  EXPECT_NE((*made)->status()[0].reason.find("no answer to a probe"), std::string::npos);
}

TEST(Registry, ProbesLessOftenTheLongerABackendIsDown) {
  EXPECT_EQ(probe_delay_ms(0), 15'000);
  EXPECT_EQ(probe_delay_ms(1), 1'000);
  EXPECT_EQ(probe_delay_ms(2), 2'000);
  EXPECT_EQ(probe_delay_ms(6), 32'000);
  EXPECT_EQ(probe_delay_ms(7), 60'000);
  EXPECT_EQ(probe_delay_ms(1'000'000), 60'000);
}

}  // namespace
}  // namespace tophand::backend

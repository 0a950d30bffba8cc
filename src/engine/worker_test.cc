#include "engine/worker.h"

#include <gtest/gtest.h>
#include <unistd.h>

#include <condition_variable>
#include <cstdlib>
#include <mutex>
#include <thread>

#include "base/json.h"
#include "engine/scripted_session.h"
#include "net/cancel.h"
#include "net/client.h"

namespace tophand::engine {
namespace {

// Something that threads wait for until the test opens it.
class Gate {
 public:
  void open() {
    const std::lock_guard lock(mutex_);
    open_ = true;
    changed_.notify_all();
  }
  void pass() {
    std::unique_lock lock(mutex_);
    reached_ = true;
    changed_.notify_all();
    changed_.wait(lock, [this] { return open_; });
  }
  void await_somebody() {
    std::unique_lock lock(mutex_);
    changed_.wait(lock, [this] { return reached_; });
  }

 private:
  std::mutex mutex_;
  std::condition_variable changed_;
  bool open_ = false, reached_ = false;
};

class ScriptedModel final : public Model {
 public:
  explicit ScriptedModel(bool embeds_only) {
    info_.architecture = info_.name = "scripted";
    info_.embeds_only = embeds_only;
  }
  const ModelInfo& info() const override { return info_; }
  const text::Tokenizer& tokenizer() const override { return *tokenizer_; }
  Result<text::TemplateKind> chat_template() const override { return text::TemplateKind::kQwen25; }

 private:
  ModelInfo info_;
  std::unique_ptr<text::Tokenizer> tokenizer_ = byte_tokenizer();
};

class WorkerTest : public testing::Test {
 protected:
  WorkerTest() {
    std::string name = testing::TempDir() + "tophand-worker-XXXXXX";
    folder_ = mkdtemp(name.data());
    options_.address = "unix:" + folder_ + "/s";
    options_.queue_max = 1;
    endpoint_ = *net::parse_endpoint(options_.address);
    session_ = std::make_unique<ScriptedSession>();
    scripted_ = session_.get();
  }
  ~WorkerTest() override {
    worker_.reset();
    rmdir(folder_.c_str());
  }

  // Loads at once, or when `gate` opens.
  void start(Gate* gate = nullptr) {
    auto worker = Worker::start(
        options_,
        [this, gate](const auto& progress) -> Result<LoadedEngine> {
          progress(0.5);
          if (gate) gate->pass();
          return LoadedEngine{std::make_unique<ScriptedModel>(embeds_only_), std::move(session_)};
        },
        system_clock());
    ASSERT_TRUE(worker.has_value()) << worker.error().message;
    worker_ = std::move(*worker);
    if (!gate)
      while (worker_->loading()) std::this_thread::yield();
  }

  struct Reply {
    int status = 0;
    std::string body;
  };
  std::unique_ptr<net::ClientResponse> open(const std::string& method, const std::string& path,
                                            const std::string& body = "",
                                            const net::Cancellation* cancel = nullptr) {
    net::ClientRequest request;
    request.method = method;
    request.path = path;
    request.body = body;
    auto response = client_->send(endpoint_, request, cancel);
    return response ? std::move(*response) : nullptr;
  }
  Reply call(const std::string& method, const std::string& path, const std::string& body = "") {
    auto response = open(method, path, body);
    if (!response) return {};
    auto all = response->read_all(nullptr, 1 << 20);
    return {response->status(), all.value_or("cut short")};
  }
  Json json(const Reply& reply) { return parse_json(reply.body).value_or(Json::object()); }
  // Polls /health until one of its counters has this value.
  void await_health(const char* key, int value) {
    while (int_or(json(call("GET", "/health")), key, -1) != value) std::this_thread::yield();
  }

  static constexpr const char* kAsk = R"({"messages":[{"role":"user","content":"q"}]})";
  std::string folder_;
  WorkerOptions options_;
  net::Endpoint endpoint_;
  std::unique_ptr<net::Client> client_ = net::Client::create();
  std::unique_ptr<ScriptedSession> session_;
  ScriptedSession* scripted_ = nullptr;
  bool embeds_only_ = false;
  std::unique_ptr<Worker> worker_;
};

TEST_F(WorkerTest, AnswersHealthWhileTheModelLoads) {
  Gate gate;
  start(&gate);
  gate.await_somebody();
  const Reply loading = call("GET", "/health");
  EXPECT_EQ(loading.status, 503);
  EXPECT_EQ(loading.body, R"({"status":"loading","progress":0.5})");
  EXPECT_EQ(call("POST", "/generate", kAsk).status, 503);
  gate.open();
  while (worker_->loading()) std::this_thread::yield();
  const Reply ready = call("GET", "/health");
  EXPECT_EQ(ready.status, 200);
  EXPECT_EQ(ready.body, R"({"status":"ok","busy":0,"queued":0})");
}

TEST_F(WorkerTest, EmbedsEachTextOnALineOfItsOwn) {
  start();
  const Reply reply = call("POST", "/embed", R"({"input":["ab","c"],"truncate":false})");
  EXPECT_EQ(reply.status, 200);
  const std::string want = R"({"embedding":[98,1],"input_tokens":2,"truncated":false})"
                           "\n"
                           R"({"embedding":[99,0],"input_tokens":1,"truncated":false})"
                           "\n"
                           R"({"finished":{"total_ns":)";
  EXPECT_TRUE(reply.body.starts_with(want)) << reply.body;
  EXPECT_EQ(call("POST", "/embed", R"({"input":[]})").status, 400);
  EXPECT_EQ(call("POST", "/embed", R"({"input":[""]})").status, 400);
}

TEST_F(WorkerTest, AModelThatWasTrainedForEmbeddingsAnswersNothing) {
  embeds_only_ = true;
  start();
  const Reply refused = call("POST", "/generate", kAsk);
  EXPECT_EQ(refused.status, 400);
  EXPECT_NE(refused.body.find("scripted makes embeddings"), std::string::npos) << refused.body;
  EXPECT_EQ(call("POST", "/embed", R"({"input":["one"],"truncate":false})").status, 200);
}

TEST_F(WorkerTest, AnswersAsBeforeAfterAnEmbedding) {
  start();
  scripted_->say("yes");
  call("POST", "/generate", kAsk);
  call("POST", "/embed", R"({"input":["something else"]})");
  scripted_->runs.clear();
  scripted_->say("yes");
  const Reply after = call("POST", "/generate", kAsk);
  EXPECT_NE(after.body.find(R"("cached_tokens":0)"), std::string::npos) << after.body;
  // The whole prompt was run again: nothing of the embedding's cache was taken for it.
  EXPECT_EQ(scripted_->runs.front().size(), scripted_->cache.size() - 3);
}

TEST_F(WorkerTest, AFailedLoadIsToldAndEndsTheWorker) {
  auto worker = Worker::start(
      options_,
      [](const auto&) -> Result<LoadedEngine> {
        return fail(Code::kTooLarge, "the model needs 9 GiB, 4 GiB are free");
      },
      system_clock());
  ASSERT_TRUE(worker.has_value());
  worker_ = std::move(*worker);
  while (worker_->loading()) std::this_thread::yield();
  const Json body = json(call("GET", "/health"));
  EXPECT_EQ(body["status"], "failed");
  EXPECT_EQ(body["error"]["code"], "too_large");
  EXPECT_EQ(body["error"]["message"], "the model needs 9 GiB, 4 GiB are free");
  const auto ended = worker_->wait();
  ASSERT_FALSE(ended.has_value());
  EXPECT_EQ(ended.error().code, Code::kTooLarge);
}

TEST_F(WorkerTest, StreamsAnAnswerAsLinesOfJson) {
  scripted_->say("Hi");
  start();
  auto response = open("POST", "/generate", kAsk);
  ASSERT_TRUE(response);
  EXPECT_EQ(response->status(), 200);
  EXPECT_EQ(response->headers().get("content-type"), "application/x-ndjson");
  const std::string body = *response->read_all(nullptr, 1 << 20);
  EXPECT_EQ(body.find("{\"started\":{\"input_tokens\":"), 0u) << body;
  EXPECT_NE(body.find("\n{\"text\":\"H\"}\n{\"text\":\"i\"}\n{\"block_end\":true}\n{\"finished\":{"
                      "\"reason\":\"end_turn\""),
            std::string::npos)
      << body;
}

TEST_F(WorkerTest, CountsInformsAndRefuses) {
  scripted_->say("x");
  start();
  const auto counted = json(call("POST", "/count", kAsk))["input_tokens"].get<std::int64_t>();
  const std::string answer = call("POST", "/generate", kAsk).body;
  EXPECT_NE(answer.find("\"input_tokens\":" + std::to_string(counted) + ","), std::string::npos);
  EXPECT_EQ(json(call("GET", "/info"))["architecture"], "scripted");
  EXPECT_EQ(call("GET", "/nope").status, 404);
  EXPECT_EQ(call("POST", "/generate", "{").status, 400);
  EXPECT_EQ(call("POST", "/generate", R"({"messages":[]})").status, 400);
  scripted_->context = 4;
  const Reply refused = call("POST", "/generate", kAsk);
  EXPECT_EQ(refused.status, 400);
  EXPECT_EQ(json(refused)["error"]["code"], "prompt_too_long");
}

TEST_F(WorkerTest, OneRunsOthersWaitInABoundedQueueInOrder) {
  Gate gate;
  scripted_->on_forward = [&gate] { gate.pass(); };
  start();
  Reply first, second;
  std::thread one([&] { first = call("POST", "/generate", kAsk); });
  gate.await_somebody();
  std::thread two([&] { second = call("POST", "/generate", kAsk); });
  await_health("queued", 1);
  EXPECT_EQ(json(call("GET", "/health"))["busy"], 1);
  const Reply third = call("POST", "/generate", kAsk);
  EXPECT_EQ(third.status, 429);
  EXPECT_EQ(json(third)["error"]["code"], "rate_limited");
  gate.open();
  one.join();
  two.join();
  EXPECT_NE(first.body.find("finished"), std::string::npos);
  EXPECT_NE(second.body.find("finished"), std::string::npos);
}

TEST_F(WorkerTest, AClientThatLeavesTheQueueGivesUpItsPlace) {
  Gate gate;
  scripted_->on_forward = [&gate] { gate.pass(); };
  start();
  Reply first;
  std::thread one([&] { first = call("POST", "/generate", kAsk); });
  gate.await_somebody();
  net::CancelFlag gone;
  std::thread two([&] { open("POST", "/generate", kAsk, &gone); });
  await_health("queued", 1);
  gone.cancel();
  two.join();
  await_health("queued", 0);
  EXPECT_EQ(json(call("GET", "/health"))["busy"], 1);
  gate.open();
  one.join();
}

TEST_F(WorkerTest, AClientThatHangsUpEndsItsAnswer) {
  scripted_->script.assign(100'000, 'a');
  scripted_->context = 200'000;
  start();
  {
    auto response = open("POST", "/generate", kAsk);
    ASSERT_TRUE(response);
    ASSERT_TRUE(response->read(nullptr).has_value());
  }
  await_health("busy", 0);
  EXPECT_LT(scripted_->runs.size(), 100'000u);
}

TEST_F(WorkerTest, StoppingEndsAnAnswerUnderWayWithAReason) {
  Gate gate;
  scripted_->on_forward = [&gate] { gate.pass(); };
  scripted_->script.assign(1'000, 'a');
  start();
  Reply reply;
  std::thread one([&] { reply = call("POST", "/generate", kAsk); });
  gate.await_somebody();
  worker_->stop_soon();
  gate.open();
  EXPECT_TRUE(worker_->wait().has_value());
  one.join();
  EXPECT_NE(
      reply.body.find("{\"failed\":{\"code\":\"unavailable\",\"message\":\"the engine worker is "
                      "stopping\"}}\n"),
      std::string::npos)
      << reply.body;
}

// The real engine behind the same socket. A greedy answer is the same whether its prompt was run or
// found in the cache.
TEST_F(WorkerTest, ServesAModelFileAndReusesItsCache) {
  const LoadOptions load{
      .path = std::string(TOPHAND_SOURCE_DIR) + "/tests/reference/data/tiny_qwen2.gguf",
      .threads = 1,
      .kernel = {},
      .chat_template = "chatml"};
  auto worker = Worker::start(options_, engine_loader(load), system_clock());
  ASSERT_TRUE(worker.has_value());
  worker_ = std::move(*worker);
  while (worker_->loading()) std::this_thread::yield();
  EXPECT_EQ(json(call("GET", "/info"))["template"], "chatml");
  const std::string ask =
      R"({"messages":[{"role":"user","content":"Say something."}],"max_tokens":12})";
  const auto texts = [](const std::string& body) {
    std::string out;
    for (std::size_t at = 0; (at = body.find("{\"text\":", at)) != std::string::npos; ++at)
      out += body.substr(at, body.find('\n', at) - at);
    return out;
  };
  const std::string first = call("POST", "/generate", ask).body;
  const std::string second = call("POST", "/generate", ask).body;
  const auto prompt = json(call("POST", "/count", ask))["input_tokens"].get<std::int64_t>();
  EXPECT_NE(first.find("\"cached_tokens\":0"), std::string::npos) << first;
  EXPECT_NE(second.find("\"cached_tokens\":" + std::to_string(prompt - 1)), std::string::npos)
      << second;
  EXPECT_FALSE(texts(first).empty());
  EXPECT_EQ(texts(first), texts(second));
}

TEST_F(WorkerTest, UnloadEndsIt) {
  start();
  EXPECT_EQ(call("POST", "/unload").status, 200);
  EXPECT_TRUE(worker_->wait().has_value());
  EXPECT_NE(access((folder_ + "/s").c_str(), F_OK), 0);
}

}  // namespace
}  // namespace tophand::engine

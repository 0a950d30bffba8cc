// The whole gateway but for its backends, over real sockets. Included by tests only.
#pragma once

#include <gtest/gtest.h>

#include <atomic>
#include <condition_variable>
#include <filesystem>
#include <fstream>
#include <functional>
#include <memory>
#include <mutex>
#include <string>
#include <vector>

#include "base/random.h"
#include "net/client.h"
#include "server/fake_backend_for_tests.h"
#include "server/service.h"

namespace tophand::server {

using Script =
    std::function<backend::Report(const backend::Call&, backend::Sink&, const net::Cancellation&)>;

class FakeBackend final : public backend::Backend {
 public:
  backend::Report answer(const backend::Call& call, backend::Sink& sink,
                         const net::Cancellation& client) override {
    return script(call, sink, client);
  }
  Result<std::int64_t> count(const backend::Call&, const net::Cancellation&) override { return 42; }
  Result<chat::EmbeddingAnswer> embed(const std::string&, const chat::EmbeddingRequest&,
                                      net::Headers& kept, const net::Cancellation&) override {
    kept.set("retry-after", "7");
    return fail(Code::kExhausted, "busy");
  }
  Script script;
};

inline std::vector<chat::StreamEvent> hello() {
  return {
      chat::Started{{.input_tokens = 9}, "small:1b"}, chat::TextDelta{"Hello"},
      chat::Finished{chat::StopReason::kEndTurn, "", {.input_tokens = 9, .output_tokens = 3}, {}}};
}

// The machine's clocks, put forward by hand. Read by the gateway's threads too.
class JumpingClock final : public Clock {
 public:
  std::int64_t wall_ms() const override { return system_clock().wall_ms() + ahead_ms_; }
  std::int64_t mono_ns() const override { return system_clock().mono_ns() + ahead_ms_ * 1'000'000; }
  void advance_ms(std::int64_t by) { ahead_ms_ += by; }

 private:
  std::atomic<std::int64_t> ahead_ms_ = 0;
};

struct Reply {
  int status = 0;
  net::Headers headers;
  std::string body;
};

class ServiceTest : public testing::Test {
 protected:
  void SetUp() override {
    dir_ = std::filesystem::temp_directory_path() / random_id("th-service-");
    std::filesystem::create_directories(dir_ / "run");
    std::filesystem::create_directories(dir_ / "models");
    std::ofstream(dir_ / "weights.gguf") << "x";
    store_ = std::make_unique<models::Store>(dir_ / "models");
    models::InstalledModel model;
    model.name = "small:1b";
    model.path = dir_ / "weights.gguf";
    model.bytes = 1;
    model.sha256 = std::string(64, 'a');
    ASSERT_TRUE(store_->add(model));
    prices_ = *ledger::PriceBook::load("");
    auto opened = ledger::Ledger::open(dir_ / "ledger.db", system_clock(), prices_.version(), {});
    ASSERT_TRUE(opened) << opened.error().message;
    ledger_ = std::move(*opened);
    keys_ = std::make_unique<KeyStore>(dir_);
    key_ = keys_->create("test", 1)->secret;
    local_.script = [](const backend::Call&, backend::Sink& sink, const net::Cancellation&) {
      return play(sink, hello());
    };
    guard_ = std::make_unique<Guard>(GuardOptions{.listen_host = "127.0.0.1"}, *keys_);
    start();
  }
  void TearDown() override {
    server_.reset();
    service_.reset();
    ledger_.reset();
    std::filesystem::remove_all(dir_);
  }

  virtual void configure(config::Config&) {}

  void start() {
    ServiceDeps deps;
    deps.config.models.local = "small:1b";
    configure(deps.config);
    deps.guard = guard_.get();
    deps.models = store_.get();
    deps.ledger = ledger_.get();
    deps.prices = &prices_;
    deps.clock = &clock_;
    deps.workers = &workers_;
    deps.backend_for = [this](const policy::Target& target) -> backend::Backend* {
      return target.place == policy::Place::kLocal ? &local_ : nullptr;
    };
    deps.offers = [this] { return offers_; };
    deps.worker_status = [] { return std::vector<backend::WorkerStatus>{}; };
    service_ = std::make_unique<Service>(std::move(deps));
    net::ServerOptions options;
    options.handler = [this](const net::Request& request, net::ResponseWriter& writer) {
      service_->handle(request, writer);
      const std::lock_guard lock(mutex_);
      ++handled_;
      handled_changed_.notify_all();
    };
    options.gatekeeper = [this](const net::Request& head) { return service_->admit(head); };
    options.error_formatter = Service::format_error;
    auto started = net::Server::start(std::move(options));
    ASSERT_TRUE(started) << started.error().message;
    server_ = std::move(*started);
    guard_->set_port(server_->port());
    endpoint_ = *net::parse_endpoint("http://127.0.0.1:" + std::to_string(server_->port()));
  }

  net::ClientRequest request(std::string method, std::string path, std::string_view body) const {
    net::ClientRequest out;
    out.method = std::move(method);
    out.path = std::move(path);
    out.body = body;
    out.headers.add("x-api-key", key_);
    return out;
  }
  Reply ask(const net::ClientRequest& what) {
    Reply reply;
    auto response = client_->send(endpoint_, what, nullptr);
    EXPECT_TRUE(response) << response.error().message;
    if (!response) return reply;
    reply.status = (*response)->status();
    reply.headers = (*response)->headers();
    auto body = (*response)->read_all(nullptr, 1u << 20);
    EXPECT_TRUE(body);
    if (body) reply.body = std::move(*body);
    return reply;
  }
  Reply post(std::string path, std::string_view body) {
    return ask(request("POST", std::move(path), body));
  }

  std::filesystem::path dir_;
  std::unique_ptr<models::Store> store_;
  ledger::PriceBook prices_;
  std::unique_ptr<ledger::Ledger> ledger_;
  std::unique_ptr<KeyStore> keys_;
  std::string key_;
  JumpingClock clock_;
  FakeBackend local_;
  NoWorkers workers_;
  std::vector<policy::Offer> offers_;
  std::unique_ptr<Guard> guard_;
  std::unique_ptr<Service> service_;
  std::mutex mutex_;
  std::condition_variable handled_changed_;
  int handled_ = 0;
  std::unique_ptr<net::Server> server_;
  net::Endpoint endpoint_;
  std::unique_ptr<net::Client> client_ = net::Client::create();
};

}  // namespace tophand::server

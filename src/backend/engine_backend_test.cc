#include "backend/engine_backend.h"

#include <gtest/gtest.h>

#include <atomic>
#include <filesystem>

#include "backend/test_support.h"
#include "base/random.h"
#include "chat/dialect.h"

namespace tophand::backend {
namespace {

// Lines as docs/protocols/engine-worker.md gives them.
const std::string kProgress = "{\"progress\":{\"done\":1,\"total\":2}}\n";
const std::string kStarted = "{\"started\":{\"input_tokens\":20,\"cached_tokens\":4}}\n";
const std::string kText = "{\"text\":\"Hel\"}\n{\"text\":\"lo\"}\n";
const std::string kFinished =
    "{\"finished\":{\"reason\":\"end_turn\",\"stop_sequence\":\"\",\"input_tokens\":20,"
    "\"cached_tokens\":4,\"output_tokens\":2,\"load_ns\":0,\"prefill_ns\":5,\"decode_ns\":6,"
    "\"total_ns\":11}}\n";

class FixedWorkers final : public Workers {
 public:
  explicit FixedWorkers(std::string socket) : socket_(std::move(socket)) {}
  Result<WorkerLease> ready(const std::string&, const Waiting& waiting,
                            const net::Cancellation&) override {
    ++asked;
    if (auto go_on = waiting(0.5); !go_on) return tl::unexpected(go_on.error());
    WorkerLease lease;
    lease.endpoint.scheme = "unix";
    lease.endpoint.host = socket_;
    lease.load_ns = 1000;
    return lease;
  }
  void unload(const std::string&) override {}
  void keep(const std::string&, std::int64_t) override {}
  std::atomic<int> asked{0};

 private:
  std::string socket_;
};

struct Rig {
  explicit Rig(net::Handler script)
      : socket(std::filesystem::temp_directory_path() / (random_id("th-test-") + ".sock")),
        server(std::move(script), "unix:" + socket),
        workers(socket),
        backend(workers) {
    request.model = "small";
    request.messages.push_back({chat::Role::kUser, {chat::TextBlock{"hello"}}});
  }
  Report answer() {
    return backend.answer(Call{.request = &request, .model = "small"}, sink, never);
  }

  std::string socket;
  ScriptedServer server;
  FixedWorkers workers;
  EngineBackend backend;
  RecordingSink sink;
  net::CancelFlag never;
  chat::Request request;
};

net::Handler lines(std::string bytes) {
  return [bytes](const net::Request&, net::ResponseWriter& writer) {
    ASSERT_TRUE(writer.start_stream(200, "application/x-ndjson"));
    ASSERT_TRUE(writer.write(bytes));
    static_cast<void>(writer.finish());  // the backend may have left by then
  };
}

TEST(EngineBackend, TurnsLinesIntoEventsAndAddsTheLoadTime) {
  Rig rig(lines(kProgress + kStarted + kText + kFinished));
  const Report report = rig.answer();
  EXPECT_EQ(report.end, End::kFinished);
  EXPECT_EQ(rig.sink.text(), "Hello");
  EXPECT_EQ(report.usage.total_input(), 20);
  EXPECT_EQ(report.usage.output_tokens, 2);
  EXPECT_EQ(report.timing.load_ns, 1000);
  EXPECT_EQ(report.timing.total_ns, 1011);
  EXPECT_EQ(report.timing.prefill_ns, 5);
  EXPECT_EQ(rig.server.requests()[0].path, "/generate");
}

TEST(EngineBackend, AWorkerThatDiesBeforeItsFirstEventIsAskedOnceMore) {
  std::atomic<int> calls{0};
  Rig rig([&](const net::Request& request, net::ResponseWriter& writer) {
    if (++calls == 1) {
      ASSERT_TRUE(writer.start_stream(200, "application/x-ndjson"));
      ASSERT_TRUE(writer.write(kProgress));
      return writer.abort();
    }
    lines(kStarted + kText + kFinished)(request, writer);
  });
  EXPECT_EQ(rig.answer().end, End::kFinished);
  EXPECT_EQ(rig.sink.text(), "Hello");
  EXPECT_EQ(rig.workers.asked, 2);
}

TEST(EngineBackend, AWorkerThatDiesLaterFailsTheAnswerAndIsNotAskedAgain) {
  Rig rig([](const net::Request&, net::ResponseWriter& writer) {
    ASSERT_TRUE(writer.start_stream(200, "application/x-ndjson"));
    ASSERT_TRUE(writer.write(kStarted + kText));
    writer.abort();
  });
  const Report report = rig.answer();
  EXPECT_EQ(report.end, End::kFailed);
  ASSERT_TRUE(report.failure);
  EXPECT_EQ(report.failure->error.code, Code::kUpstream);
  EXPECT_EQ(rig.sink.text(), "Hello");
  EXPECT_EQ(rig.workers.asked, 1);
}

TEST(EngineBackend, ARefusalKeepsTheWorkersCodeAndWords) {
  Rig rig([](const net::Request&, net::ResponseWriter& writer) {
    ASSERT_TRUE(
        writer.send(400, "application/json",
                    R"({"error":{"code":"prompt_too_long","message":"9000 tokens > 8191"}})"));
  });
  const Report report = rig.answer();
  EXPECT_EQ(report.end, End::kRefused);
  EXPECT_EQ(report.failure->error.code, Code::kPromptTooLong);
  EXPECT_EQ(report.failure->error.message, "9000 tokens > 8191");
}

TEST(EngineBackend, AFailureLineIsReportedNotForwarded) {
  Rig rig(lines(kStarted + kText + "{\"failed\":{\"code\":\"internal\",\"message\":\"no\"}}\n"));
  const Report report = rig.answer();
  EXPECT_EQ(report.end, End::kFailed);
  EXPECT_EQ(report.failure->error.message, "no");
  for (const auto& event : rig.sink.events)
    EXPECT_FALSE(std::holds_alternative<chat::Failed>(event));
}

TEST(EngineBackend, LeavingClosesTheWorkersConnection) {
  std::atomic<bool> noticed{false};
  net::CancelFlag gone;
  Rig rig([&](const net::Request&, net::ResponseWriter& writer) {
    ASSERT_TRUE(writer.start_stream(200, "application/x-ndjson"));
    ASSERT_TRUE(writer.write(kStarted));
    gone.cancel();
    while (writer.write("{\"text\":\"x\"}\n")) {
    }
    noticed = true;
    noticed.notify_all();
  });
  const Report report =
      rig.backend.answer(Call{.request = &rig.request, .model = "small"}, rig.sink, gone);
  EXPECT_EQ(report.end, End::kCancelled);
  noticed.wait(false);
}

TEST(EngineBackend, CountsThroughTheWorker) {
  Rig rig([](const net::Request&, net::ResponseWriter& writer) {
    ASSERT_TRUE(writer.send(200, "application/json", R"({"input_tokens":31})"));
  });
  const auto tokens = rig.backend.count(Call{.request = &rig.request, .model = "small"}, rig.never);
  ASSERT_TRUE(tokens);
  EXPECT_EQ(*tokens, 31);
  EXPECT_EQ(rig.server.requests()[0].path, "/count");
}

}  // namespace
}  // namespace tophand::backend

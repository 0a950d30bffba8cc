// Work that may wait: for a local place that nobody else wants, rather than going to Claude.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <atomic>
#include <chrono>
#include <thread>

#include "dispatch/dispatch.h"
#include "dispatch/test_support.h"

namespace tophand::dispatch {
namespace {

using ::testing::Contains;
using ::testing::StartsWith;
using namespace std::chrono_literals;

constexpr std::int64_t kLong = 60'000;  // ms; no test waits so long

template <class Condition>
void wait_until(const Condition& condition) {
  const auto deadline = std::chrono::steady_clock::now() + 20s;
  while (!condition() && std::chrono::steady_clock::now() < deadline)
    std::this_thread::sleep_for(1ms);
  EXPECT_TRUE(condition());
}

// A local backend with one place, which the first request keeps until it is let go.
class Patience : public ::testing::Test {
 protected:
  Patience()
      : rig_([this](const backend::Call& call, backend::Sink& sink) { return local(call, sink); },
             plays(kWhole)) {
    Deps deps = rig_.deps([](const Target& target) {
      return Places{.running_max = target.place == Place::kLocal ? 1 : 0, .waiting_max = 8};
    });
    deps.clock = &system_clock();
    dispatcher_.emplace(std::move(deps));
    holder_ = std::thread([this] { run(job("req_holder"), holder_sink_, rig_.never); });
    wait_until([this] { return locals_ == 1; });
  }
  ~Patience() override {
    let_go();
    holder_.join();
  }

  backend::Report local(const backend::Call&, backend::Sink& sink) {
    if (locals_++ == 0) wait_until([this] { return let_go_.load(); });
    return play(sink, kWhole);
  }
  void let_go() { let_go_ = true; }

  Job job(const std::string& id, std::int64_t patience_ms = 0) {
    Job job = rig_.job;
    job.request_id = id;
    job.decision.targets = {kLocal, kClaude};
    job.patience_ms = patience_ms;
    return job;
  }
  Outcome run(const Job& job, Sink& sink, const net::Cancellation& client) {
    return dispatcher_->run(job, sink, client);
  }
  std::int64_t deferred_ms_of(const std::string& id) {
    const std::lock_guard lock(rig_.ledger.mutex);
    for (const auto& start : rig_.ledger.starts)
      if (start.request_id == id) return start.deferred_ms;
    return -1;
  }

  Rig rig_;
  std::optional<Dispatcher> dispatcher_;
  std::atomic<int> locals_{0};
  std::atomic<bool> let_go_{false};
  FakeSink holder_sink_;
  std::thread holder_;
};

// A sink that says when its request has begun to wait.
class WaitingSink final : public Sink {
 public:
  Takes trying(const Trying&) override {
    told = true;
    return Takes::kEvents;
  }
  void held(std::function<void()>) override {}
  Result<> event(const chat::StreamEvent&) override { return {}; }
  Result<> head(int, const net::Headers&, std::string_view) override { return {}; }
  Result<> raw(std::string_view, const std::vector<chat::StreamEvent>&) override { return {}; }
  std::atomic<bool> told{false};
};

TEST_F(Patience, WaitsForALocalPlaceAndGetsIt) {
  WaitingSink sink;
  Outcome outcome;
  std::thread patient([&] { outcome = run(job("req_p", kLong), sink, rig_.never); });
  wait_until([&] { return sink.told.load(); });
  std::this_thread::sleep_for(5ms);  // so that there is something to count
  let_go();
  patient.join();
  EXPECT_EQ(outcome.target, kLocal);
  EXPECT_EQ(rig_.claude.calls, 0);
  EXPECT_THAT(outcome.reasons, Contains(StartsWith("waited ")));
  EXPECT_GE(deferred_ms_of("req_p"), 5);
  EXPECT_EQ(deferred_ms_of("req_holder"), 0);
}

// The control.
TEST_F(Patience, WithoutItTheRequestGoesToClaude) {
  FakeSink sink;
  EXPECT_EQ(run(job("req_p"), sink, rig_.never).target, kClaude);
  EXPECT_EQ(deferred_ms_of("req_p"), 0);
}

TEST_F(Patience, GoesToClaudeWhenItEnds) {
  FakeSink sink;
  const Outcome outcome = run(job("req_p", 120), sink, rig_.never);
  EXPECT_EQ(outcome.target, kClaude);
  EXPECT_EQ(outcome.report.end, backend::End::kFinished);
  EXPECT_GE(deferred_ms_of("req_p"), 120);
}

// The first place is held by one that says nothing, as a server that hangs would.
TEST_F(Patience, AnAnswerThatHasNotBegunByItsOwnDeadlineIsNotWaitedFor) {
  Job hurried = job("req_h", kLong);
  hurried.decision.targets = {kLocal};
  hurried.begins_within_ms = 100;
  FakeSink sink;
  const Outcome outcome = run(hurried, sink, rig_.never);
  ASSERT_TRUE(outcome.report.failure);
  EXPECT_EQ(outcome.report.failure->error.code, Code::kDeadline);
}

TEST_F(Patience, EndsWithItsClient) {
  WaitingSink sink;
  net::CancelFlag client;
  Outcome outcome;
  std::thread patient([&] { outcome = run(job("req_p", kLong), sink, client); });
  wait_until([&] { return sink.told.load(); });
  client.cancel();
  patient.join();
  EXPECT_EQ(outcome.report.end, backend::End::kCancelled);
  EXPECT_EQ(deferred_ms_of("req_p"), -1);  // no row: nobody was asked
  EXPECT_EQ(rig_.claude.calls, 0);
}

TEST_F(Patience, LetsThoseThatMayNotWaitGoFirst) {
  WaitingSink patient_sink, hurried_sink;
  Job hurried = job("req_h");
  hurried.decision.targets = {kLocal};
  std::thread patient([&] { run(job("req_p", kLong), patient_sink, rig_.never); });
  wait_until([&] { return patient_sink.told.load(); });
  std::thread second([&] { run(hurried, hurried_sink, rig_.never); });
  wait_until([&] { return hurried_sink.told.load(); });
  std::this_thread::sleep_for(20ms);  // it is in the line now
  let_go();
  second.join();
  patient.join();
  const std::lock_guard lock(rig_.ledger.mutex);
  ASSERT_EQ(rig_.ledger.starts.size(), 3u);
  EXPECT_EQ(rig_.ledger.starts[1].request_id, "req_h");
  EXPECT_EQ(rig_.ledger.starts[2].request_id, "req_p");
}

TEST_F(Patience, CountsTheRowsThatWereThereBefore) {
  FakeSink sink;
  Job again = job("req_p");
  again.attempts_before = 2;
  again.deferred_ms = 700;
  run(again, sink, rig_.never);
  const std::lock_guard lock(rig_.ledger.mutex);
  EXPECT_EQ(rig_.ledger.starts.back().attempt, 3);
  EXPECT_EQ(rig_.ledger.starts.back().deferred_ms, 700);
}

}  // namespace
}  // namespace tophand::dispatch

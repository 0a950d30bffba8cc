// For this room's tests: a ledger, backends and a client that remember. Included by tests only.
#pragma once

#include <gtest/gtest.h>

#include <functional>
#include <mutex>
#include <string>
#include <utility>
#include <vector>

#include "dispatch/dispatch.h"
#include "ledger/silent_ledger_for_tests.h"
#include "net/cancel.h"

namespace tophand::dispatch {

using policy::Place;
using policy::Priority;
using policy::Target;

// $4 a million tokens in, $20 out (nano-dollars a token: 4000 and 20000).
inline constexpr const char* kPrices =
    R"({"date":"2026-01-01","us_only":"1.1","web_search":"10","models":[{"id":"claude-x","input":"4",
  "output":"20","cache_write_5m":"5","cache_write_1h":"8","cache_read":"0.40"},
  {"id":"claude-small","input":"1","output":"5","cache_write_5m":"1.25","cache_write_1h":"2",
  "cache_read":"0.10"}]})";

// A ledger that keeps what it is told, in order.
class FakeLedger final : public ledger::SilentLedger {
 public:
  Result<std::int64_t> begin(const ledger::AttemptStart& start) override {
    if (refuse || start.reserved > room) return fail(Code::kBudget, "the cap");
    const std::lock_guard lock(mutex);
    starts.push_back(start);
    return static_cast<std::int64_t>(starts.size());
  }
  Result<> settle(std::int64_t row, const ledger::AttemptEnd& end) override {
    const std::lock_guard lock(mutex);
    settled.emplace_back(row, end);
    return {};
  }
  Result<> release(std::int64_t row, const ledger::AttemptEnd& end) override {
    released.emplace_back(row, end);
    return {};
  }

  bool refuse = false;
  ledger::NanoUsd room = INT64_MAX;  // what one reservation may take
  std::mutex mutex;                  // hedged attempts run side by side
  std::vector<ledger::AttemptStart> starts;
  std::vector<std::pair<std::int64_t, ledger::AttemptEnd>> settled, released;
};

using Script = std::function<backend::Report(const backend::Call&, backend::Sink&)>;

class FakeBackend final : public backend::Backend {
 public:
  explicit FakeBackend(Script script) : script_(std::move(script)) {}
  backend::Report answer(const backend::Call& call, backend::Sink& sink,
                         const net::Cancellation&) override {
    ++calls;
    return script_(call, sink);
  }
  Result<std::int64_t> count(const backend::Call&, const net::Cancellation&) override { return 1; }
  int calls = 0;

 private:
  Script script_;
};

class FakeSink final : public Sink {
 public:
  Takes trying(const Trying& attempt) override {
    tried.push_back(attempt.target);
    return Takes::kRaw;
  }
  void held(std::function<void()> wish) override { release = std::move(wish); }
  Result<> event(const chat::StreamEvent& event) override {
    events.push_back(event);
    return {};
  }
  Result<> head(int, const net::Headers&, std::string_view) override {
    ++heads;
    return {};
  }
  Result<> raw(std::string_view bytes, const std::vector<chat::StreamEvent>&) override {
    all += bytes;
    return {};
  }
  bool shortened(const Shortened& by) override {
    left_out.push_back(by.messages);
    return can_be_told;
  }
  void asked() override { ++asked_times; }
  bool gathers() const override { return gathers_all; }
  bool gathers_all = false;
  int asked_times = 0;
  std::vector<std::int64_t> left_out;  // messages, as it was told
  bool can_be_told = true;
  std::function<void()> release;  // of what is held back now
  std::vector<Target> tried;
  std::vector<chat::StreamEvent> events;
  std::string all;
  int heads = 0;
};

// Sends the events and notes them, as a backend does.
inline backend::Report play(backend::Sink& sink, const std::vector<chat::StreamEvent>& events) {
  backend::Report report;
  report.sent = true;
  for (const chat::StreamEvent& event : events) {
    backend::note(report, event);
    if (!std::holds_alternative<chat::Failed>(event)) {
      EXPECT_TRUE(sink.event(event));
    }
  }
  return report;
}

inline const chat::Usage kUsage{.input_tokens = 100, .output_tokens = 10};
inline const std::vector<chat::StreamEvent> kWhole{
    chat::Started{{.input_tokens = 100}, "m"}, chat::TextDelta{"answer"},
    chat::Finished{chat::StopReason::kEndTurn, "", kUsage, {}}};

struct Rig {
  Rig(Script local_script, Script claude_script)
      : local(std::move(local_script)), claude(std::move(claude_script)) {
    auto parsed = ledger::PriceBook::parse(kPrices, "test");
    EXPECT_TRUE(parsed) << parsed.error().message;
    if (parsed) prices = std::move(*parsed);
    request.model = "auto";
    request.max_tokens = 50;
    request.messages.push_back({chat::Role::kUser, {chat::TextBlock{"twelve bytes"}}});
    job.request_id = "req_1";
    job.dialect = "anthropic_messages";
    job.request = job.local_request = &request;
  }
  Deps deps(std::function<Places(const Target&)> places_for = {}) {
    return {.ledger = &ledger,
            .prices = &prices,
            .clock = &clock,
            .backend_for = [this](const Target& target) -> backend::Backend* {
              return target.place == Place::kClaude ? &claude : &local;
            },
            .places_for = std::move(places_for),
            .estimate_tokens =
                [](std::string_view text) { return static_cast<std::int64_t>(text.size()); },
            .counterfactual_model = "claude-x",
            .counterfactual =
                [](std::string_view task_class, const ledger::LocalAnswer& answer) {
                  return ledger::Counterfactual{1, 2, 3,
                                                "cf1 class=" + std::string(task_class) +
                                                    " model=" + std::string(answer.model) +
                                                    " why=" + std::string(answer.why)};
                }};
  }
  Outcome run_on(const Dispatcher& dispatcher, std::vector<Target> targets) {
    job.decision.targets = std::move(targets);
    job.decision.reasons = {"because"};
    return dispatcher.run(job, sink, never);
  }
  Outcome run(std::vector<Target> targets) {
    return run_on(Dispatcher(deps()), std::move(targets));
  }

  FakeClock clock;
  FakeLedger ledger;
  ledger::PriceBook prices;
  FakeBackend local, claude;
  FakeSink sink;
  net::CancelFlag never;
  chat::Request request;
  Job job;
};

inline Script plays(const std::vector<chat::StreamEvent>& events) {
  return [events](const backend::Call&, backend::Sink& sink) { return play(sink, events); };
}
inline Script refuses(Code code) {
  return [code](const backend::Call&, backend::Sink&) { return backend::refused({code, "no"}); };
}
inline const Target kLocal{Place::kLocal, "small"};
inline const Target kClaude{Place::kClaude, "claude-x"};

}  // namespace tophand::dispatch

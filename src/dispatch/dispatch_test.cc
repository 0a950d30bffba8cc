#include "dispatch/dispatch.h"

#include <gtest/gtest.h>

#include <functional>

#include "net/cancel.h"

namespace tophand::dispatch {
namespace {

using policy::Place;
using policy::Priority;
using policy::Target;

// $4 a million tokens in, $20 out (nano-dollars a token: 4000 and 20000).
constexpr const char* kPrices = R"({"date":"2026-01-01","models":[{"id":"claude-x","input":"4",
  "output":"20","cache_write_5m":"5","cache_write_1h":"8","cache_read":"0.40"}]})";

// A ledger that keeps what it is told, in order.
class FakeLedger final : public ledger::Ledger {
 public:
  Result<std::int64_t> begin(const ledger::AttemptStart& start) override {
    if (refuse) return fail(Code::kBudget, "the cap");
    starts.push_back(start);
    return static_cast<std::int64_t>(starts.size());
  }
  Result<> settle(std::int64_t row, const ledger::AttemptEnd& end) override {
    settled.emplace_back(row, end);
    return {};
  }
  Result<> release(std::int64_t row, const ledger::AttemptEnd& end) override {
    released.emplace_back(row, end);
    return {};
  }
  Result<ledger::Totals> totals(std::int64_t) override { return ledger::Totals{}; }
  Result<std::vector<ledger::Row>> rows(std::int64_t, std::int64_t) override {
    return std::vector<ledger::Row>{};
  }

  bool refuse = false;
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
  void trying(const Target& target, const std::vector<std::string>&) override {
    tried.push_back(target);
  }
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
  std::vector<Target> tried;
  std::vector<chat::StreamEvent> events;
  std::string all;
  int heads = 0;
};

// Sends the events and notes them, as a backend does.
backend::Report play(backend::Sink& sink, const std::vector<chat::StreamEvent>& events) {
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

const chat::Usage kUsage{.input_tokens = 100, .output_tokens = 10};
const std::vector<chat::StreamEvent> kWhole{
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
  Outcome run(std::vector<Target> targets) {
    job.decision.targets = std::move(targets);
    job.decision.reasons = {"because"};
    const Dispatcher dispatcher(
        {.ledger = &ledger,
         .prices = &prices,
         .clock = &clock,
         .backend_for = [this](const Target& target) -> backend::Backend* {
           return target.place == Place::kClaude ? &claude : &local;
         },
         .estimate_tokens =
             [](std::string_view text) { return static_cast<std::int64_t>(text.size()); },
         .counterfactual_model = "claude-x"});
    return dispatcher.run(job, sink, never);
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

Script plays(std::vector<chat::StreamEvent> events) {
  return [events](const backend::Call&, backend::Sink& sink) { return play(sink, events); };
}
Script refuses(Code code) {
  return [code](const backend::Call&, backend::Sink&) { return backend::refused({code, "no"}); };
}
const Target kLocal{Place::kLocal, "small"};
const Target kClaude{Place::kClaude, "claude-x"};

TEST(Dispatch, ALocalAnswerCostsNothingAndSaysWhatClaudeWouldHave) {
  Rig rig(plays(kWhole), refuses(Code::kBug));
  EXPECT_EQ(rig.run({kLocal}).report.end, backend::End::kFinished);
  ASSERT_EQ(rig.ledger.starts.size(), 1u);
  EXPECT_EQ(rig.ledger.starts[0].reserved, 0);
  ASSERT_EQ(rig.ledger.settled.size(), 1u);
  const auto& end = rig.ledger.settled[0].second;
  EXPECT_EQ(end.cost, 0);
  // The estimator above counts bytes: "twelve bytes\n" and "answer".
  EXPECT_EQ(end.counterfactual, 13 * 4000 + 6 * 20000);
  EXPECT_EQ(rig.claude.calls, 0);
}

TEST(Dispatch, ClaudeIsReservedForBeforeItIsAskedAndSettledFromItsUsage) {
  Rig rig(refuses(Code::kBug), {});
  rig.claude = FakeBackend([&](const backend::Call&, backend::Sink& sink) {
    EXPECT_EQ(rig.ledger.starts.size(), 1u);
    EXPECT_GE(rig.ledger.starts.at(0).reserved, 50 * 20000);
    return play(sink, kWhole);
  });
  EXPECT_EQ(rig.run({kClaude}).report.end, backend::End::kFinished);
  ASSERT_EQ(rig.ledger.settled.size(), 1u);
  EXPECT_EQ(rig.ledger.settled[0].second.cost, 100 * 4000 + 10 * 20000);
  EXPECT_EQ(rig.ledger.settled[0].second.counterfactual, 0);
}

TEST(Dispatch, WithoutAReservationNothingIsSent) {
  Rig rig(plays(kWhole), plays(kWhole));
  rig.ledger.refuse = true;
  const Outcome outcome = rig.run({kClaude});
  EXPECT_EQ(outcome.report.end, backend::End::kRefused);
  EXPECT_EQ(outcome.report.failure->error.code, Code::kBudget);
  EXPECT_EQ(rig.claude.calls, 0);
}

TEST(Dispatch, AModelWithoutAPriceIsNotAsked) {
  Rig rig(plays(kWhole), plays(kWhole));
  EXPECT_EQ(rig.run({{Place::kClaude, "claude-unpriced"}}).report.end, backend::End::kRefused);
  EXPECT_EQ(rig.claude.calls, 0);
  EXPECT_TRUE(rig.ledger.starts.empty());
}

TEST(Dispatch, ARefusalIsReleasedAndMovesOn) {
  Rig rig(plays(kWhole), refuses(Code::kExhausted));
  const Outcome outcome = rig.run({kClaude, kLocal});
  EXPECT_EQ(outcome.report.end, backend::End::kFinished);
  EXPECT_EQ(outcome.target, kLocal);
  EXPECT_EQ(outcome.reasons.back(), "claude could not answer (rate_limited)");
  EXPECT_EQ(rig.ledger.released.size(), 1u);
  ASSERT_EQ(rig.ledger.starts.size(), 2u);
  EXPECT_EQ(rig.ledger.starts[1].attempt, 2);
}

TEST(Dispatch, AFailureBeforeContentMovesOnUnseen) {
  Rig rig(plays(kWhole), plays({chat::Started{{.input_tokens = 100}, "m"},
                                chat::Failed{{Code::kUnavailable, "overloaded"}, ""}}));
  const Outcome outcome = rig.run({kClaude, kLocal});
  EXPECT_EQ(outcome.report.end, backend::End::kFinished);
  ASSERT_EQ(rig.sink.events.size(), kWhole.size());  // one Started, the local one's
  EXPECT_EQ(rig.local.calls, 1);
}

TEST(Dispatch, AFailureAfterContentNeverMovesOn) {
  Rig rig(plays(kWhole), plays({chat::Started{{.input_tokens = 100}, "m"}, chat::TextDelta{"half"},
                                chat::Failed{{Code::kUpstream, "cut"}, ""}}));
  const Outcome outcome = rig.run({kClaude, kLocal});
  EXPECT_EQ(outcome.report.end, backend::End::kFailed);
  EXPECT_EQ(rig.local.calls, 0);
  ASSERT_EQ(rig.ledger.settled.size(), 1u);
  EXPECT_EQ(rig.ledger.settled[0].second.outcome, ledger::AttemptEnd::Outcome::kPartial);
}

TEST(Dispatch, AWrongRequestIsNotTriedElsewhere) {
  Rig rig(plays(kWhole), refuses(Code::kInvalid));
  EXPECT_EQ(rig.run({kClaude, kLocal}).report.end, backend::End::kRefused);
  EXPECT_EQ(rig.local.calls, 0);
}

TEST(Dispatch, APromptTooLongForTheLocalModelIsTriedElsewhere) {
  Rig rig(refuses(Code::kPromptTooLong), plays(kWhole));
  const Outcome outcome = rig.run({kLocal, kClaude});
  EXPECT_EQ(outcome.report.end, backend::End::kFinished);
  EXPECT_EQ(outcome.target, kClaude);
  EXPECT_EQ(outcome.reasons.back(), "local could not answer (prompt_too_long)");
}

// A local model that breaks its tool call in both of its tries.
struct BreakingRig : Rig {
  explicit BreakingRig(Script claude_script)
      : Rig(plays({chat::Started{{.input_tokens = 100}, "m"}, chat::ToolUseStart{"t", "f"},
                   chat::ToolUseDelta{"{}"}, chat::BlockEnd{},
                   chat::Finished{chat::StopReason::kToolUse, "", kUsage, {}}}),
            std::move(claude_script)) {
    request.tools = {{"f", "", R"({"required":["a"]})"}};
  }
};

TEST(Dispatch, WhatALocalModelCannotDoIsHandedUpUnseen) {
  BreakingRig rig(plays(kWhole));
  rig.job.decision.escalation = kClaude;
  const Outcome outcome = rig.run({kLocal, {Place::kLocal, "small", "ws2"}});
  EXPECT_EQ(outcome.report.end, backend::End::kFinished);
  EXPECT_EQ(outcome.target, kClaude);
  EXPECT_EQ(rig.local.calls, 2);  // both of the first machine's tries; the other has the same model
  EXPECT_EQ(rig.sink.events.size(), kWhole.size());
  ASSERT_EQ(rig.ledger.settled.size(), 2u);
  const auto& first = rig.ledger.settled[0].second;
  EXPECT_EQ(first.outcome, ledger::AttemptEnd::Outcome::kFailed);
  EXPECT_EQ(first.tokens.output, 20);
  EXPECT_EQ(first.note,
            "asked twice: arguments against the schema, then arguments against the schema");
}

TEST(Dispatch, WithoutAnEscalationItFailsAndNothingIsPaid) {
  BreakingRig rig(plays(kWhole));
  EXPECT_EQ(rig.run({kLocal}).report.end, backend::End::kFailed);
  EXPECT_EQ(rig.claude.calls, 0);
}

TEST(Dispatch, AnEscalationIsNotForFailuresOfAnotherKind) {
  Rig rig(refuses(Code::kUnavailable), plays(kWhole));
  rig.job.decision.escalation = kClaude;
  EXPECT_EQ(rig.run({kLocal}).report.end, backend::End::kRefused);
  EXPECT_EQ(rig.claude.calls, 0);
}

// Claude does not say how long it took; Ollama's clients divide tokens by these times.
TEST(Dispatch, ABackendThatTellsNoTimesIsTimed) {
  Rig rig(refuses(Code::kBug), {});
  rig.claude = FakeBackend([&](const backend::Call&, backend::Sink& sink) {
    rig.clock.advance_ms(300);
    play(sink, {kWhole[0], kWhole[1]});
    rig.clock.advance_ms(200);
    return play(sink, {kWhole[2]});
  });
  rig.run({kClaude});
  const auto& timing = std::get<chat::Finished>(rig.sink.events.back()).timing;
  EXPECT_EQ(timing.prefill_ns, 300'000'000);
  EXPECT_EQ(timing.decode_ns, 200'000'000);
  EXPECT_EQ(timing.total_ns, 500'000'000);
}

TEST(Dispatch, AnAnswerThatComesAtOnceTookItsTimeToWrite) {
  Rig rig(refuses(Code::kBug), {});
  rig.claude = FakeBackend([&](const backend::Call&, backend::Sink& sink) {
    rig.clock.advance_ms(500);
    return play(sink, kWhole);
  });
  rig.run({kClaude});
  const auto& timing = std::get<chat::Finished>(rig.sink.events.back()).timing;
  EXPECT_EQ(timing.prefill_ns, 0);
  EXPECT_EQ(timing.decode_ns, 500'000'000);
  EXPECT_EQ(timing.total_ns, 500'000'000);
}

TEST(Dispatch, ABackendsOwnTimesAreKept) {
  auto events = kWhole;
  std::get<chat::Finished>(events[2]).timing = {
      .load_ns = 4, .prefill_ns = 1, .decode_ns = 2, .total_ns = 3};
  Rig rig(plays(events), refuses(Code::kBug));
  rig.run({kLocal});
  const auto& timing = std::get<chat::Finished>(rig.sink.events.back()).timing;
  EXPECT_EQ(timing.total_ns, 3);
  EXPECT_EQ(timing.prefill_ns, 1);
}

TEST(Dispatch, ADisconnectSettlesOnceBetweenWhatWasSeenAndWhatWasReserved) {
  Rig rig(refuses(Code::kBug), [](const backend::Call&, backend::Sink& sink) {
    backend::Report report = play(
        sink,
        {chat::Started{{.input_tokens = 100, .output_tokens = 1}, "m"}, chat::TextDelta{"abcde"}});
    backend::end_with(report, {Code::kCancelled, "gone"});
    return report;
  });
  rig.request.max_tokens = 4000;
  EXPECT_EQ(rig.run({kClaude}).report.end, backend::End::kCancelled);
  ASSERT_EQ(rig.ledger.settled.size(), 1u);
  EXPECT_TRUE(rig.ledger.released.empty());
  const auto& end = rig.ledger.settled[0].second;
  EXPECT_EQ(end.outcome, ledger::AttemptEnd::Outcome::kCancelled);
  EXPECT_GE(end.cost, 100 * 4000 + 5 * 20000);  // at most a token a byte was seen
  EXPECT_LE(end.cost, 100 * 4000 + (5 + 256) * 20000);
  EXPECT_LE(end.cost, rig.ledger.starts[0].reserved);
}

TEST(Dispatch, ADisconnectBeforeAnyUsageChargesTheInputsBound) {
  Rig rig(refuses(Code::kBug), [](const backend::Call&, backend::Sink&) {
    backend::Report report;
    report.sent = true;
    backend::end_with(report, {Code::kCancelled, "gone"});
    return report;
  });
  rig.run({kClaude});
  ASSERT_EQ(rig.ledger.settled.size(), 1u);
  EXPECT_GT(rig.ledger.settled[0].second.cost, 13 * 4000);
  EXPECT_LE(rig.ledger.settled[0].second.cost, rig.ledger.starts[0].reserved);
}

}  // namespace
}  // namespace tophand::dispatch

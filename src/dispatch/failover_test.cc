// What follows a failure: other backends, waiting, the breaker, hedges, and what is held back of a
// stream until it is known to be good.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <atomic>
#include <thread>

#include "dispatch/dispatch.h"
#include "dispatch/race.h"
#include "dispatch/retry_budget.h"
#include "dispatch/test_support.h"

namespace tophand::dispatch {
namespace {

const Target kOther{Place::kLocal, "small", "ws2"};

// A refusal with what the provider said about asking again.
Script refuses_until(int* left, const char* header, const char* value) {
  return [=](const backend::Call&, backend::Sink& sink) {
    if ((*left)-- <= 0) return play(sink, kWhole);
    backend::Report report = backend::refused({Code::kExhausted, "slow down"});
    report.status = 429;
    if (header != nullptr) report.kept.add(header, value);
    return report;
  };
}

// T5: what can go wrong before the first content byte. With another backend allowed the client
// never sees it; alone, it is told, in one attempt.
TEST(Failover, EveryFailureBeforeContentIsMadeGoodElsewhere) {
  struct Case {
    const char* what;
    Script script;
  };
  const auto breaks = [](Code code) {
    return [code](const backend::Call&, backend::Sink&) {
      backend::Report report;
      report.sent = true;
      backend::end_with(report, {code, "broken"});
      return report;
    };
  };
  const Case cases[] = {
      {"refused, unreachable, bad certificate", refuses(Code::kUnavailable)},
      {"reset after the request", breaks(Code::kIo)},
      {"timeout", breaks(Code::kDeadline)},
      {"409", refuses(Code::kConflict)},
      {"429", refuses(Code::kExhausted)},
      {"500, 502 with a page, 529", refuses(Code::kUpstream)},
      {"our key was refused", refuses(Code::kConfig)},
      {"an error event in a 200 stream",
       plays({chat::Started{{}, "m"}, chat::Failed{{Code::kUnavailable, "busy"}, ""}})},
      {"a stream that ends after its beginning", plays({chat::Started{{}, "m"}})},
      {"an empty answer",
       plays({chat::Started{{}, "m"}, chat::Finished{chat::StopReason::kEndTurn, "", {}, {}}})},
  };
  for (const Case& test : cases) {
    Rig rig(plays(kWhole), test.script);
    const Outcome outcome = rig.run({kClaude, kLocal});
    EXPECT_EQ(outcome.report.end, backend::End::kFinished) << test.what;
    EXPECT_EQ(outcome.target, kLocal) << test.what;
    EXPECT_EQ(outcome.attempts, 2) << test.what;
    ASSERT_EQ(rig.sink.events.size(), kWhole.size()) << test.what;
    EXPECT_EQ(rig.ledger.settled.size() + rig.ledger.released.size(), 2u) << test.what;

    Rig alone(refuses(Code::kBug), test.script);
    EXPECT_EQ(alone.run({kClaude}).attempts, 1) << test.what;
    EXPECT_EQ(alone.claude.calls, 1) << test.what;
  }
}

TEST(Failover, AnEmptyAnswerIsGivenWhenThereIsNoOther) {
  Rig rig(plays({chat::Started{{}, "m"}, chat::Finished{chat::StopReason::kEndTurn, "", {}, {}}}),
          refuses(Code::kBug));
  EXPECT_EQ(rig.run({kLocal}).report.end, backend::End::kFinished);
  EXPECT_EQ(rig.sink.events.size(), 2u);
  ASSERT_EQ(rig.ledger.settled.size(), 1u);
  EXPECT_EQ(rig.ledger.settled[0].second.counterfactual_ceiling, 0) << "it has saved nothing";
}

// Claude says nothing, in a few tokens, when a tool's result left nothing to say.
TEST(Failover, AnAnswerWithoutContentMayBeWhole) {
  Rig rig(plays(kWhole),
          plays({chat::Started{{}, "m"},
                 chat::Finished{chat::StopReason::kEndTurn, "", {.output_tokens = 3}, {}}}));
  EXPECT_EQ(rig.run({kClaude, kLocal}).target, kClaude);
  EXPECT_EQ(rig.local.calls, 0);
}

TEST(Failover, StopsAfterThreeAttempts) {
  Rig rig(refuses(Code::kUnavailable), plays(kWhole));
  const Outcome outcome = rig.run({kLocal, kOther, {Place::kLocal, "small", "ws3"}, kClaude});
  EXPECT_EQ(outcome.attempts, 3);
  EXPECT_EQ(rig.local.calls, 3);
  EXPECT_EQ(rig.claude.calls, 0);
}

TEST(Failover, NothingIsBegunAfterTheDeadline) {
  Rig rig(plays(kWhole), {});
  rig.claude = FakeBackend([&](const backend::Call&, backend::Sink&) {
    rig.clock.advance_ms(1'000'000);
    return backend::refused({Code::kUnavailable, "late"});
  });
  EXPECT_EQ(rig.run({kClaude, kLocal}).attempts, 1);
  EXPECT_EQ(rig.local.calls, 0);
}

TEST(Failover, AShortRetryAfterIsWaitedForOnTheSameBackend) {
  int refusals = 1;
  Rig rig(refuses(Code::kBug), refuses_until(&refusals, "retry-after-ms", "1"));
  const Outcome outcome = rig.run({kClaude});
  EXPECT_EQ(outcome.report.end, backend::End::kFinished);
  EXPECT_EQ(outcome.attempts, 2);
  EXPECT_EQ(rig.ledger.starts.at(1).attempt, 2);
}

// Its own failure opened the breaker: after the wait nobody would be asked.
TEST(Failover, ARetryAfterThatTheBreakerOutlastsIsNotWaitedFor) {
  int refusals = 0;
  bool says_when = false;
  Rig rig(refuses(Code::kBug), [&](const backend::Call&, backend::Sink&) {
    ++refusals;
    backend::Report report = backend::refused({Code::kUnavailable, "overloaded"});
    if (says_when) report.kept.add("retry-after-ms", "900");
    return report;
  });
  Dispatcher dispatcher(rig.deps());
  for (int i = 0; i < 4; ++i) rig.run_on(dispatcher, {kClaude});
  says_when = true;
  const std::int64_t begun_ns = system_clock().mono_ns();
  EXPECT_EQ(rig.run_on(dispatcher, {kClaude}).attempts, 1);
  EXPECT_LT(system_clock().mono_ns() - begun_ns, 800'000'000);
  EXPECT_EQ(refusals, 5);
}

// A whole answer: its client has had nothing of what broke off.
TEST(Failover, AFreeAnswerThatNobodyHasSeenIsBegunAnewElsewhere) {
  const auto breaks_off = plays({chat::Started{{}, "m"}, chat::TextDelta{"ans"},
                                 chat::Failed{{Code::kUpstream, "broke off"}, ""}});
  for (const bool gathers : {false, true}) {
    Rig rig(breaks_off, plays(kWhole));
    rig.sink.gathers_all = gathers;
    const Outcome outcome = rig.run({kLocal, kClaude});
    EXPECT_EQ(outcome.attempts, gathers ? 2 : 1);
    EXPECT_EQ(outcome.report.end, gathers ? backend::End::kFinished : backend::End::kFailed);
  }
}

// It has been paid for.
TEST(Failover, ClaudesAnswerThatBreaksOffIsNotBegunAnew) {
  Rig rig(plays(kWhole), plays({chat::Started{{}, "m"}, chat::TextDelta{"ans"},
                                chat::Failed{{Code::kUpstream, "broke off"}, ""}}));
  rig.sink.gathers_all = true;
  EXPECT_EQ(rig.run({kClaude, kLocal}).attempts, 1);
}

// A client that is there while the server stops.
class Stopping final : public net::Cancellation {
 public:
  bool cancelled() const override { return stops; }
  bool stopping() const override { return stops; }
  Signs signs() const override { return {}; }
  std::atomic<bool> stops = false;
};

TEST(Failover, WhoseAnswerTheEndOfTheGatewayCutsShortIsToldSo) {
  Stopping client;
  Rig rig(plays(kWhole), [&](const backend::Call&, backend::Sink&) {
    client.stops = true;
    backend::Report report;
    backend::end_with(report, {Code::kCancelled, "cancelled"});
    return report;
  });
  rig.job.decision.targets = {kClaude, kLocal};
  const Outcome outcome = Dispatcher(rig.deps()).run(rig.job, rig.sink, client);
  EXPECT_EQ(outcome.attempts, 1);
  EXPECT_EQ(outcome.report.end, backend::End::kFailed);
  ASSERT_TRUE(outcome.report.failure);
  EXPECT_EQ(outcome.report.failure->error.code, Code::kUnavailable);
  EXPECT_EQ(outcome.report.failure->error.message, gateway_stops().message);
}

// 0 in the row says that none came.
TEST(Failover, ContentWithinTheFirstMillisecondIsNoted) {
  Rig rig(plays(kWhole), refuses(Code::kBug));
  rig.run({kLocal});
  ASSERT_EQ(rig.ledger.settled.size(), 1u);
  EXPECT_EQ(rig.ledger.settled[0].second.ttft_ms, 1);
}

TEST(Failover, WhatCannotBeWaitedForIsPassedOn) {
  for (const auto& [header, value] : {std::pair<const char*, const char*>{"retry-after", "60"},
                                      {"retry-after", "-1"},
                                      {nullptr, nullptr}}) {
    int refusals = 9;
    Rig rig(refuses(Code::kBug), refuses_until(&refusals, header, value));
    const Outcome outcome = rig.run({kClaude});
    EXPECT_EQ(outcome.attempts, 1);
    EXPECT_EQ(outcome.report.status, 429);
    EXPECT_EQ(outcome.report.kept.get("retry-after"), header != nullptr ? value : "");
  }
}

TEST(Failover, ASpendingCapIsNeverAskedAgainAndTheClientIsToldSo) {
  Rig rig(refuses(Code::kBug), [](const backend::Call&, backend::Sink&) {
    backend::Report report = backend::refused({Code::kExhausted, "cap"});
    report.status = 429;
    report.raw_error = R"({"error":{"error_code":"enforced_spend_limit_reached"}})";
    report.kept.add("retry-after", "1");
    return report;
  });
  const Outcome outcome = rig.run({kClaude});
  EXPECT_EQ(rig.claude.calls, 1);
  EXPECT_EQ(outcome.report.kept.get("x-should-retry"), "false");
}

TEST(Failover, ABackendThatKeepsFailingIsPassedOverUntilAProbeFindsItWell) {
  bool broken = true;
  Rig rig(plays(kWhole), {});
  rig.claude = FakeBackend([&](const backend::Call&, backend::Sink& sink) {
    return broken ? backend::refused({Code::kUnavailable, "down"}) : play(sink, kWhole);
  });
  Dispatcher dispatcher(rig.deps());
  for (int i = 0; i < 20; ++i) rig.run_on(dispatcher, {kClaude, kLocal});
  EXPECT_EQ(rig.claude.calls, 5);  // then it is left alone
  EXPECT_EQ(rig.local.calls, 20);
  rig.clock.advance_ms(1000);
  rig.run_on(dispatcher, {kClaude, kLocal});  // the probe
  EXPECT_EQ(rig.claude.calls, 6);
  broken = false;
  rig.clock.advance_ms(2000);
  EXPECT_EQ(rig.run_on(dispatcher, {kClaude, kLocal}).target, kClaude);
  EXPECT_EQ(rig.run_on(dispatcher, {kClaude, kLocal}).target, kClaude);
}

// The last one that is allowed is asked all the same, once a request: in a total outage there are
// as many attempts as requests.
TEST(Failover, TheOnlyBackendIsAskedEvenWhenItKeepsFailing) {
  Rig rig(refuses(Code::kUnavailable), refuses(Code::kUnavailable));
  Dispatcher dispatcher(rig.deps());
  for (int i = 0; i < 100; ++i) rig.run_on(dispatcher, {kClaude, kLocal});
  EXPECT_LE(rig.claude.calls + rig.local.calls, 110);
  EXPECT_GE(rig.claude.calls + rig.local.calls, 100);
}

TEST(Failover, AFullBackendIsPassedOver) {
  Rig rig({}, plays(kWhole));
  Dispatcher dispatcher(rig.deps([](const Target& target) {
    return target.place == Place::kLocal ? Places{1, 1} : Places{};
  }));
  FakeSink inner_sink;
  Outcome inner;
  rig.local = FakeBackend([&](const backend::Call&, backend::Sink& sink) {
    Job job = rig.job;  // a second request, while this one runs
    job.decision.targets = {kLocal, kClaude};
    inner = dispatcher.run(job, inner_sink, rig.never);
    return play(sink, kWhole);
  });
  EXPECT_EQ(rig.run_on(dispatcher, {kLocal}).report.end, backend::End::kFinished);
  EXPECT_EQ(inner.target, kClaude);
  EXPECT_EQ(inner.reasons.back(), "local is busy, passed over");
}

TEST(Failover, AFullBackendWithoutNeighboursRefusesWhenTooManyWait) {
  Rig rig({}, plays(kWhole));
  Dispatcher dispatcher(rig.deps([](const Target&) { return Places{1, 0}; }));
  FakeSink inner_sink;
  Outcome inner;
  rig.local = FakeBackend([&](const backend::Call&, backend::Sink& sink) {
    inner = dispatcher.run(rig.job, inner_sink, rig.never);
    return play(sink, kWhole);
  });
  rig.run_on(dispatcher, {kLocal});
  EXPECT_EQ(inner.report.failure->error.code, Code::kExhausted);
  EXPECT_EQ(inner.attempts, 0);
}

// --- hedging -------------------------------------------------------------------------------------

// Says nothing until it is told to stop.
class SilentBackend final : public backend::Backend {
 public:
  backend::Report answer(const backend::Call&, backend::Sink&,
                         const net::Cancellation& stop) override {
    while (!stop.cancelled()) std::this_thread::yield();
    backend::Report report;
    backend::end_with(report, {Code::kCancelled, "stopped"});
    return report;
  }
  Result<std::int64_t> count(const backend::Call&, const net::Cancellation&) override { return 1; }
};

TEST(Hedge, ASilentLocalBackendGetsARivalAndOneOfThemAnswers) {
  Rig rig(plays(kWhole), refuses(Code::kBug));
  SilentBackend silent;
  Deps deps = rig.deps();
  deps.hedge_ms = 1;
  deps.backend_for = [&](const Target& target) -> backend::Backend* {
    if (target == kLocal) return &silent;
    return target == kOther ? static_cast<backend::Backend*>(&rig.local) : &rig.claude;
  };
  const Outcome outcome = rig.run_on(Dispatcher(deps), {kLocal, kOther});
  EXPECT_EQ(outcome.report.end, backend::End::kFinished);
  EXPECT_EQ(outcome.target, kOther);
  EXPECT_EQ(outcome.attempts, 2);
  EXPECT_EQ(rig.sink.events.size(), kWhole.size());
  EXPECT_EQ(rig.sink.tried.back(), kOther);
  ASSERT_EQ(rig.ledger.settled.size(), 2u);
  EXPECT_EQ(rig.ledger.settled[0].second.outcome == ledger::AttemptEnd::Outcome::kDone,
            rig.ledger.settled[0].first == 2)
      << "the stopped one is the first row, whichever ended first";
}

TEST(Hedge, TheClientIsNotToldOfAnAttemptThatBeginsWhenTheOtherHasWon) {
  FakeSink client;
  net::CancelFlag nobody;
  Stop first(nobody, system_clock(), INT64_MAX, Stop::Fire::kMay);
  Stop second(nobody, system_clock(), INT64_MAX, Stop::Fire::kMay);
  Race race(client, {&first, &second}, [] {});
  race.lane(1).trying({.target = kOther, .reasons = {}, .number = 2});
  ASSERT_TRUE(race.lane(1).event(chat::TextDelta{"x"}));
  race.lane(0).trying({.target = kLocal, .reasons = {}, .number = 1});
  EXPECT_EQ(client.tried, std::vector<Target>{kOther});
}

TEST(Hedge, AQuickBackendHasNoRivalAndAFailedOneIsReplacedAsEver) {
  for (const bool fails : {false, true}) {
    Rig rig(fails ? refuses(Code::kUnavailable) : plays(kWhole), plays(kWhole));
    Deps deps = rig.deps();
    deps.hedge_ms = 60'000;
    const Outcome outcome = rig.run_on(Dispatcher(deps), {kLocal, kClaude});
    EXPECT_EQ(outcome.target, fails ? kClaude : kLocal);
    EXPECT_EQ(outcome.attempts, fails ? 2 : 1);
  }
}

TEST(Hedge, IsAFewPercentOfAllRequests) {
  HedgeBudget budget;
  int granted = 0;
  for (int i = 0; i < 1000; ++i) {
    budget.request();
    granted += budget.take() ? 1 : 0;
  }
  EXPECT_GE(granted, 45);
  EXPECT_LE(granted, 51);
}

// --- the preamble --------------------------------------------------------------------------------

TEST(Preamble, IsHeldBackUntilThereIsContent) {
  Rig rig(refuses(Code::kBug), {});
  std::size_t before = 99;
  rig.claude = FakeBackend([&](const backend::Call&, backend::Sink& sink) {
    play(sink, {kWhole[0]});
    before = rig.sink.events.size();
    return play(sink, {kWhole[1], kWhole[2]});
  });
  rig.run({kClaude});
  EXPECT_EQ(before, 0u);
  EXPECT_EQ(rig.sink.events.size(), 3u);
}

// Bytes of the provider's own that were given out bind the answer to it; a preamble that is written
// here does not.
TEST(Preamble, GivenOutAfterASecondBindsOnlyTheProvidersOwnBytes) {
  for (const bool raw : {true, false}) {
    Rig rig(plays(kWhole), {});
    rig.claude = FakeBackend([&](const backend::Call&, backend::Sink& sink) {
      backend::Report report;
      if (raw) {
        static_cast<void>(sink.head(200, {}, "text/event-stream"));
        static_cast<void>(sink.raw("event: message_start\n\n", {kWhole[0]}));
      } else {
        static_cast<void>(sink.event(kWhole[0]));
      }
      EXPECT_TRUE(rig.sink.release);
      if (rig.sink.release) rig.sink.release();  // a second has passed
      backend::end_with(report, {Code::kUpstream, "cut"});
      return report;
    });
    const Outcome outcome = rig.run({kClaude, kLocal});
    EXPECT_EQ(rig.local.calls, raw ? 0 : 1);
    EXPECT_EQ(rig.sink.heads, raw ? 1 : 0);
    EXPECT_FALSE(rig.sink.release) << "nothing is held any more";
  }
}

// A request that local was to answer, with two tiers of Claude above it.
struct WayUpRig : Rig {
  WayUpRig() : Rig(refuses(Code::kUnavailable), plays(kWhole)) {
    job.decision.escalation = kHard;
    job.decision.cheaper = {kLow};
    job.decision.ways_up = {{policy::Tier::kHard, 1.0, 0.95}, {policy::Tier::kSmall, 0.025, 0.7}};
  }
  // `lambda` is that of the moment at which local has failed; before, nothing pressed.
  Outcome run_at(double lambda, bool reserve_only = false) {
    Deps with_budget = deps();
    with_budget.budget = [=, this] {
      EXPECT_GT(local.calls, 0) << "it is asked when local has failed, not before";
      return policy::BudgetState{.has_cap = true,
                                 .lambda = lambda,
                                 .reserve_only = reserve_only,
                                 .mean_cost_usd = 1,
                                 .window = "week"};
    };
    return run_on(Dispatcher(with_budget), {kLocal, kHard});
  }
  const Target kHard{Place::kClaude, "claude-x", "", policy::Tier::kHard};
  const Target kLow{Place::kClaude, "claude-small", "", policy::Tier::kSmall};
};

TEST(WayUp, IsThatOfTheBudgetAtTheMomentLocalHasFailed) {
  WayUpRig pressed;
  const Outcome outcome = pressed.run_at(2);
  EXPECT_EQ(outcome.report.end, backend::End::kFinished);
  EXPECT_EQ(outcome.target, pressed.kLow);
  EXPECT_THAT(outcome.reasons, testing::Contains("budget: lambda 2.00, hard -> small"));
  ASSERT_EQ(pressed.ledger.starts.size(), 2U);
  EXPECT_EQ(pressed.ledger.starts[1].model, "claude-small");
}

TEST(WayUp, ControlTheTierThatWasDecidedStandsWhenNothingPresses) {
  WayUpRig easy;
  EXPECT_EQ(easy.run_at(0).target, easy.kHard);
  WayUpRig unpaced;
  EXPECT_EQ(unpaced.run({kLocal, unpaced.kHard}).target, unpaced.kHard);
}

TEST(WayUp, IsNotTakenFromWhatIsKeptForHighPriority) {
  WayUpRig rig;
  const Outcome outcome = rig.run_at(0.1, true);
  EXPECT_EQ(rig.claude.calls, 0);
  ASSERT_TRUE(outcome.report.failure);
  EXPECT_EQ(outcome.report.failure->error.code, Code::kUnavailable) << "what local said";
  EXPECT_THAT(outcome.reasons,
              testing::Contains("budget: the rest of the week is kept for high priority"));
}

TEST(WayUp, OfWhatLocalWasNotAbleToDoIsPricedToo) {
  WayUpRig rig;
  rig.local = FakeBackend([](const backend::Call&, backend::Sink&) {
    backend::Report report = backend::refused({Code::kUpstream, "a broken tool call"});
    report.unable = true;
    return report;
  });
  EXPECT_EQ(rig.run_at(2).target, rig.kLow);
}

}  // namespace
}  // namespace tophand::dispatch

#include "dispatch/dispatch.h"

#include <gtest/gtest.h>

#include "dispatch/test_support.h"

namespace tophand::dispatch {
namespace {

TEST(Dispatch, ALocalAnswerCostsNothingAndSaysWhatClaudeWouldHave) {
  Rig rig(plays(kWhole), refuses(Code::kBug));
  EXPECT_EQ(rig.run({kLocal}).report.end, backend::End::kFinished);
  ASSERT_EQ(rig.ledger.starts.size(), 1u);
  EXPECT_EQ(rig.ledger.starts[0].reserved, 0);
  ASSERT_EQ(rig.ledger.settled.size(), 1u);
  const auto& end = rig.ledger.settled[0].second;
  EXPECT_EQ(end.cost, 0);
  EXPECT_EQ(end.counterfactual_floor, 1);
  EXPECT_EQ(end.counterfactual, 2);
  EXPECT_EQ(end.counterfactual_ceiling, 3);
  EXPECT_EQ(end.counterfactual_basis, "cf1 class= model=claude-x why=configured");
  EXPECT_GT(end.estimated_tokens, 0);
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

TEST(Dispatch, WhatNobodyWaitsForIsDoneWhileTheBackendWorksAndOnce) {
  FakeSink* sink = nullptr;
  Rig rig(refuses(Code::kBug), {});
  rig.claude = FakeBackend([&](const backend::Call& call, backend::Sink& to) {
    call.meanwhile();
    call.meanwhile();  // the request went out twice
    sink = &rig.sink;
    EXPECT_EQ(rig.sink.asked_times, 1);
    return play(to, kWhole);
  });
  EXPECT_EQ(rig.run({kClaude}).report.end, backend::End::kFinished);
  ASSERT_NE(sink, nullptr);
  EXPECT_EQ(rig.sink.asked_times, 1);
  EXPECT_GT(rig.ledger.settled.at(0).second.estimated_tokens, 0);
}

TEST(Dispatch, ABackendThatTakesNoOtherWorkIsFollowedByIt) {
  Rig rig(plays(kWhole), refuses(Code::kBug));
  EXPECT_EQ(rig.run({kLocal}).report.end, backend::End::kFinished);
  EXPECT_EQ(rig.sink.asked_times, 1);
}

TEST(Dispatch, WithoutAReservationNothingIsSent) {
  Rig rig(plays(kWhole), plays(kWhole));
  rig.ledger.refuse = true;
  const Outcome outcome = rig.run({kClaude});
  EXPECT_EQ(outcome.report.end, backend::End::kRefused);
  EXPECT_EQ(outcome.report.failure->error.code, Code::kBudget);
  EXPECT_EQ(rig.claude.calls, 0);
  EXPECT_FALSE(outcome.last_was_asked);
}

TEST(Dispatch, SaysWhetherARowTellsHowItEnded) {
  Rig answered(plays(kWhole), plays(kWhole));
  EXPECT_TRUE(answered.run({kLocal}).last_was_asked);
  Rig failed(refuses(Code::kUnavailable), plays(kWhole));
  EXPECT_TRUE(failed.run({kLocal}).last_was_asked) << "its row has the error";
  Rig no_room(refuses(Code::kUnavailable), plays(kWhole));
  no_room.ledger.room = 0;
  const Outcome outcome = no_room.run({kLocal, kClaude});
  EXPECT_EQ(outcome.attempts, 1);
  EXPECT_EQ(outcome.target, kClaude);
  EXPECT_FALSE(outcome.last_was_asked) << "the row of the local attempt says nothing of the budget";
  Rig nothing(plays(kWhole), plays(kWhole));
  nothing.job.decision.local_only = true;
  EXPECT_FALSE(nothing.run({kClaude}).last_was_asked);
}

TEST(Dispatch, WhatHasNoRoomInTheBudgetGoesToTheNextCheaperTier) {
  const Target hard{Place::kClaude, "claude-x", "", policy::Tier::kHard};
  const Target standard{Place::kClaude, "claude-x", "", policy::Tier::kDefault};
  const Target small{Place::kClaude, "claude-small", "", policy::Tier::kSmall};
  Rig rig(plays(kWhole), plays(kWhole));
  rig.job.decision.cheaper = {standard, small};
  rig.ledger.room = 3'000'000;  // enough for a quarter of the price
  const Outcome outcome = rig.run({hard});
  EXPECT_EQ(outcome.report.end, backend::End::kFinished);
  EXPECT_EQ(outcome.target, small);
  EXPECT_EQ(outcome.attempts, 1);  // what was refused was never an attempt
  EXPECT_EQ(outcome.reasons.back(), "budget: no room for claude-x, so claude-small");
  ASSERT_EQ(rig.ledger.starts.size(), 1u);
  EXPECT_EQ(rig.ledger.starts[0].model, "claude-small");
  rig.ledger.refuse = true;
  EXPECT_EQ(rig.run({hard}).report.failure->error.code, Code::kBudget);
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

const Target kOther{Place::kLocal, "small", "ws2"};

TEST(Dispatch, TheRowOfAFreeAnswerIsClosedWhenTheClientHasItWhereTheCallerSeesToThat) {
  Rig rig(plays(kWhole), refuses(Code::kBug));
  const Dispatcher dispatcher(rig.deps());
  rig.job.books_can_wait = true;
  const Outcome outcome = rig.run_on(dispatcher, {kOther});
  EXPECT_EQ(outcome.report.end, backend::End::kFinished);
  EXPECT_TRUE(rig.ledger.settled.empty());
  ASSERT_TRUE(outcome.afterwards);
  rig.clock.advance_ms(5000);  // the client reads slowly
  outcome.afterwards();
  ASSERT_EQ(rig.ledger.settled.size(), 1u);
  EXPECT_EQ(rig.ledger.settled[0].second.outcome, ledger::AttemptEnd::Outcome::kDone);
  EXPECT_LT(rig.ledger.settled[0].second.duration_ms, 5000);
}

// A backend that has time calls `meanwhile`; one that answers at once does not.
TEST(Dispatch, WhatNobodyWaitsForComesAfterAnAnswerThatWasThereAtOnce) {
  for (const bool at_once : {true, false}) {
    Rig rig(
        [&](const backend::Call& call, backend::Sink& sink) {
          if (!at_once) call.meanwhile();
          return play(sink, kWhole);
        },
        refuses(Code::kBug));
    const Dispatcher dispatcher(rig.deps());
    rig.job.books_can_wait = true;
    const Outcome outcome = rig.run_on(dispatcher, {kOther});
    EXPECT_EQ(rig.sink.asked_times, at_once ? 0 : 1);
    EXPECT_EQ(rig.ledger.starts.size(), at_once ? 0u : 1u);
    ASSERT_TRUE(outcome.afterwards);
    outcome.afterwards();
    EXPECT_EQ(rig.sink.asked_times, 1);
    EXPECT_EQ(rig.ledger.starts.size(), 1u);
    EXPECT_EQ(rig.ledger.settled.size(), 1u);
  }
}

TEST(Dispatch, NothingWaitsOfWhatMayCostMoneyOrDidNotEndWell) {
  Rig paid(refuses(Code::kBug), plays(kWhole));
  const Dispatcher dispatcher(paid.deps());
  paid.job.books_can_wait = true;
  EXPECT_FALSE(paid.run_on(dispatcher, {kClaude}).afterwards);
  EXPECT_EQ(paid.ledger.settled.size(), 1u);
  Rig failed(refuses(Code::kUnavailable), plays(kWhole));
  const Dispatcher another(failed.deps());
  failed.job.books_can_wait = true;
  EXPECT_FALSE(failed.run_on(another, {kOther, kClaude}).afterwards);
  EXPECT_EQ(failed.ledger.settled.size(), 2u);
}

// What is kept of an answer for the account has to end some time, whatever the backend does.
TEST(Dispatch, AnAnswerThatNeverEndsIsEnded) {
  int pieces = 0;
  Rig rig(plays(kWhole), [&](const backend::Call&, backend::Sink& sink) {
    backend::Report report;
    const std::vector<chat::StreamEvent> piece{chat::TextDelta{std::string(1u << 20, 'x')}};
    static_cast<void>(sink.head(200, {}, "text/event-stream"));
    for (; pieces < 1000; ++pieces)
      if (auto put = sink.raw("x", piece); !put) {
        backend::end_with(report, put.error());
        break;
      }
    return report;
  });
  const Outcome outcome = rig.run({kClaude, kLocal});
  EXPECT_EQ(pieces, 64);
  EXPECT_EQ(outcome.report.end, backend::End::kFailed);
  EXPECT_EQ(outcome.report.failure->error.message, "the answer is over 67108864 bytes");
  EXPECT_EQ(rig.local.calls, 0);
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

// It would pass any cap otherwise.
TEST(Dispatch, AnAnswerWhoseUsageWasNotSaidIsChargedOnTheSafeSide) {
  const std::string text(1000, 'a');
  for (const chat::Finished& end :
       {chat::Finished{.usage = {.input_tokens = 100, .output_tokens = 1}, .usage_said = false},
        chat::Finished{.usage = {.input_tokens = 100}}}) {  // 0 tokens for text say nothing either
    Rig rig(refuses(Code::kBug),
            plays({chat::Started{{.input_tokens = 100}, "m"}, chat::TextDelta{text}, end}));
    rig.request.max_tokens = 4000;
    EXPECT_EQ(rig.run({kClaude}).report.end, backend::End::kFinished);
    ASSERT_EQ(rig.ledger.settled.size(), 1u);
    const auto& charged = rig.ledger.settled[0].second;
    EXPECT_FALSE(charged.cost_is_exact);
    EXPECT_GE(charged.cost, 100 * 4000 + 1000 * 20000);
    EXPECT_LE(charged.cost, rig.ledger.starts[0].reserved);
  }
}

TEST(Dispatch, WithoutAWordOfTheInputItsBoundIsCharged) {
  Rig rig(refuses(Code::kBug), plays({chat::Started{{}, "m"}, chat::TextDelta{"a"},
                                      chat::Finished{.usage_said = false}}));
  rig.run({kClaude});
  ASSERT_EQ(rig.ledger.settled.size(), 1u);
  EXPECT_GT(rig.ledger.settled[0].second.cost, 13 * 4000);
  EXPECT_LE(rig.ledger.settled[0].second.cost, rig.ledger.starts[0].reserved);
}

TEST(Dispatch, WhatClaudesContextDoesNotHoldIsNotTriedOnASmallerOne) {
  Rig rig(plays(kWhole), refuses(Code::kPromptTooLong));
  const Outcome outcome = rig.run({kClaude, kLocal});
  ASSERT_TRUE(outcome.report.failure);
  EXPECT_EQ(outcome.report.failure->error.code, Code::kPromptTooLong);
  EXPECT_EQ(rig.local.calls, 0);
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

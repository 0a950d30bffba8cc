#include "dispatch/comparisons.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <atomic>
#include <map>
#include <string>
#include <thread>
#include <vector>

#include "dispatch/judge.h"
#include "dispatch/test_support.h"

namespace tophand::dispatch {
namespace {

// --- the judge -----------------------------------------------------------------------------------

TEST(Judge, ReadsTheLastLineAndNothingElse) {
  const auto both = read_verdict("A=yes B=no");
  ASSERT_TRUE(both);
  EXPECT_TRUE(both->first_is_good);
  EXPECT_FALSE(both->second_is_good);
  EXPECT_TRUE(read_verdict("I think so.\n\nA=No B=Yes\n"));
  for (const char* reply :
       {"", "yes", "A=yes", "A=yes B=maybe", "A=yes B=no, because", "B=no A=yes"})
    EXPECT_FALSE(read_verdict(reply)) << reply;
}

TEST(Judge, FencesWhatItIsGiven) {
  const chat::Request request =
      judge_request({.task = "task", .first = "one", .second = "=== x ends", .fence = "=== 1234"});
  const auto& text = std::get<chat::TextBlock>(request.messages.at(1).blocks.at(0)).text;
  EXPECT_NE(text.find("=== 1234 A begins\none\n=== 1234 A ends\n"), std::string::npos);
  EXPECT_NE(text.find("=== 1234 B begins\n=== x ends\n=== 1234 B ends\n"), std::string::npos);
}

// --- comparisons ---------------------------------------------------------------------------------

// A Claude that also judges: it says of each text in `good` that it may be used.
class ComparisonsTest : public testing::Test {
 protected:
  ComparisonsTest() { rig_.job.decision.local_only = false; }
  backend::Report claude(const backend::Call& call, backend::Sink& sink) {
    const std::string prompt = prompt_text(*call.request);
    if (prompt.find(" begins") == std::string::npos) return say(sink, "from claude");
    const auto part = [&](const char* name) {
      const std::size_t at = prompt.find(std::string(name) + " begins\n");
      const std::size_t end = prompt.find(std::string(" ") + name + " ends");
      return prompt.substr(at, end - at);
    };
    const auto is_good = [&](const std::string& text) {
      return text.find("from local") == std::string::npos || local_is_good_;
    };
    first_was_local_.push_back(part("A").find("from local") != std::string::npos);
    if (favours_first_) return say(sink, "A=yes B=no");
    return say(sink, std::string("A=") + (is_good(part("A")) ? "yes" : "no") +
                         " B=" + (is_good(part("B")) ? "yes" : "no"));
  }
  static backend::Report say(backend::Sink& sink, const std::string& text) {
    backend::Report report =
        play(sink, {chat::Started{{.input_tokens = 100}, "m"}, chat::TextDelta{text},
                    chat::Finished{chat::StopReason::kEndTurn, "", kUsage, {}}});
    report.usage_known = report.usage_final = true;
    return report;
  }
  Deps deps(ledger::NanoUsd week_max = 1'000'000'000) {
    Deps out = rig_.deps([](const Target&) { return Places{.running_max = 1, .waiting_max = 5}; });
    out.audit = Audit{.model = "claude-x", .week_max = week_max};
    out.judged = [this](const Judgement& found) { judgements_.push_back(found); };
    return out;
  }
  void run(const Dispatcher& dispatcher, std::vector<Target> targets) {
    const Outcome outcome = rig_.run_on(dispatcher, std::move(targets));
    ASSERT_EQ(outcome.report.end, backend::End::kFinished);
    dispatcher.compare(rig_.job, outcome);
    dispatcher.wait_for_comparisons();
  }
  std::vector<std::string> purposes() {
    std::vector<std::string> out;
    for (const auto& start : rig_.ledger.starts)
      out.push_back(start.purpose + " by " + start.backend + ", attempt " +
                    std::to_string(start.attempt));
    return out;
  }

  bool local_is_good_ = true, favours_first_ = false;
  std::vector<bool> first_was_local_;
  std::vector<Judgement> judgements_;
  Rig rig_{[](const backend::Call&, backend::Sink& sink) { return say(sink, "from local"); },
           [this](const backend::Call& call, backend::Sink& sink) { return claude(call, sink); }};
};

TEST_F(ComparisonsTest, RunLocalBesideClaudeAndJudgeBothInBothOrders) {
  rig_.job.decision.beside = kLocal;
  const Dispatcher dispatcher(deps());
  run(dispatcher, {kClaude});
  EXPECT_EQ(purposes(), (std::vector<std::string>{
                            "answer by claude, attempt 1", "shadow by local, attempt 11",
                            "judge by claude, attempt 13", "judge by claude, attempt 14"}));
  EXPECT_EQ(first_was_local_, (std::vector<bool>{true, false}));
  ASSERT_EQ(judgements_.size(), 2U);
  EXPECT_TRUE(judgements_[0].good);
  EXPECT_EQ(judgements_[0].attempt, 11);
  EXPECT_TRUE(judgements_[1].good);
  EXPECT_EQ(judgements_[1].attempt, 1);    // Claude's
  EXPECT_EQ(rig_.sink.events.size(), 3U);  // the client got Claude's answer and nothing more
}

TEST_F(ComparisonsTest, AskClaudeWhereLocalAnsweredAndWasDrawn) {
  rig_.job.decision.arm = "canary";
  local_is_good_ = false;
  const Dispatcher dispatcher(deps());
  run(dispatcher, {kLocal});
  EXPECT_EQ(purposes(), (std::vector<std::string>{
                            "answer by local, attempt 1", "shadow by claude, attempt 12",
                            "judge by claude, attempt 13", "judge by claude, attempt 14"}));
  ASSERT_EQ(judgements_.size(), 2U);
  EXPECT_FALSE(judgements_[0].good);
  EXPECT_EQ(judgements_[0].attempt, 1);
  EXPECT_TRUE(judgements_[1].good);
  EXPECT_EQ(judgements_[1].attempt, 12);  // Claude's, that was asked for to compare
  for (const auto& start : rig_.ledger.starts)
    EXPECT_EQ(start.reserved > 0, start.backend == "claude");  // in the same account
}

TEST_F(ComparisonsTest, SayNothingOfAJudgeThatFavoursAPlace) {
  rig_.job.decision.beside = kLocal;
  favours_first_ = true;
  const Dispatcher dispatcher(deps());
  run(dispatcher, {kClaude});
  EXPECT_TRUE(judgements_.empty());
}

TEST_F(ComparisonsTest, NeverLetOutWhatMustStay) {
  rig_.job.decision.arm = "audit";
  rig_.job.decision.local_only = true;
  const Dispatcher dispatcher(deps());
  run(dispatcher, {kLocal});
  EXPECT_EQ(rig_.claude.calls, 0);
}

TEST_F(ComparisonsTest, EndWithTheirBudget) {
  rig_.job.decision.arm = "audit";
  const Dispatcher dispatcher(deps(1));  // a nano-dollar
  run(dispatcher, {kLocal});
  EXPECT_EQ(rig_.claude.calls, 0);
  EXPECT_TRUE(judgements_.empty());
}

TEST_F(ComparisonsTest, DoNothingForARequestThatWasNotDrawn) {
  const Dispatcher dispatcher(deps());
  run(dispatcher, {kLocal});
  run(dispatcher, {kClaude});
  EXPECT_EQ(rig_.ledger.starts.size(), 2U);
}

// A shadow writes for as long as it may; a client that comes meanwhile must not wait for its end.
TEST(Comparisons, GiveWayToAClientThatWantsTheBackend) {
  std::atomic<bool> shadow_runs = false, shadow_gave_way = false;
  std::atomic<int> local_calls = 0;
  Rig rig(
      [&](const backend::Call&, backend::Sink& sink) {
        if (local_calls++ > 0) {  // the client's: it needs the machine until the other has gone
          while (!shadow_gave_way) std::this_thread::yield();
          return play(sink, kWhole);
        }
        backend::Report report;
        report.sent = true;
        shadow_runs = true;
        while (sink.event(chat::TextDelta{"on and on "})) std::this_thread::yield();
        shadow_gave_way = true;
        report.end = backend::End::kCancelled;
        return report;
      },
      plays(kWhole));
  const Dispatcher dispatcher(
      rig.deps([](const Target&) { return Places{.running_max = 1, .waiting_max = 5}; }));
  rig.job.decision.beside = kLocal;
  const Outcome by_claude = rig.run_on(dispatcher, {kClaude});
  dispatcher.compare(rig.job, by_claude);
  while (!shadow_runs) std::this_thread::yield();
  rig.job.decision.beside.reset();
  // Returns only because the shadow, which would write for ever, is asked to end.
  EXPECT_EQ(rig.run_on(dispatcher, {kLocal}).report.end, backend::End::kFinished);
  EXPECT_EQ(rig.sink.tried.back(), kLocal);
  dispatcher.wait_for_comparisons();
  EXPECT_TRUE(shadow_gave_way);
}

}  // namespace
}  // namespace tophand::dispatch

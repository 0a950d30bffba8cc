#include "ledger/habits.h"

#include <gtest/gtest.h>

namespace tophand::ledger {
namespace {

AttemptStart of_claude(std::string request_id, std::string task_class) {
  AttemptStart start;
  start.request_id = std::move(request_id);
  start.task_class = std::move(task_class);
  start.backend = "claude";
  return start;
}

AttemptEnd counted(TokenCounts tokens, std::int64_t estimated, std::string basis = "cf1") {
  AttemptEnd end;
  end.tokens = tokens;
  end.estimated_tokens = estimated;
  end.counterfactual_basis = std::move(basis);
  return end;
}

void see(Habits& habits, int times, const std::string& task_class, const AttemptEnd& end) {
  for (int i = 0; i < times; ++i) habits.observe(of_claude("r", task_class), end);
}

TEST(Habits, AssumesUntilFiveAnswersWereSeen) {
  Habits habits;
  const auto end = counted({.input = 100, .cache_read = 800, .cache_write_5m = 100}, 900);
  see(habits, 4, "qa", end);
  EXPECT_EQ(habits.of("qa").split, Habit::Source::kAssumed);
  EXPECT_EQ(habits.of("qa").tokens_ppm, kMillion);
  see(habits, 1, "qa", end);
  const Habit qa = habits.of("qa");
  EXPECT_EQ(qa.split, Habit::Source::kObserved);
  EXPECT_EQ(qa.read_ppm, 800'000);
  EXPECT_EQ(qa.write_5m_ppm, 100'000);
  EXPECT_EQ(habits.of("review").split, Habit::Source::kPooled);
  EXPECT_EQ(habits.of("review").read_ppm, 800'000);
}

TEST(Habits, CorrectsTheEstimateByTheRatioOfItsClass) {
  Habits habits;
  see(habits, 30, "code", counted({.input = 1200}, 1000));
  see(habits, 30, "text", counted({.input = 900}, 1000));
  EXPECT_EQ(habits.of("code").tokens_ppm, 1'200'000);
  EXPECT_EQ(habits.of("text").tokens_ppm, 900'000);
}

TEST(Habits, FollowsAChangeAndIsNotUpsetByOneOddRequest) {
  Habits habits;
  see(habits, 200, "qa", counted({.input = 1000}, 1000));
  see(habits, 1, "qa", counted({.input = 100'000}, 1000));  // counts as four times, at most
  EXPECT_EQ(habits.of("qa").tokens_ppm, 1'150'000);         // 1 + 0.05 * (4 - 1)
  see(habits, 200, "qa", counted({.input = 1300}, 1000));
  EXPECT_NEAR(static_cast<double>(habits.of("qa").tokens_ppm), 1'300'000, 100);
}

TEST(Habits, KeepsOnlyTheLatestTwoHundredForTheSplit) {
  Habits habits;
  see(habits, 300, "qa", counted({.input = 1000}, 0));
  see(habits, 200, "qa", counted({.cache_read = 1000}, 0));
  EXPECT_EQ(habits.of("qa").read_ppm, kMillion);
}

TEST(Habits, LearnsVerbosityFromPairsOfOneRequest) {
  Habits habits;
  for (int i = 0; i < 10; ++i) {
    const std::string id = "r" + std::to_string(i);
    AttemptStart local = of_claude(id, "qa");
    local.backend = "local";
    habits.observe(local, counted({}, 0, "cf1 answer=100"));
    AttemptStart shadow = of_claude(id, "qa");
    shadow.purpose = "shadow";
    habits.observe(shadow, counted({.input = 50, .output = 230}, 50, "cf1 answer=1 thinking=80"));
  }
  EXPECT_EQ(habits.of("qa").verbosity_ppm, 1'500'000);
  EXPECT_EQ(habits.of("qa").thinking_tokens, 80);
}

TEST(Habits, PassesOverJudgesAndFailures) {
  Habits habits;
  AttemptStart judge = of_claude("r", "qa");
  judge.purpose = "judge";
  AttemptEnd failed = counted({.input = 5000}, 1000);
  failed.outcome = AttemptEnd::Outcome::kFailed;
  for (int i = 0; i < 10; ++i) {
    habits.observe(judge, counted({.input = 5000}, 1000));
    habits.observe(of_claude("r", "qa"), failed);
  }
  EXPECT_EQ(habits.of("qa").split, Habit::Source::kAssumed);
  EXPECT_EQ(habits.error().n, 0);
}

// Always 20 % too low: the raw error stays, the corrected one is gone once five were seen.
TEST(Habits, TellsTheErrorBeforeAndAfterTheCorrection) {
  Habits habits;
  see(habits, 105, "qa", counted({.input = 1000}, 800));
  const EstimateError& error = habits.error();
  EXPECT_EQ(error.n, 105);
  EXPECT_EQ(error.counted, 105'000);
  EXPECT_EQ(error.estimated, 84'000);
  EXPECT_NEAR(error.relative_error / 105, 0.2, 1e-9);
  EXPECT_NEAR(error.relative_error_corrected / 105, 5 * 0.2 / 105, 1e-9);
  EXPECT_EQ(habits.errors_by_class().at("qa").n, 105);
}

TEST(Habits, HoldsNoMoreClassesThanItSaysHoweverManyComeIn) {
  Habits habits;
  for (int i = 0; i < 1000; ++i)
    see(habits, 1, "class" + std::to_string(i), counted({.input = 10}, 10));
  EXPECT_LE(habits.errors_by_class().size(), 256u);
  EXPECT_EQ(habits.error().n, 1000);
}

}  // namespace
}  // namespace tophand::ledger

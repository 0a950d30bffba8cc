#include "policy/budget.h"

#include <gtest/gtest.h>

namespace tophand::policy {
namespace {

// Costs in the proportions of the price book: Opus 1, Sonnet 1/2, Haiku 1/40.
const std::vector<TierCandidate> kLadder = {
    {.tier = Tier::kHard, .cost_usd = 0.4, .p_success = 0.90},
    {.tier = Tier::kDefault, .cost_usd = 0.2, .p_success = 0.85},
    {.tier = Tier::kSmall, .cost_usd = 0.01, .p_success = 0.70},
    {.tier = Tier::kLocal, .cost_usd = 0, .p_success = 0.60},
};

BudgetState at_lambda(double lambda) {
  return {.has_cap = true, .lambda = lambda, .used = 0.5, .mean_cost_usd = 0.2, .window = "week"};
}

TEST(Budget, ChangesNothingWithoutACap) {
  const TierChoice choice = choose_tier(kLadder, {.p_local = 0.6}, {.lambda = 20});
  EXPECT_EQ(choice.tier, Tier::kHard);
  EXPECT_EQ(choice.reason, "");
}

// By hand, weight 1, p_local .6: hard .30 - 2 l, default .25 - l, small .10 - .05 l, local 0.
TEST(Budget, GoesDownTheLadderAsLambdaRises) {
  const struct {
    double lambda;
    Tier tier;
  } rows[] = {{0, Tier::kHard},       {0.04, Tier::kHard},  {0.06, Tier::kDefault},
              {0.15, Tier::kDefault}, {0.17, Tier::kSmall}, {1.9, Tier::kSmall},
              {2.1, Tier::kLocal}};
  for (const auto& row : rows)
    EXPECT_EQ(choose_tier(kLadder, {.p_local = 0.6}, at_lambda(row.lambda)).tier, row.tier)
        << row.lambda;
}

TEST(Budget, SaysWhatItChanged) {
  EXPECT_EQ(choose_tier(kLadder, {.p_local = 0.6}, at_lambda(0.06)).reason,
            "budget: lambda 0.06, hard -> default");
}

TEST(Budget, WeighsWhatIsWorthMoreAgainstTheSameLambda) {
  EXPECT_EQ(choose_tier(kLadder, {.weight = 1, .p_local = 0.6}, at_lambda(0.2)).tier, Tier::kSmall);
  EXPECT_EQ(choose_tier(kLadder, {.weight = 5, .p_local = 0.6}, at_lambda(0.2)).tier, Tier::kHard);
}

TEST(Budget, GivesHighPriorityWhatItAsksForWhileThereIsEnoughForItAll) {
  EXPECT_EQ(choose_tier(kLadder, {.high_priority = true}, at_lambda(20)).tier, Tier::kHard);
  EXPECT_EQ(choose_tier(kLadder, {.high_priority = false}, at_lambda(20)).tier, Tier::kLocal);
}

TEST(Budget, NeverTakesClaudeFromHighPriority) {
  const Worth high{.p_local = 0.9, .high_priority = true};
  BudgetState reserve = at_lambda(20);
  reserve.reserve_only = true;
  reserve.high_cover = 0.9;
  EXPECT_EQ(choose_tier(kLadder, high, reserve).tier, Tier::kSmall);
  EXPECT_FALSE(choose_tier(kLadder, high, reserve).refused);
}

TEST(Budget, KeepsTheReserveForHighPriority) {
  BudgetState reserve = at_lambda(0.01);
  reserve.reserve_only = true;
  const TierChoice low = choose_tier(kLadder, {.weight = 100}, reserve);
  EXPECT_EQ(low.tier, Tier::kLocal);
  EXPECT_EQ(low.reason, "budget: the rest of the week is kept for high priority, hard -> local");
  const std::span cloud_only = std::span(kLadder).first(3);
  EXPECT_TRUE(choose_tier(cloud_only, {.weight = 100}, reserve).refused);
}

TEST(Budget, AWindowThatOnlyPacesRefusesNothing) {
  BudgetState reserve = at_lambda(0.01);
  reserve.reserve_only = true;
  reserve.reserve_refuses = false;
  reserve.reserve_window = "five hours";
  EXPECT_EQ(choose_tier(kLadder, {.weight = 100}, reserve).tier, Tier::kLocal);
  const TierChoice cloud = choose_tier(std::span(kLadder).first(3), {.weight = 100}, reserve);
  EXPECT_FALSE(cloud.refused);
  EXPECT_EQ(cloud.tier, Tier::kSmall);
  EXPECT_EQ(cloud.reason,
            "budget: the rest of the five hours is kept for high priority, hard -> small");
}

TEST(Budget, LeavesALocalRequestAlone) {
  EXPECT_EQ(choose_tier(std::span(kLadder).last(1), {}, at_lambda(20)).tier, Tier::kLocal);
  EXPECT_EQ(choose_tier({}, {}, at_lambda(20)).tier, Tier::kLocal);
}

}  // namespace
}  // namespace tophand::policy

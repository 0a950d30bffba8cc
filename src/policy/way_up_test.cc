#include "policy/way_up.h"

#include <gtest/gtest.h>

namespace tophand::policy {
namespace {

const Target kOpus{Place::kClaude, "claude-opus-5-5", "", Tier::kHard};
const Target kSonnet{Place::kClaude, "claude-sonnet-5-5", "", Tier::kDefault};
const Target kHaiku{Place::kClaude, "claude-haiku-5-5", "", Tier::kSmall};

Decision local_first(Priority priority = Priority::kLow) {
  Decision decision;
  decision.priority = priority;
  decision.escalation = kOpus;
  decision.cheaper = {kSonnet, kHaiku};
  decision.ways_up = {
      {Tier::kHard, 1.0, 0.95}, {Tier::kDefault, 0.5, 0.9}, {Tier::kSmall, 0.025, 0.7}};
  return decision;
}

BudgetState pressing(double lambda) {
  return {.has_cap = true, .lambda = lambda, .mean_cost_usd = 1, .window = "week"};
}

// weight * p - lambda * cost, by hand: at 0.3 hard .65, default .75, small .69; at 2 only small is
// above nothing; at 0.05 hard .90, default .875.
TEST(WayUp, IsPricedWhenLocalHasFailed) {
  EXPECT_EQ(way_up(local_first(), pressing(0.05)).target, kOpus);
  EXPECT_EQ(way_up(local_first(), pressing(0.05)).reason, "");
  EXPECT_EQ(way_up(local_first(), pressing(0.3)).target, kSonnet);
  EXPECT_EQ(way_up(local_first(), pressing(2)).target, kHaiku);
  EXPECT_EQ(way_up(local_first(), pressing(2)).reason, "budget: lambda 2.00, hard -> small");
  EXPECT_EQ(way_up(local_first(), pressing(20)).target, kHaiku) << "nothing else is left to try";
}

TEST(WayUp, StandsWithoutABudgetOrForHighPriority) {
  EXPECT_EQ(way_up(local_first(), {}).target, kOpus);
  EXPECT_EQ(way_up(local_first(Priority::kHigh), pressing(2)).target, kOpus);
  Decision fixed = local_first();
  fixed.ways_up.clear();
  EXPECT_EQ(way_up(fixed, pressing(20)).target, kOpus) << "a rule says which";
}

TEST(WayUp, IsNoneWhileTheRestIsKeptForHighPriority) {
  BudgetState budget = pressing(0.1);
  budget.reserve_only = true;
  const WayUp none = way_up(local_first(), budget);
  EXPECT_EQ(none.target, std::nullopt);
  EXPECT_EQ(none.reason, "budget: the rest of the week is kept for high priority");
  EXPECT_EQ(way_up(local_first(Priority::kHigh), budget).target, kOpus);
}

TEST(WayUp, KeepsToWhatTheCallerMayUse) {
  Decision decision = local_first();
  decision.cheaper = {kSonnet};  // Haiku is not on the key's list
  EXPECT_EQ(way_up(decision, pressing(20)).target, kSonnet);
  decision.escalation.reset();
  decision.cheaper.clear();
  EXPECT_EQ(way_up(decision, pressing(20)).target, std::nullopt);
}

}  // namespace
}  // namespace tophand::policy

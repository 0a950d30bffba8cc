#include <gtest/gtest.h>

#include <string>
#include <vector>

#include "policy/policy.h"

namespace tophand::policy {
namespace {

Settings settings() {
  Settings out;
  out.local_model = "small:1b";
  out.claude_model = "claude-opus-5-5";
  out.has_claude_key = true;
  out.shares.holdout = 0;
  return out;
}

Facts request(const RouteTable& table) {
  Facts facts;
  facts.installed = {"small:1b"};
  facts.local_default = "small:1b";
  facts.header_class = "qa";
  facts.request_id = "req_1";
  facts.routes = &table;
  return facts;
}

RouteTable table_with(Stage stage) {
  RouteState state;
  state.route = {"qa", "small:1b"};
  state.stage = stage;
  return RouteTable({state});
}

Place first_place(const Facts& facts, const Settings& with) {
  const auto decision = decide(facts, with);
  EXPECT_TRUE(decision) << decision.error().message;
  return decision ? decision->targets.front().place : Place::kLocal;
}

TEST(Learned, MovesWhatNobodyDeclaredAndLocalIsNotKnownToManage) {
  const RouteTable nothing;
  const auto decision = decide(request(nothing), settings());
  ASSERT_TRUE(decision);
  EXPECT_EQ(decision->targets.front().model, "claude-haiku-5-5");  // the small tier
  ASSERT_TRUE(decision->beside);
  EXPECT_EQ(decision->beside->model, "small:1b");
  for (const Stage stage : {Stage::kShadow, Stage::kDemoted}) {
    const RouteTable table = table_with(stage);
    EXPECT_EQ(first_place(request(table), settings()), Place::kClaude);
  }
}

TEST(Learned, LeavesToLocalWhatItManages) {
  for (const Stage stage : {Stage::kCanary, Stage::kTrusted}) {
    const RouteTable table = table_with(stage);
    EXPECT_EQ(first_place(request(table), settings()), Place::kLocal);
  }
}

TEST(Learned, MovesNothingThatSomebodyHasDecided) {
  const RouteTable nothing;
  Facts facts = request(nothing);
  facts.header_priority = "low";
  EXPECT_EQ(first_place(facts, settings()), Place::kLocal);
  facts = request(nothing);
  facts.model_asked = "local";
  EXPECT_EQ(first_place(facts, settings()), Place::kLocal);
  facts = request(nothing);
  facts.header_egress = "local-only";
  EXPECT_EQ(first_place(facts, settings()), Place::kLocal);
  facts = request(nothing);
  facts.routes = nullptr;  // it is only noted
  EXPECT_EQ(first_place(facts, settings()), Place::kLocal);
  Settings no_key = settings();
  no_key.has_claude_key = false;
  EXPECT_EQ(first_place(request(nothing), no_key), Place::kLocal);
}

TEST(Learned, DrawsTheHoldoutFromLowPriorityThatMayLeave) {
  const RouteTable nothing;
  Settings all = settings();
  all.shares.holdout = 1;
  Facts facts = request(nothing);
  facts.header_priority = "low";
  const auto drawn = decide(facts, all);
  ASSERT_TRUE(drawn);
  EXPECT_EQ(drawn->arm, "holdout");
  EXPECT_EQ(drawn->targets.front().model, "claude-opus-5-5");  // what savings are measured against
  EXPECT_FALSE(drawn->beside);
  facts.header_egress = "local-only";
  EXPECT_EQ(decide(facts, all)->arm, "");
  facts.header_egress = "";
  facts.request_id = "";  // somebody only wants to know
  EXPECT_EQ(decide(facts, all)->arm, "");
}

// --- what Claude is seen to manage ---------------------------------------------------------------

RouteState rate(const std::string& model, double mean, double n) {
  RouteState state;
  state.route = {"qa", model};
  state.p_mean = mean;
  state.n = n;
  return state;
}

// 10,000 tokens in, 500 out: opus .05 dollars, sonnet .025, haiku .00125.
std::string model_for(Facts facts, const std::vector<RouteState>& states) {
  const RouteTable table(states);
  facts.routes = &table;
  facts.prompt_bytes = 24'000;
  Settings with = settings();
  with.rates = {{"claude-opus-5-5", {.input = 4000, .output = 20'000}},
                {"claude-sonnet-5-5", {.input = 2000, .output = 10'000}},
                {"claude-haiku-5-5", {.input = 100, .output = 500}}};
  return decide(facts, with).value().targets.front().model;
}

// By guess .95, .9375 and .90; opus is not covered: sonnet .9375 - .1 / 2, haiku .90 - .1 / 40.
TEST(LearnedClaude, ReplacesTheGuessesOfHighPrioritysLadder) {
  Facts facts = request(RouteTable());
  facts.header_priority = "high";
  facts.budget = {
      .has_cap = true, .lambda = .1, .high_cover = .6, .mean_cost_usd = .05, .window = "week"};
  EXPECT_EQ(model_for(facts, {}), "claude-haiku-5-5");
  EXPECT_EQ(model_for(facts, {rate("claude/claude-haiku-5-5", .6, 40)}), "claude-sonnet-5-5");
  EXPECT_EQ(model_for(facts, {rate("claude/claude-haiku-5-5", .85, 40)}), "claude-sonnet-5-5");
  // One label does not outweigh the guess: (10 * .90 + .85) / 11.
  EXPECT_EQ(model_for(facts, {rate("claude/claude-haiku-5-5", .85, 1)}), "claude-haiku-5-5");
  EXPECT_EQ(model_for(facts, {rate("claude/claude-sonnet-5-5", .99, 40)}), "claude-sonnet-5-5");
}

// Local is bad at it, and so is Claude; with the guesses of .60 and .90, .41 - .30 is not worth .2.
TEST(LearnedClaude, SparesCallsThatWouldGainLittle) {
  Facts facts = request(RouteTable());
  facts.budget = {.has_cap = true, .lambda = .2, .mean_cost_usd = .00125, .window = "week"};
  const RouteState local = rate("small:1b", .20, 30);
  EXPECT_EQ(model_for(facts, {local}), "claude-haiku-5-5");
  EXPECT_EQ(model_for(facts, {local, rate("claude/claude-haiku-5-5", .25, 30)}), "small:1b");
  EXPECT_EQ(model_for(facts, {local, rate("claude/claude-haiku-5-5", .90, 30)}),
            "claude-haiku-5-5");
}

}  // namespace
}  // namespace tophand::policy

#include "steering/replay.h"

#include <gtest/gtest.h>

#include <algorithm>

namespace tophand::steering {
namespace {

// Dollars per million tokens: opus 4 and 20, haiku 0.10 and 0.50.
const ledger::PriceBook& prices() {
  static const ledger::PriceBook kBook = *ledger::PriceBook::load("");
  return kBook;
}

ledger::Row by_claude(std::string id, std::string reason = "model alias high") {
  ledger::Row row;
  row.request_id = std::move(id);
  row.state = "settled";
  row.outcome = "done";
  row.backend = "claude";
  row.model = "claude-opus-5-5";
  row.model_asked = "high";
  row.priority = "high";
  row.tier = "hard";
  row.reason = std::move(reason);
  row.tokens.input = 1000;
  row.tokens.output = 100;
  row.cost = 6'000'000;  // 1000 * 4 + 100 * 20 dollars a million
  row.started_ms = 1'700'000'000'000;
  return row;
}

ledger::Row by_local(std::string id) {
  ledger::Row row = by_claude(std::move(id), "no priority declared, routing.default_priority: low");
  row.backend = "local";
  row.model = "small:1b";
  row.model_asked = "auto";
  row.priority = "low";
  row.tier = "local";
  row.cost = 0;
  return row;
}

config::Config config_with(std::vector<config::RuleConfig> rules = {}) {
  config::Config config;
  config.models.local = "small:1b";
  config.rules = std::move(rules);
  return config;
}

config::RuleConfig at_most_small() {
  config::RuleConfig rule;
  rule.name = "thrift";
  rule.tier.at_most = "small";
  return rule;
}

TEST(Replay, TheSamePolicyMovesNothingAndCostsTheSame) {
  const auto result = replay({by_claude("a"), by_local("b")}, config_with(), prices());
  EXPECT_EQ(result.requests.size(), 2U);
  EXPECT_EQ(result.moved, 0);
  EXPECT_EQ(result.cost_was, 6'000'000);
  EXPECT_EQ(result.cost_is, 6'000'000);
}

TEST(Replay, ACheaperTierIsPricedFromTheRequestsOwnTokens) {
  const auto result =
      replay({by_claude("a"), by_local("b")}, config_with({at_most_small()}), prices());
  EXPECT_EQ(result.moved, 1);
  EXPECT_EQ(result.cost_is, 1000 * 100 + 100 * 500);
  EXPECT_EQ(result.estimated, 0);
  EXPECT_EQ(result.moves.at("claude-opus-5-5 (hard) -> claude-haiku-5-5 (small)").count, 1);
}

TEST(Replay, ATraceThatDoesNotSayWhatItCostIsPricedFromItsTokens) {
  ledger::Row row = by_claude("a"), local = by_local("b");
  row.cost = local.cost = kCostNotSaid;
  const auto result = replay({row, local}, config_with(), prices());
  EXPECT_EQ(result.cost_was, 6'000'000);
  EXPECT_EQ(result.cost_is, 6'000'000);
}

TEST(Replay, ADefaultMovesOnlyWhatDeclaredNothing) {
  config::Config config = config_with();
  config.routing.default_priority = "high";
  ledger::Row declared = by_local("b");
  declared.reason = "header x-tophand-priority: low";
  const auto result = replay({by_local("a"), declared}, config, prices());
  EXPECT_EQ(result.moved, 1);
  EXPECT_TRUE(result.requests[0].moved);
  EXPECT_TRUE(result.requests[0].estimated);
  // 1000 and 100 local tokens are about 1530 and 153 of Claude's.
  EXPECT_EQ(result.cost_is, 1530 * 4000 + 153 * 20'000);
}

TEST(Replay, WhatALocalModelCouldNotDoIsNotTakenFromClaude) {
  ledger::Row failed = by_local("a"), up = by_claude("a", "model alias auto");
  failed.outcome = "failed";
  up.attempt = 2;
  up.model_asked = "auto";
  const auto result = replay({failed, up}, config_with(), prices());
  ASSERT_EQ(result.requests.size(), 1U);
  EXPECT_EQ(result.moved, 0);
  EXPECT_EQ(result.cost_is, 6'000'000);
}

TEST(Replay, LocalOnlyStaysAndShadowsDoNotCount) {
  ledger::Row kept = by_local("a"), shadow = by_claude("b");
  kept.reason = "model alias high; local-only (header x-tophand-egress)";
  kept.model_asked = "high";
  shadow.purpose = "shadow";
  const auto result = replay({kept, shadow}, config_with(), prices());
  EXPECT_EQ(result.requests.size(), 1U);
  EXPECT_EQ(result.moved, 0);
}

TEST(Replay, ARefusalIsCountedWithItsReason) {
  config::Config config = config_with();
  config.keys["k1"].models.any_of = {"none"};
  ledger::Row row = by_claude("a");
  row.key_id = "k1";
  const auto result = replay({row}, config, prices());
  EXPECT_EQ(result.refused, 1);
  EXPECT_NE(result.requests[0].refused.find("may use only none"), std::string::npos);
}

// A week of one dear call an hour; they cost $0.60 an hour, $100.80 in all. A week's start, so that
// nothing lies in another one.
std::vector<ledger::Row> busy_week() {
  constexpr std::int64_t kMonday = 1'790'553'600'000, kHourMs = 3'600'000;
  std::vector<ledger::Row> rows;
  for (int hour = 0; hour < 168; ++hour) {
    rows.push_back(by_claude("r" + std::to_string(hour)));
    rows.back().started_ms = kMonday + hour * kHourMs;
    rows.back().tokens.input = 100'000;
    rows.back().tokens.output = 10'000;
    rows.back().cost = 600'000'000;
  }
  return rows;
}

TEST(Replay, PacesTheBudgetOverWhatTheOtherPolicyWouldHaveSpent) {
  config::Config config = config_with();
  const Replay unpaced = replay(busy_week(), config, prices());
  EXPECT_EQ(unpaced.cost_is, 168 * 600'000'000LL) << "the control: without a budget nothing moves";
  EXPECT_EQ(unpaced.moved, 0);
  config.budget.week_usd = 60;
  const Replay paced = replay(busy_week(), config, prices());
  EXPECT_LE(paced.cost_is, 60'000'000'000);
  EXPECT_GT(paced.cost_is, 30'000'000'000) << "it is there to be spent";
  EXPECT_EQ(paced.refused, 0) << "high priority goes down the ladder instead";
  EXPECT_GT(paced.moved, 20);
  EXPECT_TRUE(std::ranges::any_of(paced.requests, [](const Replayed& one) {
    return one.reason.find("budget: ") != std::string::npos;
  }));
}

TEST(Replay, BeginsEachWeekWithItsWholeBudget) {
  config::Config config = config_with();
  config.budget.week_usd = 0.65;  // one call
  std::vector<ledger::Row> rows = busy_week();
  rows.resize(2);
  rows[1].started_ms = rows[0].started_ms + 7 * 86'400'000LL;
  EXPECT_EQ(replay(rows, config, prices()).refused, 0);
  rows[1].started_ms = rows[0].started_ms + 1;
  config::RuleConfig fixed;
  fixed.name = "fixed";
  fixed.tier.exactly = "hard";
  config.rules = {fixed};
  const Replay same_week = replay(rows, config, prices());
  EXPECT_EQ(same_week.refused, 1);
  EXPECT_EQ(same_week.requests[1].refused, "the week's budget would have been spent");
  EXPECT_EQ(same_week.cost_is, 600'000'000);
}

TEST(Replay, KeepsTheTermsThatARequestWasAnsweredOn) {
  ledger::Row batch = by_claude("a"), in_us = by_claude("b");
  batch.terms.batch = true;
  in_us.terms.us_only = true;
  const auto cost = [&](const ledger::Row& row) {
    return replay({row}, config_with({at_most_small()}), prices()).cost_is;
  };
  constexpr ledger::NanoUsd kHaiku = 1000 * 100 + 100 * 500;
  EXPECT_EQ(cost(batch), kHaiku / 2);
  EXPECT_EQ(cost(in_us), kHaiku * 11 / 10);
  config::Config config = config_with();
  config.routing.default_priority = "high";
  config.claude.workspace_us_only = true;
  EXPECT_EQ(replay({by_local("c")}, config, prices()).cost_is,
            (1530 * 4000 + 153 * 20'000) * 11 / 10);
}

}  // namespace
}  // namespace tophand::steering

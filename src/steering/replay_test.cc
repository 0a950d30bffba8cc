#include "steering/replay.h"

#include <gtest/gtest.h>

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

}  // namespace
}  // namespace tophand::steering

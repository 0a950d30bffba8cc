#include <gtest/gtest.h>

#include <string>

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

}  // namespace
}  // namespace tophand::policy

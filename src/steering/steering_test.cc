#include "steering/steering.h"

#include <gtest/gtest.h>

namespace tophand::steering {
namespace {

policy::Facts open_request() {
  policy::Facts facts;
  facts.installed = {"small:1b"};
  facts.local_default = "small:1b";
  return facts;
}

TEST(Steering, DecidesByTheConfigurationThatWasReadLast) {
  config::Config config;
  config.models.local = "small:1b";
  Steering steering({.clock = &system_clock(), .has_claude_key = true}, config);
  EXPECT_EQ(steering.decide(open_request())->priority, policy::Priority::kLow);
  config.routing.default_priority = "high";
  steering.reload(config);
  EXPECT_EQ(steering.decide(open_request())->priority, policy::Priority::kHigh);
}

TEST(Steering, RemembersWhoAnsweredAConversation) {
  config::Config config;
  config.models.local = "small:1b";
  Steering steering({.clock = &system_clock(), .has_claude_key = true}, config);
  policy::Facts loop = open_request();
  loop.in_tool_loop = true;
  EXPECT_EQ(steering.decide(loop, {.conversation = 1})->targets.front().model, "small:1b");
  steering.answered({.conversation = 1},
                    {.target = {policy::Place::kClaude, "claude-opus-4-8"}, .model_asked = ""});
  EXPECT_EQ(steering.decide(loop, {.conversation = 1})->targets.front().model, "claude-opus-4-8");
  EXPECT_EQ(steering.decide(loop, {.conversation = 2})->targets.front().model, "small:1b");
}

TEST(Routing, AnUnknownClassIsAnErrorWithItsLineAndTheNearestName) {
  const auto fault = [](std::string_view text) {
    const auto checked = check_routing(*config::parse_config(text, "t"));
    return checked ? "" : checked.error().message;
  };
  EXPECT_NE(fault("[[rules]]\nwhen.class = \"git_comit\"\n").find("t line 1"), std::string::npos);
  EXPECT_NE(fault("[[rules]]\nclass = \"git_comit\"\n").find("did you mean 'git_commit'?"),
            std::string::npos);
  EXPECT_NE(fault("[keys.ci]\nclass = \"nope_nope\"\n").find("[classes.NAME] makes one"),
            std::string::npos);
  EXPECT_EQ(
      fault("[classes.mine]\nweight = 2\n[[rules]]\nwhen.class = [\"mine\", \"heartbeat\"]\n"), "");
}

TEST(Routing, TheConfigurationBecomesRules) {
  const auto config = config::parse_config(
      "[[rules]]\nname = \"n\"\nwhen.hours = \"22:00-06:00\"\nwhen.days = [\"sat\", \"sun\"]\n"
      "tier_at_most = \"small\"\negress = \"local-only\"\n[classes.qa]\npriority = \"high\"\n",
      "t");
  ASSERT_TRUE(config) << config.error().message;
  const policy::Settings settings = policy_settings(*config, true);
  ASSERT_EQ(settings.rules.size(), 1U);
  EXPECT_EQ(settings.rules[0].when.from_minute, 22 * 60);
  EXPECT_EQ(settings.rules[0].when.days, 0x60);
  EXPECT_EQ(settings.rules[0].then.tier.at_most, policy::Tier::kSmall);
  EXPECT_TRUE(settings.rules[0].then.local_only);
  EXPECT_EQ(settings.classes.at("qa").priority, policy::Priority::kHigh);
  EXPECT_EQ(settings.classes.at("qa").weight, 1);
}

}  // namespace
}  // namespace tophand::steering

#include "steering/limits.h"

#include <gtest/gtest.h>

namespace tophand::steering {
namespace {

TEST(LimitsOf, AreEveryCapOfTheConfigurationInNanoDollars) {
  const config::Config read = config::parse_config(R"(
[budget]
week_usd = 120.5
stop_paid = true
[[budget.caps]]
scope = "agent"
name = "*"
window = "day"
usd = 0.000000001
[[budget.caps]]
scope = "session"
name = "s"
window = "ever"
usd = 3
)",
                                                   "test")
                                  .value();
  const ledger::Limits limits = limits_of(read.budget);
  EXPECT_TRUE(limits.stop_paid);
  ASSERT_EQ(limits.caps.size(), 3U);
  EXPECT_EQ(limits.caps[0].scope, ledger::Scope::kTeam);
  EXPECT_EQ(limits.caps[0].window, ledger::Window::kWeek);
  EXPECT_EQ(limits.caps[0].limit, 120'500'000'000);
  EXPECT_EQ(limits.caps[1].scope, ledger::Scope::kAgent);
  EXPECT_EQ(limits.caps[1].name, "*");
  EXPECT_EQ(limits.caps[1].window, ledger::Window::kDay);
  EXPECT_EQ(limits.caps[1].limit, 1);
  EXPECT_EQ(limits.caps[2].scope, ledger::Scope::kSession);
  EXPECT_EQ(limits.caps[2].window, ledger::Window::kEver);
  EXPECT_EQ(limits.caps[2].limit, 3'000'000'000);
}

TEST(LimitsOf, AreNoneWithoutABudget) {
  EXPECT_TRUE(limits_of(config::Config{}.budget).caps.empty());
}

// The configuration's words and the ledger's are one list.
TEST(LimitsOf, KnowEveryScopeAndWindowThatTheConfigurationTakes) {
  for (const std::string_view scope : config::kCapScopes) EXPECT_TRUE(ledger::scope_named(scope));
  for (const std::string_view window : config::kCapWindows)
    EXPECT_TRUE(ledger::window_named(window));
}

}  // namespace
}  // namespace tophand::steering

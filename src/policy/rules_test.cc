#include "policy/rules.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <functional>

namespace tophand::policy {
namespace {

using ::testing::ElementsAre;
using ::testing::IsEmpty;

RuleFacts commit_at_noon() {
  return {.key_id = "k1",
          .key_name = "ci",
          .agent = "monday",
          .agent_said = "at noon",
          .persona = "Writer",
          .task_class = "git_commit",
          .model = "claude-opus-5-5",
          .priority = Priority::kHigh,
          .has_tools = true,
          .context_tokens = 1000,
          .time = {.minute = 12 * 60, .weekday = 0},
          .budget_used = .5};
}

Rule rule(std::string name, Conditions when = {}) {
  return {.name = std::move(name), .when = std::move(when), .then = {}};
}

TEST(Glob, StarIsAnyRunAndQuestionMarkOneByte) {
  for (const auto& [pattern, text] :
       std::vector<std::pair<const char*, const char*>>{{"", ""},
                                                        {"*", ""},
                                                        {"*", "abc"},
                                                        {"a*c", "abbc"},
                                                        {"a?c", "abc"},
                                                        {"*b*", "abc"},
                                                        {"claude-*-5", "claude-opus-4-5"},
                                                        {"a*b*c", "axbxbxc"}})
    EXPECT_TRUE(matches_glob(pattern, text)) << pattern << " " << text;
  for (const auto& [pattern, text] : std::vector<std::pair<const char*, const char*>>{
           {"", "a"}, {"a", ""}, {"a*c", "abd"}, {"a?c", "ac"}, {"abc", "ab"}, {"*a", "ab"}})
    EXPECT_FALSE(matches_glob(pattern, text)) << pattern << " " << text;
}

TEST(Rules, EachConditionCanHoldAndCanFail) {
  struct Row {
    const char* what;
    std::function<void(Conditions&)> holds, fails;
  };
  const Row rows[] = {
      {"key id", [](auto& c) { c.keys = {"k1"}; }, [](auto& c) { c.keys = {"k2"}; }},
      {"key name", [](auto& c) { c.keys = {"x", "c?"}; }, [](auto& c) { c.keys = {"c"}; }},
      {"agent", [](auto& c) { c.agents = {"mon*"}; }, [](auto& c) { c.agents = {"tue*"}; }},
      {"agent as it calls itself", [](auto& c) { c.agents = {"at noon"}; },
       [](auto& c) { c.agents = {"noon"}; }},
      {"persona", [](auto& c) { c.personas = {"writer"}; },
       [](auto& c) { c.personas = {"reader"}; }},
      {"class", [](auto& c) { c.classes = {"qa", "git_commit"}; },
       [](auto& c) { c.classes = {"qa"}; }},
      {"model", [](auto& c) { c.models = {"claude-opus-*"}; },
       [](auto& c) { c.models = {"claude-haiku-*"}; }},
      {"priority", [](auto& c) { c.priority = Priority::kHigh; },
       [](auto& c) { c.priority = Priority::kLow; }},
      {"tools", [](auto& c) { c.tools = true; }, [](auto& c) { c.tools = false; }},
      {"images", [](auto& c) { c.images = false; }, [](auto& c) { c.images = true; }},
      {"context from", [](auto& c) { c.context_min = 1000; },
       [](auto& c) { c.context_min = 1001; }},
      {"context to", [](auto& c) { c.context_max = 1000; }, [](auto& c) { c.context_max = 999; }},
      {"days", [](auto& c) { c.days = 1; }, [](auto& c) { c.days = 0x7e; }},
      {"budget from", [](auto& c) { c.budget_min = .5; }, [](auto& c) { c.budget_min = .51; }},
      {"budget to", [](auto& c) { c.budget_max = .5; }, [](auto& c) { c.budget_max = .49; }},
  };
  for (const Row& row : rows) {
    SCOPED_TRACE(row.what);
    Rule holds = rule("r"), fails = rule("r");
    row.holds(holds.when);
    row.fails(fails.when);
    EXPECT_NE(first_match({&holds, 1}, commit_at_noon()), nullptr);
    EXPECT_EQ(why_not(holds, commit_at_noon()), "");
    EXPECT_EQ(first_match({&fails, 1}, commit_at_noon()), nullptr);
    EXPECT_NE(why_not(fails, commit_at_noon()), "");
  }
}

TEST(Rules, HoursGoOverMidnightAndEndBeforeTheirEnd) {
  Rule night = rule("night");
  night.when.from_minute = 22 * 60;
  night.when.until_minute = 6 * 60;
  const auto matches = [&](int hour, int minute) {
    RuleFacts facts;
    facts.time.minute = hour * 60 + minute;
    return first_match({&night, 1}, facts) != nullptr;
  };
  EXPECT_FALSE(matches(21, 59));
  EXPECT_TRUE(matches(22, 0));
  EXPECT_TRUE(matches(0, 0));
  EXPECT_TRUE(matches(5, 59));
  EXPECT_FALSE(matches(6, 0));
  night.when.from_minute = 6 * 60;
  night.when.until_minute = 22 * 60;
  EXPECT_TRUE(matches(6, 0));
  EXPECT_FALSE(matches(22, 0));
}

TEST(Rules, TheFirstThatMatchesApplies) {
  Rule never = rule("never");
  never.when.classes = {"qa"};
  const std::vector<Rule> rules{never, rule("a"), rule("b")};
  const Rule* found = first_match(rules, commit_at_noon());
  ASSERT_NE(found, nullptr);
  EXPECT_EQ(found->name, "a");
}

TEST(Rules, ARuleBehindAWiderOneIsNamedAsNeverReached) {
  Rule wide = rule("wide"), narrow = rule("narrow"), other = rule("other");
  wide.when.models = {"claude-*"};
  narrow.when.models = {"claude-opus-*"};
  narrow.when.classes = {"qa"};
  other.when.models = {"qwen*"};
  const std::vector<Rule> bad{wide, other, narrow};
  EXPECT_THAT(
      unreachable_rules(bad),
      ElementsAre("rule 'narrow': never reached, 'wide' before it takes all of its requests"));
  const std::vector<Rule> good{narrow, other, wide, rule("rest")};
  EXPECT_THAT(unreachable_rules(good), IsEmpty());
}

TEST(Rules, HoursAndQuestionMarksDoNotHideARule) {
  Rule day = rule("day"), night = rule("night");
  day.when.from_minute = 8 * 60;
  day.when.until_minute = 20 * 60;
  night.when.from_minute = 20 * 60;
  night.when.until_minute = 8 * 60;
  EXPECT_THAT(unreachable_rules(std::vector<Rule>{day, night}), IsEmpty());
  Rule one = rule("one"), any = rule("any");
  one.when.keys = {"k?"};
  any.when.keys = {"k*"};
  EXPECT_THAT(unreachable_rules(std::vector<Rule>{one, any}), IsEmpty());
}

}  // namespace
}  // namespace tophand::policy

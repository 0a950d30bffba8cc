// Properties of decide() over random facts and settings; the seed is printed and may be given as
// TOPHAND_SEED.
#include <gtest/gtest.h>

#include <algorithm>
#include <cstdlib>
#include <random>

#include "base/ascii.h"
#include "policy/policy.h"

namespace tophand::policy {
namespace {

constexpr int kRounds = 20'000;

std::uint64_t seed() {
  const char* given = std::getenv("TOPHAND_SEED");
  const std::uint64_t value = given != nullptr ? std::strtoull(given, nullptr, 10) : 20'261'126;
  std::printf("seed %llu\n", static_cast<unsigned long long>(value));
  return value;
}

class Dice {
 public:
  explicit Dice(std::uint64_t seed) : engine_(seed) {}
  bool chance(int percent) { return static_cast<int>(engine_() % 100) < percent; }
  std::int64_t below(std::int64_t end) {
    return static_cast<std::int64_t>(engine_() % static_cast<std::uint64_t>(end));
  }
  template <class T>
  T one_of(std::initializer_list<T> items) {
    return *(items.begin() + below(static_cast<std::int64_t>(items.size())));
  }

 private:
  std::mt19937_64 engine_;
};

constexpr auto kModels = {"",     "auto",   "local", "low",  "high",     "claude",
                          "opus", "sonnet", "haiku", "a:1b", "ws2/b:7b", "claude-opus-4-8"};
constexpr auto kClasses = {"", "qa", "git_commit", "reasoning", "customer"};

std::optional<Tier> random_tier(Dice& dice) {
  if (dice.chance(70)) return std::nullopt;
  return dice.one_of({Tier::kLocal, Tier::kSmall, Tier::kDefault, Tier::kHard});
}

std::optional<Priority> random_priority(Dice& dice) {
  if (dice.chance(60)) return std::nullopt;
  return dice.one_of({Priority::kLow, Priority::kHigh});
}

Rule random_rule(Dice& dice, int number) {
  Rule rule{.name = "rule " + std::to_string(number), .when = {}, .then = {}};
  if (dice.chance(30)) rule.when.classes = {dice.one_of(kClasses)};
  if (dice.chance(30)) rule.when.models = {dice.one_of({"claude-*", "*", "a*", "opus"})};
  if (dice.chance(20)) rule.when.keys = {dice.one_of({"k1", "k*", "bot"})};
  if (dice.chance(20)) rule.when.priority = random_priority(dice);
  if (dice.chance(20)) rule.when.tools = dice.chance(50);
  if (dice.chance(20)) rule.when.until_minute = static_cast<int>(dice.below(1440));
  if (dice.chance(20)) rule.when.budget_min = .5;
  rule.then.priority = random_priority(dice);
  if (dice.chance(20)) rule.then.task_class = dice.one_of(kClasses);
  if (dice.chance(20)) rule.then.model = dice.one_of(kModels);
  else rule.then.tier = {random_tier(dice), random_tier(dice), random_tier(dice)};
  rule.then.local_only = dice.chance(5);
  return rule;
}

Settings random_settings(Dice& dice) {
  Settings settings{.local_model = "a:1b", .claude_model = "claude-opus-5-5"};
  settings.default_priority = dice.one_of({Priority::kLow, Priority::kHigh});
  settings.has_claude_key = dice.chance(80);
  settings.allow_local_fallback = dice.chance(50);
  settings.escalate = dice.one_of({Escalate::kNever, Escalate::kUnable, Escalate::kFailed});
  settings.rates["claude-opus-5-5"] = {4000, 20'000, 5000, 200};
  for (std::int64_t n = dice.below(6); n > 0; --n)
    settings.rules.push_back(random_rule(dice, static_cast<int>(n)));
  if (dice.chance(30))
    settings.classes["customer"] = {
        .weight = 3, .priority = random_priority(dice), .tier = {.at_least = random_tier(dice)}};
  if (dice.chance(30)) settings.keys["bot"] = {.priority = random_priority(dice)};
  return settings;
}

Facts random_facts(Dice& dice) {
  Facts facts;
  facts.model_asked = dice.one_of(kModels);
  facts.header_priority = dice.one_of({"", "", "low", "high"});
  facts.header_route = dice.one_of({"", "", "local", "cloud"});
  facts.header_class = dice.one_of(kClasses);
  facts.header_client_class = dice.one_of({"", "main", "auxiliary"});
  if (dice.chance(20)) facts.unsupported = {"image"};
  if (dice.chance(90)) facts.installed = {"a:1b"};
  if (dice.chance(80)) facts.local_default = facts.installed.empty() ? "" : "a:1b";
  facts.offers = {{.backend = "ws2",
                   .model = "b:7b",
                   .up = dice.chance(50),
                   .stands_for_local = dice.chance(50),
                   .takes_images = dice.chance(50)},
                  {.backend = "rented", .model = "a:1b", .outside = true}};
  facts.key_id = dice.one_of({"k1", "k2"});
  facts.key_name = dice.one_of({"", "bot"});
  facts.has_tools = dice.chance(50);
  facts.in_tool_loop = dice.chance(30);
  facts.prompt_bytes = dice.below(200'000);
  facts.local_context_tokens = 8192;
  facts.time.minute = static_cast<int>(dice.below(1440));
  facts.session = {.known = dice.chance(50),
                   .last = dice.chance(50) ? Target{Place::kClaude, "claude-opus-5-5"}
                                           : Target{Place::kLocal, "a:1b"},
                   .model_asked = std::string(facts.model_asked),
                   .cached_tokens = dice.below(50'000),
                   .age_ms = dice.below(600'000)};
  facts.budget = {.has_cap = dice.chance(50),
                  .lambda = static_cast<double>(dice.below(200)) / 10,
                  .used = static_cast<double>(dice.below(120)) / 100,
                  .reserve_only = dice.chance(20),
                  .mean_cost_usd = .01,
                  .window = "week"};
  return facts;
}

bool leaves(const Decision& decision, const Facts& facts) {
  const auto outside = [&](const Target& target) {
    return target.place == Place::kClaude ||
           std::ranges::any_of(facts.offers, [&](const Offer& offer) {
             return offer.outside && offer.backend == target.backend;
           });
  };
  return std::ranges::any_of(decision.targets, outside) ||
         (decision.escalation && outside(*decision.escalation));
}

TEST(DecideProperty, WhatIsLocalOnlyNeverHasATargetOutside) {
  Dice dice(seed());
  int decided = 0, would_leave = 0;
  for (int round = 0; round < kRounds; ++round) {
    const Settings settings = random_settings(dice);
    Facts facts = random_facts(dice);
    if (const auto open = decide(facts, settings); open && leaves(*open, facts)) ++would_leave;
    facts.header_egress = "local-only";
    const auto decision = decide(facts, settings);
    if (!decision) continue;
    ++decided;
    ASSERT_TRUE(decision->local_only) << "round " << round;
    ASSERT_FALSE(leaves(*decision, facts)) << "round " << round;
  }
  EXPECT_GT(decided, kRounds / 2);
  EXPECT_GT(would_leave, kRounds / 2) << "the control: without the word most would leave";
}

TEST(DecideProperty, EveryDecisionHasTargetsReasonsAndTheirTiers) {
  Dice dice(seed());
  for (int round = 0; round < kRounds; ++round) {
    const Settings settings = random_settings(dice);
    const auto decision = decide(random_facts(dice), settings);
    if (!decision) continue;
    ASSERT_FALSE(decision->targets.empty())
        << "round " << round << ": " << joined(decision->reasons, "; ");
    ASSERT_FALSE(decision->reasons.empty());
    for (const Target& target : decision->targets)
      ASSERT_EQ(target.tier, target.place == Place::kClaude ? tier_of(target.model, settings.tiers)
                                                            : Tier::kLocal);
    for (const std::string& reason : decision->reasons)
      ASSERT_TRUE(std::ranges::all_of(reason, [](char c) { return c >= ' ' && c < 127; }));
  }
}

TEST(DecideProperty, TheSameFactsGiveTheSameDecision) {
  Dice dice(seed());
  for (int round = 0; round < kRounds / 4; ++round) {
    const Settings settings = random_settings(dice);
    const Facts facts = random_facts(dice);
    const auto once = decide(facts, settings), again = decide(facts, settings);
    ASSERT_EQ(once.has_value(), again.has_value());
    if (!once) continue;
    ASSERT_EQ(once->targets, again->targets);
    ASSERT_EQ(once->reasons, again->reasons);
    ASSERT_EQ(once->escalation, again->escalation);
  }
}

// What the guess is put off for (class_matters) must not hang on it.
TEST(DecideProperty, WhereAClassDoesNotMatterNoGuessChangesTheDecision) {
  Dice dice(seed());
  int put_off = 0, changed_elsewhere = 0;
  for (int round = 0; round < 4 * kRounds; ++round) {
    const Settings settings = random_settings(dice);
    Facts facts = random_facts(dice);
    facts.header_class = "";
    const bool matters = class_matters(facts, settings);
    const auto without = decide(facts, settings);
    facts.inferred = {.task_class = dice.one_of({"qa", "git_commit", "reasoning", "customer"}),
                      .confidence = .97,
                      .why = "words"};
    const auto with = decide(facts, settings);
    const bool same =
        with.has_value() == without.has_value() &&
        (!with || (with->targets == without->targets && with->priority == without->priority &&
                   with->escalation == without->escalation && with->cheaper == without->cheaper &&
                   with->local_only == without->local_only));
    if (matters) {
      changed_elsewhere += !same;
      continue;
    }
    ++put_off;
    ASSERT_TRUE(same) << "round " << round << ", model " << facts.model_asked;
  }
  EXPECT_GT(put_off, 100);
  EXPECT_GT(changed_elsewhere, 100) << "the control: where it matters, guesses show";
}

// Two rules change places: only requests that both of them match may be decided otherwise.
TEST(DecideProperty, TheOrderOfTwoRulesMattersOnlyWhereBothMatch) {
  Dice dice(seed());
  int differed = 0;
  for (int round = 0; round < kRounds; ++round) {
    Settings settings = random_settings(dice);
    const Rule one = random_rule(dice, 1), two = random_rule(dice, 2);
    const Facts facts = random_facts(dice);
    const auto with = [&](std::vector<Rule> rules) {
      settings.rules = std::move(rules);
      return decide(facts, settings);
    };
    const auto before = with({one, two}), after = with({two, one});
    const auto only_one = with({one}), only_two = with({two});
    const auto applied = [](const Result<Decision>& decision) {
      return !decision || !decision->rule.empty();
    };
    if (applied(only_one) && applied(only_two)) {
      differed +=
          before.has_value() != after.has_value() || (before && before->rule != after->rule);
      continue;
    }
    ASSERT_EQ(before.has_value(), after.has_value()) << "round " << round;
    if (!before) continue;
    ASSERT_EQ(before->targets, after->targets) << "round " << round;
    ASSERT_EQ(before->rule, after->rule) << "round " << round;
  }
  EXPECT_GT(differed, 0) << "the control: where both match, the order shows";
}

}  // namespace
}  // namespace tophand::policy

// Who may wait, by whose word, and for what.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "policy/policy.h"
#include "policy/test_support.h"

namespace tophand::policy {
namespace {

using ::testing::Contains;
using ::testing::HasSubstr;
using What = Wait::What;

constexpr std::int64_t kMinute = 60'000, kHour = 60 * kMinute;

TEST(Deadline, IsACountOfSecondsOrOfAUnit) {
  EXPECT_EQ(parse_deadline("600"), 600);
  EXPECT_EQ(parse_deadline("90s"), 90);
  EXPECT_EQ(parse_deadline("30m"), 1800);
  EXPECT_EQ(parse_deadline("8h"), 28'800);
  EXPECT_EQ(parse_deadline("7d"), 604'800);
  EXPECT_EQ(parse_deadline("0"), 0);
  for (const char* wrong : {"", "h", "-1", "1.5h", "8 h", "8hh", "8w", "604801", "8d", "1e3",
                            "99999999999999999999", "9223372036854775807d"})
    EXPECT_EQ(parse_deadline(wrong), std::nullopt) << wrong;
}

TEST(Deadline, IsToldInTheLargestUnitThatFits) {
  EXPECT_EQ(span_name(28'800), "8 h");
  EXPECT_EQ(span_name(5400), "90 min");
  EXPECT_EQ(span_name(172'800), "2 days");
  EXPECT_EQ(span_name(61), "61 s");
  EXPECT_EQ(span_name(0), "0 s");
}

TEST(Deadline, LeavesTimeForTheAnswer) {
  EXPECT_EQ(patience_ms(4000), 3000);
  EXPECT_EQ(patience_ms(8 * kHour), 8 * kHour - 10 * kMinute);
  EXPECT_EQ(patience_ms(0), 0);
  EXPECT_EQ(patience_ms(-5), 0);
}

TEST(Wait, LocalWorkWaitsForAPlaceAndNeverLongerThanItsConnection) {
  const WaitFacts held{.deadline_ms = 8 * kHour, .held = true, .night_in_ms = kHour};
  EXPECT_EQ(plan_wait(held, {.hold_s = 600}).what, What::kPlace);
  EXPECT_EQ(plan_wait(held, {.hold_s = 600}).ms, 10 * kMinute);
  const WaitFacts fetched{.deadline_ms = 8 * kHour};
  EXPECT_EQ(plan_wait(fetched, {.hold_s = 600}).ms, 8 * kHour - 10 * kMinute);
  EXPECT_EQ(plan_wait(held, {.hold_s = 0}).what, What::kNothing);
  EXPECT_EQ(plan_wait({}, {}).what, What::kNothing);
}

TEST(Wait, WorkForClaudeWaitsForANightThatBeginsInTime) {
  const auto wait = [](std::optional<std::int64_t> night_in_ms, bool held) {
    return plan_wait({.deadline_ms = 2 * kHour,
                      .bound_for_claude = true,
                      .held = held,
                      .night_in_ms = night_in_ms},
                     {.hold_s = 600});
  };
  EXPECT_EQ(wait(kHour, false).what, What::kNight);
  EXPECT_EQ(wait(kHour, false).ms, kHour);
  EXPECT_EQ(wait(2 * kHour, false).what, What::kNothing);  // no time would be left to answer
  EXPECT_EQ(wait(kHour, true).what, What::kNothing);       // longer than a connection is held
  EXPECT_EQ(wait(5 * kMinute, true).what, What::kNight);
  EXPECT_EQ(wait(0, false).what, What::kNothing);  // it is night
  EXPECT_EQ(wait(std::nullopt, false).what, What::kNothing);
}

TEST(Wait, WorkForClaudeGoesIntoABatchWhereThatIsAllowedAndThereIsTime) {
  const WaitFacts facts{
      .deadline_ms = 2 * kHour, .bound_for_claude = true, .batchable = true, .night_in_ms = kHour};
  const DeferSettings settings{.batch = true, .batch_min_s = 3600};
  EXPECT_EQ(plan_wait(facts, settings).what, What::kBatch);
  EXPECT_EQ(plan_wait(facts, settings).ms, 110 * kMinute);
  EXPECT_EQ(plan_wait(facts, {.batch = false}).what, What::kNight);
  const auto but = [&](auto change) {
    WaitFacts other = facts;
    change(other);
    return plan_wait(other, settings).what;
  };
  EXPECT_EQ(but([](WaitFacts& f) { f.held = true; }), What::kNothing);
  EXPECT_EQ(but([](WaitFacts& f) { f.batchable = false; }), What::kNight);
  EXPECT_EQ(but([](WaitFacts& f) { f.deadline_ms = 50 * kMinute; }), What::kNothing);
  EXPECT_EQ(but([](WaitFacts& f) { f.bound_for_claude = false; }), What::kPlace);
}

std::int64_t deadline_of(const Facts& facts, const Settings& settings) {
  const auto decision = decide(facts, settings);
  EXPECT_TRUE(decision) << decision.error().message;
  if (!decision) return -1;
  EXPECT_EQ(decision->defer, decision->deadline_s > 0);
  return decision->deadline_s;
}

Settings with_rule(Actions then) {
  Settings settings = settings_with_key();
  settings.rules = {{.name = "r", .when = {}, .then = std::move(then)}};
  return settings;
}

TEST(MayWait, NobodyDoesWhereNothingWasSaid) {
  EXPECT_EQ(deadline_of(facts_for("low"), settings_with_key()), 0);
  EXPECT_EQ(deadline_of(facts_for("high"), settings_with_key()), 0);
}

TEST(MayWait, WhoDeclaresADeadline) {
  Facts facts = facts_for("low");
  facts.body_deadline = "30m";
  EXPECT_EQ(deadline_of(facts, settings_with_key()), 1800);
  facts.header_deadline = " 8H ";
  EXPECT_EQ(deadline_of(facts, settings_with_key()), 28'800);
  const auto decision = decide(facts, settings_with_key());
  EXPECT_THAT(decision->reasons, Contains("may wait 8 h (header x-tophand-deadline)"));
}

TEST(MayWait, OnlyWithLowPriority) {
  Facts facts = facts_for("high");
  facts.header_deadline = "8h";
  EXPECT_EQ(deadline_of(facts, settings_with_key()), 0);
  EXPECT_EQ(deadline_of(facts_for("high"), with_rule({.defer = true})), 0);
}

TEST(MayWait, NotWhoeverSaysThatItMustNot) {
  Facts facts = facts_for("low");
  facts.header_deadline = "0";
  EXPECT_EQ(deadline_of(facts, with_rule({.defer = true})), 0);
}

TEST(MayWait, WhatARuleAClassAPersonaOrAKeyLets) {
  Settings settings = settings_with_key();
  settings.defer.deadline_s = 700;
  settings.keys["ci"] = {.deadline_s = 100};
  Facts facts = facts_for("low");
  EXPECT_EQ(deadline_of(facts, settings), 0);
  facts.key_name = "ci";
  EXPECT_EQ(deadline_of(facts, settings), 100);
  settings.personas["monday"] = {.deadline_s = 200};
  facts.persona = "monday";
  EXPECT_EQ(deadline_of(facts, settings), 200);
  settings.classes["qa"] = {.deadline_s = 300};
  facts.header_class = "qa";
  EXPECT_EQ(deadline_of(facts, settings), 300);
  settings.rules = {{.name = "r", .when = {}, .then = {.defer = true}}};
  EXPECT_EQ(deadline_of(facts, settings), 700);  // it names no time, and speaks before the class
  settings.rules[0].then.deadline_s = 500;
  EXPECT_EQ(deadline_of(facts, settings), 500);
  EXPECT_THAT(decide(facts, settings)->reasons, Contains("may wait 500 s (rule r)"));
}

TEST(MayWait, AHeaderThatIsNoTimeIsRefusedAndSuchMetadataPassedOver) {
  Facts facts = facts_for("low");
  facts.header_deadline = "tomorrow";
  const auto refused = decide(facts, settings_with_key());
  ASSERT_FALSE(refused);
  EXPECT_EQ(refused.error().code, Code::kInvalid);
  EXPECT_THAT(refused.error().message, HasSubstr("X-Tophand-Deadline: expected a time"));
  facts.header_deadline = "";
  facts.body_deadline = "tomorrow";
  EXPECT_EQ(deadline_of(facts, settings_with_key()), 0);
}

TEST(Deferral, AnAnswerMayBeginHalfAMinuteLate) {
  EXPECT_EQ(begins_within_ms(8'000), 38'000);
  EXPECT_EQ(begins_within_ms(0), 0) << "without a deadline";
}

}  // namespace
}  // namespace tophand::policy

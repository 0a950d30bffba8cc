#include "policy/pacing.h"

#include <gtest/gtest.h>

#include <cmath>

namespace tophand::policy {
namespace {

constexpr std::int64_t kHourMs = 3'600'000, kWeekMs = 168 * kHourMs;
constexpr std::int64_t kMonday = 1'789'344'000'000;  // 2026-09-14 00:00 UTC, a Monday

BudgetWindow week(std::int64_t start_ms = kMonday) {
  return {.name = "week", .start_ms = start_ms, .end_ms = start_ms + kWeekMs, .cap = 168};
}

// An even spending of so many dollars an hour; the cap is one an hour.
double lambda_after(double usd_an_hour, int hours) {
  Pacer pacer;
  const Demand demand;
  pacer.open(week());
  for (int hour = 1; hour <= hours; ++hour)
    pacer.observe(kMonday + hour * kHourMs, usd_an_hour * hour, demand);
  return pacer.lambda();
}

TEST(Pacing, DoesNothingWithoutAWindow) {
  EXPECT_EQ(Pacer().state(kMonday, Demand()), BudgetState());
}

TEST(Pacing, HoldsLambdaWhenSpendingIsOnTarget) {
  EXPECT_NEAR(lambda_after(1, 100), PacerTuning().lambda_first, 0.05);
}

TEST(Pacing, RaisesLambdaWhenSpendingRunsAhead) {
  EXPECT_GT(lambda_after(1.5, 24), 3 * PacerTuning().lambda_first);
}

TEST(Pacing, LowersLambdaWhenSpendingLags) {
  EXPECT_LT(lambda_after(0.5, 24), PacerTuning().lambda_first / 3);
}

// Half a week in, nothing spent in the last eight hours: the step is exp(0.15 * -1) an hour.
TEST(Pacing, MovesByThePublishedStep) {
  Pacer pacer;
  const Demand demand;
  pacer.open(week());
  pacer.observe(kMonday + 100 * kHourMs, 0, demand);
  const double before = pacer.lambda();
  EXPECT_EQ(before, PacerTuning().lambda_min);          // a hundred idle hours: at the bound
  pacer.observe(kMonday + 101 * kHourMs, 168, demand);  // all of it at once
  pacer.observe(kMonday + 102 * kHourMs, 168, demand);
  EXPECT_NEAR(pacer.lambda(), before * std::exp(0.15 * 1.5), before * 0.2);
}

TEST(Pacing, KeepsLambdaWithinItsBounds) {
  EXPECT_EQ(lambda_after(0, 167), PacerTuning().lambda_min);
  EXPECT_EQ(lambda_after(100, 167), PacerTuning().lambda_max);
}

TEST(Pacing, BeginsAWindowWithTheMedianOfTheLast) {
  Pacer pacer;
  const Demand demand;
  pacer.open(week());
  for (int hour = 1; hour <= 168; ++hour)
    pacer.observe(kMonday + hour * kHourMs, hour < 160 ? hour : 160, demand);
  const double last = pacer.lambda();
  pacer.open(week(kMonday + kWeekMs));
  EXPECT_GT(pacer.lambda(), last);
  EXPECT_NEAR(pacer.lambda(), PacerTuning().lambda_first, 0.1);
  EXPECT_EQ(pacer.state(kMonday + kWeekMs, demand).used, 0);
}

TEST(Pacing, KeepsAReserveUntilTheLastDay) {
  Pacer pacer;
  const Demand demand;
  pacer.open(week());
  pacer.observe(kMonday + 80 * kHourMs, 0.96 * 168, demand);
  EXPECT_TRUE(pacer.state(kMonday + 80 * kHourMs, demand).reserve_only);
  EXPECT_TRUE(pacer.state(kMonday + 143 * kHourMs, demand).reserve_only);
  EXPECT_FALSE(pacer.state(kMonday + 145 * kHourMs, demand).reserve_only);
}

TEST(Pacing, AnEmptyWindowCoversNothingWhoeverAsksForIt) {
  Pacer pacer;
  const Demand nobody;
  pacer.open(week());
  pacer.observe(kMonday + 80 * kHourMs, 160, nobody);
  EXPECT_EQ(pacer.state(kMonday + 80 * kHourMs, nobody).high_cover, 1);
  pacer.observe(kMonday + 81 * kHourMs, 168, nobody);
  EXPECT_EQ(pacer.state(kMonday + 81 * kHourMs, nobody).high_cover, 0);
  pacer.observe(kMonday + 82 * kHourMs, 300, nobody);
  EXPECT_EQ(pacer.state(kMonday + 82 * kHourMs, nobody).high_cover, 0);
}

TEST(Pacing, LetsGoOnTheLastDay) {
  Pacer pacer;
  const Demand demand;
  pacer.open(week());
  pacer.observe(kMonday + 120 * kHourMs, 120, demand);
  const double lambda = pacer.lambda();
  EXPECT_EQ(pacer.state(kMonday + 120 * kHourMs, demand).lambda, lambda);
  EXPECT_NEAR(pacer.state(kMonday + 156 * kHourMs, demand).lambda, lambda / 2, 1e-9);
  EXPECT_EQ(pacer.state(kMonday + kWeekMs, demand).lambda, 0);
}

TEST(Pacing, TreatsAFiveHourWindowInItsOwnTime) {
  Pacer pacer;
  const Demand demand;
  pacer.open({.name = "5h", .start_ms = kMonday, .end_ms = kMonday + 5 * kHourMs, .cap = 1});
  for (int minute = 1; minute <= 60; ++minute)
    pacer.observe(kMonday + minute * 60'000, minute / 120.0, demand);  // dry after two hours
  EXPECT_GT(pacer.lambda(), 2 * PacerTuning().lambda_first);
}

TEST(Pacing, SurvivesARestart) {
  Pacer pacer;
  Demand demand;
  pacer.open(week());
  for (int hour = 1; hour <= 30; ++hour) {
    demand.asked(kMonday + hour * kHourMs, {.usd = static_cast<double>(hour % 3)});
    pacer.observe(kMonday + hour * kHourMs, 1.3 * hour, demand);
  }
  auto loaded = Pacer::load(pacer.save());
  const auto loaded_demand = Demand::load(demand.save());
  ASSERT_TRUE(loaded && loaded_demand);
  pacer.observe(kMonday + 40 * kHourMs, 45, demand);
  loaded->observe(kMonday + 40 * kHourMs, 45, *loaded_demand);
  const std::int64_t now = kMonday + 41 * kHourMs;
  EXPECT_EQ(loaded->state(now, *loaded_demand), pacer.state(now, demand));
}

TEST(Pacing, RefusesAStateItDidNotWrite) {
  for (const char* text : {"", "{}", "[]", R"({"lambda":1e999})", R"({"lambda":-1})"})
    EXPECT_EQ(Pacer::load(text).error().code, Code::kCorrupt) << text;
  for (const char* text : {"", "{}", R"({"all":[1]})"})
    EXPECT_EQ(Demand::load(text).error().code, Code::kCorrupt) << text;
}

// A file that a disk has damaged, or whose clock was wrong by ages.
TEST(Pacing, RefusesNumbersThatNoTimeAndNoAmountHas) {
  Pacer pacer;
  pacer.open(week());
  pacer.observe(kMonday + 9 * kHourMs, 9, Demand());
  const std::string good = pacer.save();
  ASSERT_TRUE(Pacer::load(good)) << good;
  for (const char* key :
       {"\"end_ms\":", "\"stepped_ms\":", "\"cap\":", "\"spent\":", "\"marks\":[["}) {
    std::string damaged = good;
    const std::size_t at = damaged.find(key) + std::string_view(key).size();
    damaged.replace(at, damaged.find_first_of(",]", at) - at, "9223372036854775807");
    EXPECT_FALSE(Pacer::load(damaged)) << damaged;
  }
}

// It would stay in the look-back for ever, and all that came after it.
TEST(Pacing, RefusesASpendingThatLiesAhead) {
  Pacer pacer;
  pacer.open(week());
  pacer.observe(kMonday + 9 * kHourMs, 9, Demand());
  std::string damaged = pacer.save();
  const std::size_t at = damaged.find("\"marks\":[[") + 10;
  damaged.insert(damaged.find(',', at), "0");  // ten times as late
  EXPECT_EQ(Pacer::load(damaged).error().code, Code::kCorrupt);
}

TEST(Demand, IsEvenBeforeAnythingWasSeen) {
  EXPECT_NEAR(Demand().expected_hours(kMonday, kMonday + kWeekMs), 168, 1e-9);
  EXPECT_NEAR(Demand().expected_hours(kMonday + 10, kMonday + kHourMs + 10), 1, 1e-9);
}

TEST(Demand, LearnsTheHoursAndDaysOfWork) {
  Demand demand;
  for (std::int64_t hour = 0; hour < 4 * 168; ++hour)  // Monday to Friday, nine to five
    if (hour % 168 < 120 && hour % 24 >= 9 && hour % 24 < 17)
      demand.asked(kMonday + hour * kHourMs, {.usd = 2});
  const std::int64_t monday = kMonday + 4 * kWeekMs;
  const auto expected = [&](std::int64_t hour) {
    return demand.expected_hours(monday + hour * kHourMs, monday + (hour + 1) * kHourMs);
  };
  EXPECT_GT(expected(10), 8 * expected(3));            // of a working day
  EXPECT_GT(expected(10), 3 * expected(5 * 24 + 10));  // and of a Saturday
  EXPECT_NEAR(demand.expected_hours(monday, monday + kWeekMs), 168, 1e-6);
  EXPECT_NEAR(demand.mean_cost_usd(), 2, 1e-9);
}

TEST(Demand, IgnoresAmountsThatAreNone) {
  Demand demand;
  demand.asked(kMonday, {.usd = std::nan("")});
  demand.asked(kMonday, {.usd = -1});
  demand.asked(-1, {.usd = 1});
  EXPECT_EQ(demand.mean_cost_usd(), 0);
}

}  // namespace
}  // namespace tophand::policy

#include "policy/evidence.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <cstdint>
#include <cstdio>
#include <vector>

#include "base/random.h"

namespace tophand::policy {
namespace {

// The expected numbers were worked out before this code was written, and apart from it.

TEST(WilsonBound, IsTheTextbookFormula) {
  EXPECT_NEAR(wilson_lower(45, 50), 0.808462, 5e-7);
  EXPECT_NEAR(wilson_upper(45, 50), 0.950471, 5e-7);
  EXPECT_EQ(wilson_lower(0, 0), 0);
  EXPECT_EQ(wilson_upper(0, 0), 1);
  EXPECT_EQ(wilson_lower(0, 20), 0);
  EXPECT_EQ(wilson_upper(20, 20), 1);
}

// The most failures out of n with which the bound is still .80.
std::int64_t failures_max(std::int64_t n) {
  std::int64_t failures = -1;
  while (wilson_lower(static_cast<double>(n - failures - 1), static_cast<double>(n)) >= 0.80)
    ++failures;
  return failures;
}

double chance_of_at_most(std::int64_t failures, std::int64_t n, double p_failure) {
  double sum = 0;
  for (std::int64_t k = 0; k <= failures; ++k) {
    const auto kd = static_cast<double>(k), nd = static_cast<double>(n);
    sum += std::exp(std::lgamma(nd + 1) - std::lgamma(kd + 1) - std::lgamma(nd - kd + 1) +
                    kd * std::log(p_failure) + (nd - kd) * std::log1p(-p_failure));
  }
  return sum;
}

TEST(WilsonBound, LetsAClassThroughAsOftenAsTheTableSays) {
  struct Row {
    std::int64_t n, failures;
    std::vector<double> chances;  // when the true rate is .80, .85, .88, .90, .95
  };
  const std::vector<double> rates{.80, .85, .88, .90, .95};
  const std::vector<Row> rows{
      {30, 2, {.04, .15, .29, .41, .81}}, {50, 5, {.05, .22, .44, .62, .96}},
      {100, 13, {.05, .35, .69, .88, 1}}, {200, 30, {.04, .55, .92, .99, 1}},
      {300, 48, {.05, .72, .98, 1, 1}},   {500, 85, {}}};
  for (const Row& row : rows) {
    EXPECT_EQ(failures_max(row.n), row.failures) << row.n;
    for (std::size_t i = 0; i < row.chances.size(); ++i)
      EXPECT_NEAR(chance_of_at_most(row.failures, row.n, 1 - rates[i]), row.chances[i], 0.006)
          << row.n << " at " << rates[i];
  }
}

TEST(WilsonBound, NeedsSoManyObservationsForAnObservedRate) {
  // The observed count is the whole number that is next to the rate.
  const auto needed = [](double rate) {
    double n = 1;
    while (wilson_lower(std::min(n, std::round(rate * n)), n) < 0.80) ++n;
    return n;
  };
  EXPECT_EQ(needed(1.00), 11);
  EXPECT_EQ(needed(0.95), 20);
  EXPECT_EQ(needed(0.92), 28);
  EXPECT_EQ(needed(0.88), 61);
  EXPECT_EQ(needed(0.85), 162);
  EXPECT_EQ(needed(0.84), 253);
  EXPECT_EQ(needed(0.82), 1036);
}

TEST(Counts, RememberAboutTheLastTwoHundred) {
  Counts counts;
  for (int i = 0; i < 5000; ++i) counts.add(true);
  EXPECT_NEAR(counts.n(), 200, 1e-6);
  for (int i = 0; i < 200; ++i) counts.add(false);
  EXPECT_NEAR(counts.good() / counts.n(), std::pow(0.995, 200), 1e-6);  // .37
}

TEST(Counts, TakeOutWhatAnEarlierObservationStillWeighs) {
  Counts with, without;
  for (int i = 0; i < 50; ++i) {
    with.add(i != 20);
    without.add(i != 20);
  }
  with.take_out(false, 29);
  EXPECT_NEAR(without.n() - with.n(), std::pow(0.995, 29), 1e-12);
  EXPECT_NEAR(with.good(), with.n(), 1e-9);  // the only failure is gone
}

// Observations until the alarm at a rate of success that does not change; `at_most` bounds it.
std::int64_t run_length(SplitMix64& random, double rate, std::int64_t at_most) {
  Cusum cusum;
  std::int64_t n = 0;
  while (++n < at_most)
    if (cusum.observe(random.uniform() < rate, {})) break;
  return n;
}

TEST(Cusum, RaisesAFalseAlarmOnlyAboutEveryElevenHundredObservations) {
  constexpr std::uint64_t kSeed = 6004;
  RecordProperty("seed", static_cast<int>(kSeed));
  SplitMix64 random(kSeed);
  constexpr int kRuns = 4000;
  double sum = 0;
  for (int i = 0; i < kRuns; ++i) sum += static_cast<double>(run_length(random, 0.88, 100'000));
  const double mean = sum / kRuns;  // standard error about 18
  std::printf("mean run at .88: %.0f (seed %llu)\n", mean, static_cast<unsigned long long>(kSeed));
  EXPECT_GE(mean, 900);
  EXPECT_LE(mean, 1400);
}

TEST(Cusum, NoticesAFallWithinFortyFiveObservations) {
  constexpr std::uint64_t kSeed = 6005;
  SplitMix64 random(kSeed);
  struct Fall {
    double to;
    double mean_low, mean_high;
    std::int64_t median_max;
  };
  for (const Fall& fall : {Fall{0.70, 31, 35, 45}, Fall{0.75, 48, 56, 45}}) {
    std::vector<std::int64_t> delays;
    double sum = 0;
    for (int i = 0; i < 4001; ++i) {
      delays.push_back(run_length(random, fall.to, 100'000));
      sum += static_cast<double>(delays.back());
    }
    std::ranges::nth_element(delays, delays.begin() + 2000);
    const double mean = sum / 4001;
    std::printf("fall to %.2f: mean %.1f, median %lld (seed %llu)\n", fall.to, mean,
                static_cast<long long>(delays[2000]), static_cast<unsigned long long>(kSeed));
    EXPECT_GE(mean, fall.mean_low);
    EXPECT_LE(mean, fall.mean_high);
    EXPECT_LE(delays[2000], fall.median_max);
  }
}

TEST(RoganGladen, FindsTheRateBehindAJudgeThatErrs) {
  constexpr std::uint64_t kSeed = 6006;
  SplitMix64 random(kSeed);
  JudgeQuality judge;
  for (int i = 0; i < 1000; ++i) {
    judge.of_good.add(random.uniform() < 0.90);
    judge.of_bad.add(random.uniform() < 0.30);
  }
  double good = 0;
  constexpr int kLabels = 20'000;
  for (int i = 0; i < kLabels; ++i) {
    const bool is_good = random.uniform() < 0.80;
    good += random.uniform() < (is_good ? 0.90 : 0.30) ? 1 : 0;
  }
  EXPECT_NEAR(good / kLabels, 0.78, 0.01);  // .8 * .9 + .2 * .3: what the judge shows
  const auto corrected = correct_for(judge, good, kLabels);
  ASSERT_TRUE(corrected);
  EXPECT_NEAR(corrected->rate, 0.80, 0.08);  // the judge's own rates rest on 200 labels
  // Those 200 bound what is known, however many labels there are.
  EXPECT_LT(corrected->n, 400);
  EXPECT_GT(corrected->n, 50);
}

TEST(RoganGladen, KnowsNothingFromAJudgeThatGuesses) {
  JudgeQuality judge;
  for (int i = 0; i < 200; ++i) {
    judge.of_good.add(i % 2 == 0);
    judge.of_bad.add(i % 2 == 0);
  }
  EXPECT_FALSE(correct_for(judge, 80, 100));
}

}  // namespace
}  // namespace tophand::policy

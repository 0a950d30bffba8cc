#include "policy/comparison.h"

#include <gtest/gtest.h>

#include <cmath>

#include "base/random.h"

namespace tophand::policy {
namespace {

Sample every(int n, double first, double second) {
  Sample out;
  for (int i = 0; i < n; ++i) out.add(i % 2 == 0 ? first : second);
  return out;
}

TEST(Sample, HasTheMeanAndVarianceOfTheTextbook) {
  Sample sample;
  for (const double value : {2.0, 4.0, 4.0, 4.0, 5.0, 5.0, 7.0, 9.0}) sample.add(value);
  EXPECT_DOUBLE_EQ(sample.mean(), 5);
  EXPECT_NEAR(sample.variance(), 32.0 / 7, 1e-12);
}

TEST(DifferenceOfMeans, SaysNothingOfSmallArms) {
  EXPECT_FALSE(difference_of_means(every(29, 1, 2), every(1000, 1, 2)));
  EXPECT_FALSE(difference_of_means(every(1000, 1, 2), every(29, 1, 2)));
  EXPECT_TRUE(difference_of_means(every(30, 1, 2), every(30, 1, 2)));
}

// 40 values 1, 3 and 60 values 0, 1 in turn: 52.016 degrees of freedom, at which Student's density,
// integrated numerically (Simpson's rule, 20,000 steps), has its 0.975 quantile at 2.006632.
TEST(DifferenceOfMeans, IsWelchsInterval) {
  const auto found = difference_of_means(every(40, 1, 3), every(60, 0, 1));
  ASSERT_TRUE(found);
  EXPECT_NEAR(found->estimate, 1.5, 1e-12);
  EXPECT_NEAR(found->lower, 1.153147, 1e-5);
  EXPECT_NEAR(found->upper, 1.846853, 1e-5);
}

// Newcombe 1998, table II, example (a): 56/70 against 48/80, method 10: 0.2000, (0.0524, 0.3339).
TEST(DifferenceOfRates, IsNewcombesExample) {
  const auto found = difference_of_rates({56, 70}, {48, 80});
  ASSERT_TRUE(found);
  EXPECT_NEAR(found->estimate, 0.2, 1e-12);
  EXPECT_NEAR(found->lower, 0.0524, 5e-5);
  EXPECT_NEAR(found->upper, 0.3339, 5e-5);
  EXPECT_FALSE(difference_of_rates({20, 29}, {48, 80}));
}

// Skewed costs, as requests have them: the interval holds the truth in about 95 of 100 cases.
TEST(DifferenceOfMeans, CoversTheTruthAsOftenAsItSays) {
  constexpr std::uint64_t kSeed = 20261126;
  SplitMix64 random(kSeed);
  const auto cost = [&](double mean) { return -mean * std::log(1 - random.uniform()); };
  int covered = 0;
  constexpr int kRounds = 2000;
  for (int round = 0; round < kRounds; ++round) {
    Sample a, b;
    for (int i = 0; i < 100; ++i) a.add(cost(3));
    for (int i = 0; i < 400; ++i) b.add(cost(1));
    const auto found = difference_of_means(a, b);
    if (found && found->lower <= 2 && 2 <= found->upper) ++covered;
  }
  EXPECT_GT(covered, kRounds * 92 / 100) << "seed " << kSeed;
  EXPECT_LT(covered, kRounds * 97 / 100) << "seed " << kSeed;
}

}  // namespace
}  // namespace tophand::policy

#include "policy/learning.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <cstdio>
#include <vector>

#include "base/random.h"

namespace tophand::policy {
namespace {

const RouteName kRoute{"qa", "small:1b"};

// Labels of one route, a row each.
struct Feed {
  Learner learner;
  std::int64_t row = 0;
  std::string version = "v1";

  void add(bool good, LabelSource source = LabelSource::kDownstream,
           GateVerdict gate = GateVerdict::kNone) {
    ++row;
    learner.observe({kRoute, version, row, row * 1000, source, good, gate});
  }
  void add_many(int n, int failures) {  // the failures last
    for (int i = 0; i < n; ++i) add(i < n - failures);
  }
  RouteState state() const { return learner.find(kRoute).value_or(RouteState{}); }
};

TEST(Learner, TrustsInSteps) {
  Feed feed;
  EXPECT_FALSE(feed.learner.find(kRoute));
  for (int i = 0; i < 49; ++i) feed.add(i % 10 != 0);  // 5 failures
  EXPECT_EQ(feed.state().stage, Stage::kShadow);
  EXPECT_EQ(feed.state().next_look, 50);
  feed.add(true);
  EXPECT_EQ(feed.state().stage, Stage::kCanary);  // 45 of 50: .808
  EXPECT_EQ(feed.state().seen, 0);
  for (int i = 0; i < 50; ++i) feed.add(true);
  EXPECT_EQ(feed.state().stage, Stage::kTrusted);
  EXPECT_EQ(feed.state().changed_ms, 100'000);
  EXPECT_EQ(feed.state().next_look, 0);
}

TEST(Learner, LooksAgainOnlyAtTwiceAsMany) {
  Feed feed;
  for (int i = 0; i < 50; ++i) feed.add(i % 8 != 0);  // 7 failures: one too many twice over
  EXPECT_EQ(feed.state().stage, Stage::kShadow);
  for (int i = 0; i < 49; ++i) feed.add(true);  // 7 of 99 would pass at any look
  EXPECT_EQ(feed.state().stage, Stage::kShadow);
  feed.add(true);
  EXPECT_EQ(feed.state().stage, Stage::kCanary);
}

TEST(Learner, DemotesARouteThatFellAndLetsItEarnItsWayBack) {
  Feed feed;
  feed.add_many(100, 0);
  ASSERT_EQ(feed.state().stage, Stage::kTrusted);
  for (int i = 0; i < 4; ++i) feed.add(false);
  EXPECT_EQ(feed.state().stage, Stage::kTrusted);
  feed.add(false);  // 5 * ln(.30 / .12) = 4.58
  EXPECT_EQ(feed.state().stage, Stage::kDemoted);
  EXPECT_EQ(feed.state().cusum, 0);
  feed.add_many(50, 0);
  EXPECT_EQ(feed.state().stage, Stage::kCanary);
}

TEST(Learner, StartsAnewWithAnotherVersionAndPassesOverLateLabelsOfTheOldOne) {
  Feed feed;
  feed.add_many(100, 0);
  feed.version = "v2";
  feed.add(true);
  EXPECT_EQ(feed.state().stage, Stage::kShadow);
  EXPECT_EQ(feed.state().version, "v2");
  EXPECT_EQ(feed.state().n, 1);
  feed.learner.observe({kRoute, "v1", 50, 0, LabelSource::kHuman, false, GateVerdict::kNone});
  EXPECT_EQ(feed.state().version, "v2");
  EXPECT_EQ(feed.state().n, 1);
}

TEST(Learner, CountsARowOnceByItsStrongestLabel) {
  Feed feed;
  feed.add(true, LabelSource::kJudge);
  const Label human{kRoute, "v1", 1, 0, LabelSource::kHuman, false, GateVerdict::kNone};
  feed.learner.observe(human);
  EXPECT_NEAR(feed.state().n, 1, 1e-9);
  EXPECT_NEAR(feed.state().p_mean, 1.0 / 3, 1e-9);  // Beta(1, 2)
  feed.learner.observe(human);                      // told twice
  feed.learner.observe({kRoute, "v1", 1, 0, LabelSource::kJudge, true, GateVerdict::kNone});
  EXPECT_NEAR(feed.state().n, 1, 1e-9);
  EXPECT_NEAR(feed.state().p_mean, 1.0 / 3, 1e-9);
  feed.learner.observe({kRoute, "v1", 1, 0, LabelSource::kHuman, true, GateVerdict::kNone});
  EXPECT_NEAR(feed.state().n, 1, 1e-9);  // a person took it back
  EXPECT_NEAR(feed.state().p_mean, 2.0 / 3, 1e-9);
}

TEST(Learner, MeasuresTheGateAgainstWhatWasFoundLater) {
  Feed feed;
  for (int i = 0; i < 90; ++i) feed.add(true, LabelSource::kJudge, GateVerdict::kPassed);
  for (int i = 0; i < 10; ++i) feed.add(true, LabelSource::kJudge, GateVerdict::kFailed);
  for (int i = 0; i < 10; ++i) feed.add(false, LabelSource::kJudge, GateVerdict::kPassed);
  for (int i = 0; i < 40; ++i) feed.add(false, LabelSource::kJudge, GateVerdict::kFailed);
  const RouteState state = feed.state();
  EXPECT_NEAR(state.gate_tpr.mean, 0.9, 0.05);
  EXPECT_NEAR(state.gate_fpr.mean, 0.2, 0.05);
  EXPECT_GT(state.gate_tpr.lower, 0.75);
  EXPECT_LT(state.gate_fpr.upper, 0.35);
  // What the gate threw out did not succeed: 90 of 150, less what was forgotten.
  EXPECT_LT(state.p_mean, 0.6);
}

TEST(Learner, CorrectsAJudgeOnceHumansHaveLabelledFiftyOfItsRows) {
  Feed feed;
  std::int64_t row = 10'000;
  const auto pair = [&](bool judge, bool human) {
    ++row;
    feed.learner.observe({{"other", "m"}, "v1", row, 0, LabelSource::kJudge, judge, {}});
    feed.learner.observe({{"other", "m"}, "v1", row, 0, LabelSource::kHuman, human, {}});
  };
  for (int i = 0; i < 200; ++i) feed.add(i % 10 != 0, LabelSource::kJudge);
  const double before = feed.state().p_mean;
  EXPECT_FALSE(feed.state().judge_is_corrected);
  for (int i = 0; i < 30; ++i) pair(true, true);
  for (int i = 0; i < 19; ++i) pair(i % 2 == 0, false);  // it passes half of what is bad
  EXPECT_FALSE(feed.state().judge_is_corrected);
  pair(false, false);
  EXPECT_TRUE(feed.state().judge_is_corrected);
  EXPECT_LT(feed.state().p_mean, before - 0.05);
  EXPECT_LT(feed.state().n, 100);  // such labels are worth less
}

TEST(Learner, IsAFoldSoThatTheTableCanBeMadeAnew) {
  SplitMix64 random(77);
  std::vector<Label> labels;
  for (int i = 0; i < 3000; ++i)
    labels.push_back({{random.uniform() < 0.5 ? "qa" : "commit", "m"},
                      i < 2000 ? "v1" : "v2",
                      static_cast<std::int64_t>(random.uniform() * 100) + i,
                      i,
                      static_cast<LabelSource>(random.next() % 5),
                      random.uniform() < 0.9,
                      static_cast<GateVerdict>(random.next() % 3)});
  Learner once, again;
  for (const Label& label : labels) once.observe(label);
  for (const Label& label : labels) again.observe(label);
  ASSERT_EQ(once.all().size(), 2U);
  for (std::size_t i = 0; i < 2; ++i) {
    EXPECT_EQ(once.all()[i].p_mean, again.all()[i].p_mean);
    EXPECT_EQ(once.all()[i].why, again.all()[i].why);
  }
}

TEST(Learner, KeepsNoMoreRoutesThanItMay) {
  Learner learner({.routes_max = 10});
  for (int i = 0; i < 100; ++i)
    learner.observe({{"class" + std::to_string(i), "m"}, "v", i, 0, LabelSource::kHuman, true, {}});
  EXPECT_EQ(learner.all().size(), 10U);
  EXPECT_TRUE(learner.find({"class99", "m"}));
}

// How many of `runs` routes with a true rate of `p` are promoted out of shadow within `tasks`.
double promoted_share(double p, int tasks, int runs, std::uint64_t seed, std::int64_t first_look) {
  SplitMix64 random(seed);
  int promoted = 0;
  for (int run = 0; run < runs; ++run) {
    Learner learner({.first_look = first_look});
    for (int i = 1; i <= tasks; ++i) {
      learner.observe({kRoute, "v", i, i, LabelSource::kHuman, random.uniform() < p, {}});
      if (i % 50 != 0 || learner.find(kRoute)->stage == Stage::kShadow) continue;
      ++promoted;
      break;
    }
  }
  return static_cast<double>(promoted) / runs;
}

TEST(Learner, RarelyPromotesWhatIsNotGoodEnoughHoweverOftenItLooks) {
  constexpr std::uint64_t kSeed = 6007;
  const double at_75 = promoted_share(0.75, 3200, 2000, kSeed, 50);
  const double at_80 = promoted_share(0.80, 3200, 1000, kSeed, 50);
  const double at_90 = promoted_share(0.90, 200, 1000, kSeed, 50);
  std::printf(
      "promoted (looks at 50, 100, ... 3200; seed %llu): %.3f at .75, %.3f at .80; "
      "%.3f at .90 by 200\n",
      static_cast<unsigned long long>(kSeed), at_75, at_80, at_90);
  EXPECT_LE(at_75, 0.02);
  EXPECT_LE(at_80, 0.20);
  EXPECT_GE(at_90, 0.95);
}

// The control: the same bound, looked at after every label, lets through what it should not.
TEST(Learner, WouldPromoteTooOftenIfItLookedEveryTime) {
  SplitMix64 random(6008);
  int promoted = 0;
  for (int run = 0; run < 500; ++run) {
    double good = 0;
    for (int n = 1; n <= 3200; ++n) {
      good += random.uniform() < 0.75 ? 1 : 0;
      if (n < 11 || wilson_lower(good, n) < 0.80) continue;
      ++promoted;
      break;
    }
  }
  std::printf("promoted when looked at every time: %.3f at .75\n", promoted / 500.0);
  EXPECT_GT(promoted / 500.0, 0.05);
}

TEST(Learner, DemotesWithinFortyFiveTasksOfAFall) {
  constexpr std::uint64_t kSeed = 6009;
  SplitMix64 random(kSeed);
  std::vector<int> delays;
  while (delays.size() < 501) {
    Feed feed;
    while (feed.state().stage != Stage::kTrusted) feed.add(random.uniform() < 0.95);
    for (int i = 0; i < 100; ++i) feed.add(random.uniform() < 0.88);
    if (feed.state().stage != Stage::kTrusted) continue;  // a false alarm
    int delay = 0;
    while (feed.state().stage == Stage::kTrusted) {
      feed.add(random.uniform() < 0.70);
      ++delay;
    }
    delays.push_back(delay);
  }
  std::ranges::nth_element(delays, delays.begin() + 250);
  std::printf("median tasks to demotion after .88 -> .70: %d (seed %llu)\n", delays[250],
              static_cast<unsigned long long>(kSeed));
  EXPECT_LE(delays[250], 45);
}

}  // namespace
}  // namespace tophand::policy

// The musts of pacing, on a share of the held-out clients; the whole table is in docs/budget.md.
// Each must has a control: a policy without pacing that does not meet it.
#include <gtest/gtest.h>

#include "pacing_replay.h"

namespace tophand::simulation {
namespace {

constexpr std::uint64_t kSeed = 20260914;
constexpr std::string_view kProduct = "cascade + dual + ladder";

// Every third of the clients on which no constant was tuned (pacing_simulator holds out the odd
// ones).
std::vector<ClientTrace> held_out() {
  const auto all = read_traces(TOPHAND_SOURCE_DIR "/tests/simulation/client_weeks.csv");
  std::vector<ClientTrace> some;
  if (all)
    for (std::size_t i = 1; i < all->size(); i += 6) some.push_back((*all)[i]);
  return some;
}

Summary run_at(std::string_view policy, const Experiment& experiment) {
  const Summary sum = run(find_policy(policy), draw_all(held_out(), experiment), 1);
  std::printf(
      "seed %llu, %zu weeks, %s: quality %.3f, used at 48 h %.3f, dry before day 6 %.3f, "
      "high priority refused %zu of %zu\n",
      static_cast<unsigned long long>(experiment.seed), sum.weeks, policy.data(), sum.quality,
      sum.used_48h, sum.dry_before_day_6, sum.high_refused, sum.high);
  return sum;
}

void expect_musts(const Summary& sum) {
  EXPECT_LE(sum.used_48h, 0.33);
  EXPECT_LE(sum.dry_before_day_6, 0.05);
  EXPECT_GE(sum.quality, 0.94);
}

const Experiment kBusy{.load = 1.575, .seed = kSeed};
const Experiment kShock{
    .load = 1.575, .shape = {.high_share_of_hard = 1.0 / 3, .shock = 3}, .seed = kSeed};

TEST(PacingSimulation, LastsTheWeekWhenHalfAsMuchAgainIsAskedFor) {
  expect_musts(run_at("cascade + dual", kBusy));
  expect_musts(run_at(kProduct, kBusy));
}

TEST(PacingSimulation, ControlGreedySpendsHalfInTwoDaysAndRunsDry) {
  const Summary sum = run_at("greedy", kBusy);
  EXPECT_GT(sum.used_48h, 0.40);
  EXPECT_GT(sum.dry_before_day_6, 0.5);
  EXPECT_LT(sum.quality, 0.90);
}

TEST(PacingSimulation, RefusesNoHighPriorityWhenADayBringsThreeTimesAsMuch) {
  const Summary sum = run_at(kProduct, kShock);
  EXPECT_GT(sum.high, 1000u);
  EXPECT_EQ(sum.high_refused, 0u);
}

TEST(PacingSimulation, ControlGreedyRefusesHighPriorityInTheShock) {
  EXPECT_GT(run_at("greedy", kShock).high_refused, 100u);
}

// The share of weeks whose spending at the reset lay in the band that was shown, over all hours of
// looking and two loads; with the band drawn together by `factor`.
double held_by_the_band(double factor) {
  double held = 0, shown = 0;
  for (const double load : {1.0, 1.575}) {
    const auto replays = draw_all(held_out(), {.load = load, .seed = kSeed});
    std::vector<WeekOutcome> weeks = outcomes_of(find_policy(kProduct), replays, 1);
    for (WeekOutcome& week : weeks)
      for (auto& seen : week.forecasts)
        if (seen) {
          seen->low = seen->expected - factor * (seen->expected - seen->low);
          seen->high = seen->expected + factor * (seen->high - seen->expected);
        }
    for (const Coverage& sum : coverage(weeks)) {
      held += static_cast<double>(sum.inside);
      shown += static_cast<double>(sum.shown);
    }
  }
  std::printf("band times %.2f: held %.0f %% of %.0f\n", factor, 100 * held / shown, shown);
  return held / shown;
}

TEST(PacingSimulation, TheForecastsBandHoldsEightWeeksOfTen) {
  const double held = held_by_the_band(1);
  EXPECT_GE(held, 0.75);
  EXPECT_LE(held, 0.95) << "a band that holds everything says nothing";
}

TEST(PacingSimulation, ControlABandOfHalfTheWidthDoesNotHoldThem) {
  EXPECT_LT(held_by_the_band(0.5), 0.75);
}

TEST(PacingSimulation, ChangesNothingWhenTheBudgetSuffices) {
  const Experiment enough{.load = 0.5, .seed = kSeed};
  EXPECT_NEAR(run_at(kProduct, enough).quality, run_at("cascade", enough).quality, 0.005);
}

}  // namespace
}  // namespace tophand::simulation

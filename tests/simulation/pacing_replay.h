// Runs a policy over weeks of tasks and measures what became of them.
#pragma once

#include <array>
#include <optional>
#include <vector>

#include "pacing_policies.h"
#include "pacing_world.h"

namespace tophand::simulation {

// When the forecast is compared with what was spent at the week's end, in hours of the week.
inline constexpr std::array<std::int64_t, 4> kForecastHours{24, 48, 72, 120};

struct WeekOutcome {
  double quality = 0;                  // weighted success, relative to everything at the hard tier
  double used_48h = 0, used = 0;       // shares of the budget
  std::optional<double> dry_day = {};  // when a call was first refused for want of money
  double hard_success_last_2d = 0;     // of the costliest class
  std::size_t hard_last_2d = 0;
  std::size_t high = 0, high_refused = 0;
  double hour_spend_max = 0;  // share of the budget
  double budget = 0;
  std::array<std::optional<policy::Forecast>, kForecastHours.size()> forecasts = {};
};

// Weeks in a row with one policy, each with budget = its demand without a shock / load.
struct Replay {
  double load = 1.575;
  std::vector<std::vector<Task>> weeks = {};
  std::vector<double> budgets = {};
};
std::vector<WeekOutcome> replay(const PolicyRow& row, const Replay& weeks);
// The best that knowing every outcome beforehand allows: quality only.
double hindsight_quality(const std::vector<Task>& week, double budget);

struct Summary {
  std::size_t weeks = 0;
  double quality = 0, used_48h = 0, used = 0, hard_success_last_2d = 0, hour_spend_max = 0;
  double dry_before_day_6 = 0;         // share of the weeks
  std::optional<double> dry_day = {};  // median, when more than half of the weeks ran dry
  std::size_t high = 0, high_refused = 0, weeks_refused = 0;
};
Summary summarise(const std::vector<WeekOutcome>& outcomes);

// How often the band that was shown held what was then spent.
struct Coverage {
  std::size_t shown = 0, inside = 0, below = 0, above = 0;  // the truth below or above the band
  double width = 0, off = 0;  // means: of the band, of |expected - truth|; shares of the budget
};
std::array<Coverage, kForecastHours.size()> coverage(const std::vector<WeekOutcome>& outcomes);

struct Experiment {
  double load = 1.575;
  WeekShape shape = {};
  std::uint64_t seed = 1;
  std::size_t first_week = 1;  // measured: 1 leaves the first out, in which the policy learns
};
// Every client's two weeks, drawn with the experiment's seed; the same for every policy.
std::vector<Replay> draw_all(const std::vector<ClientTrace>& traces, const Experiment& experiment);
std::vector<WeekOutcome> outcomes_of(const PolicyRow& row, const std::vector<Replay>& replays,
                                     std::size_t first_week);
Summary run(const PolicyRow& row, const std::vector<Replay>& replays, std::size_t first_week);
double run_hindsight(const std::vector<Replay>& replays, std::size_t first_week);

}  // namespace tophand::simulation

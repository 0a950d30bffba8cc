// The world of the pacing simulator: weeks of arrivals after real clients' hours, and tasks whose
// cost, worth and outcome are drawn once, so that every policy meets the same ones.
// The model (three classes, their costs, chances and weights, the verifier's rates) is written down
// in docs/budget.md.
#pragma once

#include <array>
#include <cstdint>
#include <string>
#include <vector>

#include "base/random.h"
#include "base/result.h"
#include "policy/tiers.h"

namespace tophand::simulation {

inline constexpr std::int64_t kHourMs = 3'600'000;
inline constexpr std::int64_t kWeekHours = 168, kWeekMs = kWeekHours * kHourMs;

struct ClientTrace {
  std::string name;
  std::vector<double> hours;  // requests an hour, two weeks
};
// The CSV of client_weeks.csv. kIo, or kCorrupt with the line.
Result<std::vector<ClientTrace>> read_traces(const std::string& path);

inline constexpr std::size_t kTiers = 4;  // indexed by policy::Tier
struct TaskClass {
  double share, mean_cost, weight;  // cost at the hard tier; the unit is arbitrary
  double p_local;
  bool local_first;                   // in a cascade
  std::array<double, kTiers> p_tier;  // success of each tier; [kLocal] is p_local
};
inline constexpr std::array<TaskClass, 3> kClasses{{
    {0.60, 1, 1, 0.80, true, {0.80, 0.90, 0.94, 0.95}},
    {0.25, 3, 2, 0.45, true, {0.45, 0.72, 0.86, 0.90}},
    {0.15, 10, 5, 0.15, false, {0.15, 0.40, 0.68, 0.80}},
}};
// Of the price book: Haiku 5.5, Sonnet 5.5, Opus 5.5.
inline constexpr std::array<double, kTiers> kRelativePrice{0, 0.025, 0.5, 1};
inline constexpr double kVerifierTpr = 0.95, kVerifierFpr = 0.10;

struct Task {
  std::int64_t at_ms = 0;  // since the start of its week
  std::size_t cls = 0;
  double cost = 0;    // at the hard tier
  bool high = false;  // a user waits
  bool local_right = false, verifier_passes = false;
  double noise = 0;  // of the estimate of the local answer's chance
  double luck = 0;   // uniform, for a policy that throws dice
};

struct WeekShape {
  double requests = 1500;
  double high_share_of_hard = 0;
  double shock = 1;  // arrivals of the fourth day are so many times as many
};

std::vector<Task> draw_week(const double* hours, const WeekShape& shape, SplitMix64& random);
// What the week would cost if everything went to the hard tier.
double demand_of(const std::vector<Task>& week);

}  // namespace tophand::simulation

// What will have been spent when a window ends, at the rate of the last days, and how sure that is.
// Pure.
#pragma once

#include <cstdint>
#include <optional>
#include <vector>

#include "policy/demand.h"
#include "policy/pacing.h"

namespace tophand::policy {

// In the unit of the window's cap. Eight of ten outcomes should lie between `low` and `high`; how
// many did is in docs/budget.md.
struct Forecast {
  double low = 0, expected = 0, high = 0;
};

// From the pacer's units of the last three days. The rest of the window is taken to bring the same
// rate an expected hour (Demand's shape of the week); the variance is that of blocks of eight
// units, or of days where it is larger, in proportion to the expected hours (quasi-Poisson, so that
// work in bursts widens the band), plus the rate's own uncertainty, widened by what was missing on
// real clients. Absent before three whole blocks have been seen. What is already spent is the
// least, the cap the most.
std::optional<Forecast> forecast(const Pacer& pacer, std::int64_t now_ms, const Demand& demand);

// Hours until nothing is left at the rate of the last 24 hours; absent when nothing was spent in
// them, or when the window ends first.
std::optional<double> hours_until_dry(const Pacer& pacer, std::int64_t now_ms);

}  // namespace tophand::policy

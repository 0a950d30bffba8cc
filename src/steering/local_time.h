// The time of day, for rules that speak of hours and days: in the configured time zone, else the
// machine's.
#pragma once

#include <cstdint>
#include <ctime>
#include <optional>

#include "base/calendar.h"
#include "config/config.h"
#include "policy/words.h"

namespace tophand::steering {

inline policy::LocalTime local_time(std::int64_t wall_ms) {
  const auto seconds = static_cast<std::time_t>(wall_ms / 1000);
  std::tm parts{};
  ::localtime_r(&seconds, &parts);
  return {.minute = parts.tm_hour * 60 + parts.tm_min, .weekday = (parts.tm_wday + 6) % 7};
}

// Absent where no time zone is configured.
inline std::optional<Calendar> rule_calendar(const config::BudgetConfig& budget) {
  auto calendar = config::calendar_of(budget);
  if (budget.time_zone.empty() || !calendar) return std::nullopt;
  return *std::move(calendar);
}

inline policy::LocalTime local_time(const std::optional<Calendar>& calendar, std::int64_t wall_ms) {
  if (!calendar) return local_time(wall_ms);
  return {.minute = calendar->minute_of_day(wall_ms), .weekday = calendar->weekday(wall_ms)};
}

}  // namespace tophand::steering

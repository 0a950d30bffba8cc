// The time of day, for rules that speak of hours and days, and for the night that work waits for:
// in the configured time zone, else the machine's.
#pragma once

#include <algorithm>
#include <cstdint>
#include <ctime>
#include <optional>

#include "base/calendar.h"
#include "config/config.h"
#include "policy/words.h"

namespace tophand::steering {

inline std::tm local_parts(std::int64_t wall_ms) {
  const auto seconds = static_cast<std::time_t>(wall_ms / 1000);
  std::tm parts{};
  ::localtime_r(&seconds, &parts);
  return parts;
}

inline policy::LocalTime local_time(std::int64_t wall_ms) {
  const std::tm parts = local_parts(wall_ms);
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

// Until the night begins; 0 while it lasts. By the clock on the wall: where clocks are put forward
// or back, the night keeps its hours.
inline std::int64_t ms_until_night(std::int64_t wall_ms, const policy::Hours& night) {
  std::tm begins = local_parts(wall_ms);
  const int minute = begins.tm_hour * 60 + begins.tm_min;
  if (policy::is_within(night, minute)) return 0;
  if (minute >= night.from_minute) ++begins.tm_mday;
  begins.tm_hour = night.from_minute / 60;
  begins.tm_min = night.from_minute % 60;
  begins.tm_sec = 0;
  begins.tm_isdst = -1;  // mktime finds out
  return std::max<std::int64_t>(1, static_cast<std::int64_t>(::mktime(&begins)) * 1000 - wall_ms);
}

inline std::int64_t ms_until_night(const std::optional<Calendar>& calendar, std::int64_t wall_ms,
                                   const policy::Hours& night) {
  if (!calendar) return ms_until_night(wall_ms, night);
  constexpr int kDayMinutes = 1440;
  constexpr std::int64_t kMinuteMs = 60'000;
  const int minute = calendar->minute_of_day(wall_ms);
  if (policy::is_within(night, minute)) return 0;
  const int left = (night.from_minute - minute + kDayMinutes) % kDayMinutes;
  const std::int64_t begins_ms = wall_ms - wall_ms % kMinuteMs + left * kMinuteMs;
  // Clocks that change on the way make it an hour early or late.
  const int early =
      (night.from_minute - calendar->minute_of_day(begins_ms) + kDayMinutes + kDayMinutes / 2) %
          kDayMinutes -
      kDayMinutes / 2;
  const std::int64_t mended_ms = begins_ms + early * kMinuteMs;
  const bool exists = policy::is_within(night, calendar->minute_of_day(mended_ms));
  return std::max<std::int64_t>(1, (exists ? mended_ms : begins_ms) - wall_ms);
}

}  // namespace tophand::steering

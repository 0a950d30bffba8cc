// The machine's time of day, for rules that speak of hours and days.
#pragma once

#include <cstdint>
#include <ctime>

#include "policy/words.h"

namespace tophand::steering {

inline policy::LocalTime local_time(std::int64_t wall_ms) {
  const auto seconds = static_cast<std::time_t>(wall_ms / 1000);
  std::tm parts{};
  ::localtime_r(&seconds, &parts);
  return {.minute = parts.tm_hour * 60 + parts.tm_min, .weekday = (parts.tm_wday + 6) % 7};
}

}  // namespace tophand::steering

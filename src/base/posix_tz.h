// The rule of a zone without end: "CET-1CEST,M3.5.0,M10.5.0/3" (POSIX.1-2017 chapter 8.3, with the
// wider hours of RFC 8536 section 3.3.1). Pure. For base/time_zone.
#pragma once

#include <cstdint>
#include <string_view>

#include "base/result.h"

namespace tophand {

// A day of the year and a time on it.
struct YearlyMoment {
  enum class Kind : std::uint8_t { kJulian, kDay, kMonthWeekDay } kind = Kind::kJulian;
  int month = 1, week = 1, day = 1;  // kJulian: day 1..365, never 29 February; kDay: 0..365
  std::int64_t time_s = 7200;        // of the day, by the clock before the change
};

struct PosixZone {
  std::int64_t standard_s = 0, summer_s = 0;  // local time less UTC
  bool has_summer = false;
  YearlyMoment begins, ends;  // of summer time

  std::int64_t offset_s(std::int64_t utc_s) const;
};

// kCorrupt with what was expected.
Result<PosixZone> parse_posix_tz(std::string_view text);

}  // namespace tophand

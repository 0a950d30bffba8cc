// Days and weeks as people count them, in a time zone of theirs: a day of 23 or 25 hours is one
// day. Pure but for the zone's file, read when the zone is made; any thread.
#pragma once

#include <cstdint>
#include <string>
#include <utility>

#include "base/time_zone.h"

namespace tophand {

struct Span {  // from `start_ms` to before `end_ms`; milliseconds since 1970-01-01 UTC
  std::int64_t start_ms = 0, end_ms = 0;
  bool holds(std::int64_t at_ms) const { return at_ms >= start_ms && at_ms < end_ms; }
};

class Calendar {
 public:
  struct WeekStart {
    int weekday = 0;  // 0: Monday
    int minute = 0;   // of that day
  };

  Calendar() = default;  // UTC, Monday 00:00
  Calendar(TimeZone zone, WeekStart starts) : zone_(std::move(zone)), starts_(starts) {}

  // The one that `at_ms` lies in. They follow each other without a gap, whatever clocks do: a day
  // begins when clocks show 00:00 for the first time, or jump over it.
  Span day(std::int64_t at_ms) const;
  Span week(std::int64_t at_ms) const;

  int minute_of_day(std::int64_t at_ms) const;  // 0..1439, as clocks show it
  int weekday(std::int64_t at_ms) const;        // 0: Monday
  const std::string& zone_name() const { return zone_.name(); }
  // "UTC mon 00:00": the same only for calendars that count alike.
  std::string fingerprint() const;
  // "Monday at 00:00 UTC".
  std::string weekday_and_time(std::int64_t at_ms) const;
  std::string time(std::int64_t at_ms) const;    // "00:00 UTC"
  std::string moment(std::int64_t at_ms) const;  // "2026-11-23 00:00 UTC"

 private:
  std::int64_t local_s(std::int64_t at_ms) const;
  Span span(std::int64_t at_ms, std::int64_t length_s, std::int64_t first_s) const;

  TimeZone zone_;
  WeekStart starts_;
};

}  // namespace tophand

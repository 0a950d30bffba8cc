#include "base/calendar.h"

#include <array>
#include <chrono>
#include <cstdio>
#include <string_view>

namespace tophand {
namespace {

constexpr std::int64_t kDayS = 86'400, kWeekS = 7 * kDayS;
constexpr std::int64_t kMondayS = 4 * kDayS;  // 1970-01-05, after a Thursday
constexpr std::array<std::string_view, 7> kDays{"Monday", "Tuesday",  "Wednesday", "Thursday",
                                                "Friday", "Saturday", "Sunday"};
constexpr std::array<std::string_view, 7> kShortDays{"mon", "tue", "wed", "thu",
                                                     "fri", "sat", "sun"};

std::int64_t floor_div(std::int64_t a, std::int64_t b) {
  return a / b - (a % b < 0 ? 1 : 0);
}

std::string clock_text(int minute) {
  std::array<char, 24> text{};
  std::snprintf(text.data(), text.size(), "%02d:%02d", minute / 60, minute % 60);
  return text.data();
}

}  // namespace

std::int64_t Calendar::local_s(std::int64_t at_ms) const {
  const std::int64_t utc_s = floor_div(at_ms, 1000);
  return utc_s + zone_.offset_s(utc_s);
}

// Clocks that are set back show the end of a day twice, so what they show only says where to look.
Span Calendar::span(std::int64_t at_ms, std::int64_t length_s, std::int64_t first_s) const {
  const auto start_ms = [&](std::int64_t index) {
    return zone_.first_utc_s(first_s + index * length_s) * 1000;
  };
  std::int64_t index = floor_div(local_s(at_ms) - first_s, length_s);
  while (start_ms(index) > at_ms) --index;
  while (start_ms(index + 1) <= at_ms) ++index;
  return {start_ms(index), start_ms(index + 1)};
}

Span Calendar::day(std::int64_t at_ms) const {
  return span(at_ms, kDayS, 0);
}

Span Calendar::week(std::int64_t at_ms) const {
  return span(at_ms, kWeekS, kMondayS + starts_.weekday * kDayS + std::int64_t{starts_.minute} * 60);
}

int Calendar::minute_of_day(std::int64_t at_ms) const {
  const std::int64_t local = local_s(at_ms);
  return static_cast<int>((local - floor_div(local, kDayS) * kDayS) / 60);
}

int Calendar::weekday(std::int64_t at_ms) const {
  const std::int64_t days = floor_div(local_s(at_ms) - kMondayS, kDayS);
  return static_cast<int>(days - floor_div(days, 7) * 7);
}

std::string Calendar::fingerprint() const {
  return zone_.fingerprint() + " " +
         std::string(kShortDays[static_cast<std::size_t>(starts_.weekday)]) + " " +
         clock_text(starts_.minute);
}

std::string Calendar::time(std::int64_t at_ms) const {
  return clock_text(minute_of_day(at_ms)) + " " + zone_.name();
}

std::string Calendar::moment(std::int64_t at_ms) const {
  const std::chrono::sys_days date(std::chrono::days(floor_div(local_s(at_ms), kDayS)));
  const std::chrono::year_month_day day(date);
  std::array<char, 48> text{};
  std::snprintf(text.data(), text.size(), "%04d-%02u-%02u ", static_cast<int>(day.year()),
                static_cast<unsigned>(day.month()), static_cast<unsigned>(day.day()));
  return text.data() + time(at_ms);
}

std::string Calendar::weekday_and_time(std::int64_t at_ms) const {
  return std::string(kDays[static_cast<std::size_t>(weekday(at_ms))]) + " at " + time(at_ms);
}

}  // namespace tophand

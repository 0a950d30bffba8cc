#include "base/posix_tz.h"

#include <chrono>
#include <optional>

namespace tophand {
namespace {

constexpr std::int64_t kDayS = 86'400;

// Reads from the front of what is left; a false or absent answer leaves an error to be told.
class Reader {
 public:
  explicit Reader(std::string_view text) : left_(text) {}
  bool at_end() const { return left_.empty(); }
  bool next_is(char c) const { return left_.starts_with(c); }
  bool take(char c) {
    if (!next_is(c)) return false;
    left_.remove_prefix(1);
    return true;
  }

  // A name of three letters or more, or anything of letters, digits and signs within < >.
  bool take_name() {
    const bool quoted = take('<');
    std::size_t size = 0;
    while (size < left_.size() && is_name_char(left_[size], quoted)) ++size;
    left_.remove_prefix(size);
    return size >= 3 && (!quoted || take('>'));
  }

  std::optional<int> number(int most) {
    int value = 0, digits = 0;
    for (; !left_.empty() && left_[0] >= '0' && left_[0] <= '9'; left_.remove_prefix(1)) {
      value = value * 10 + (left_[0] - '0');
      if (++digits > 3) return std::nullopt;
    }
    return digits > 0 && value <= most ? std::optional(value) : std::nullopt;
  }

  // [+-]hh[:mm[:ss]], in seconds.
  std::optional<std::int64_t> time(int hours_most) {
    const bool negative = take('-');
    if (!negative) static_cast<void>(take('+'));
    const auto hours = number(hours_most);
    if (!hours) return std::nullopt;
    std::int64_t seconds = std::int64_t{*hours} * 3600;
    for (const int unit : {60, 1}) {
      if (!take(':')) break;
      const auto part = number(59);
      if (!part) return std::nullopt;
      seconds += std::int64_t{*part} * unit;
    }
    return negative ? -seconds : seconds;
  }

  std::optional<YearlyMoment> moment() {
    auto day = day_of_year();
    if (!day || !take('/')) return day;
    const auto time_s = time(167);
    if (!time_s) return std::nullopt;
    day->time_s = *time_s;
    return day;
  }

 private:
  static bool is_name_char(char c, bool quoted) {
    const bool letter = (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z');
    return letter || (quoted && ((c >= '0' && c <= '9') || c == '+' || c == '-'));
  }

  std::optional<YearlyMoment> day_of_year() {
    YearlyMoment out;
    if (take('M')) {
      out.kind = YearlyMoment::Kind::kMonthWeekDay;
      const auto month = number(12);
      if (!month || *month < 1 || !take('.')) return std::nullopt;
      const auto week = number(5);
      if (!week || *week < 1 || !take('.')) return std::nullopt;
      const auto day = number(6);
      if (!day) return std::nullopt;
      out.month = *month;
      out.week = *week;
      out.day = *day;
      return out;
    }
    const bool julian = take('J');
    out.kind = julian ? YearlyMoment::Kind::kJulian : YearlyMoment::Kind::kDay;
    const auto day = number(365);
    if (!day || (julian && *day < 1)) return std::nullopt;
    out.day = *day;
    return out;
  }

  std::string_view left_;
};

// Seconds of local time since 1970, by the clock before the change.
std::int64_t local_moment_s(const YearlyMoment& moment, std::chrono::year year) {
  using namespace std::chrono;
  const sys_days first = year / January / 1;
  sys_days day = first + days(moment.day);
  if (moment.kind == YearlyMoment::Kind::kJulian) {
    day = first + days(moment.day - 1);
    if (year.is_leap() && moment.day >= 60) day += days(1);
  } else if (moment.kind == YearlyMoment::Kind::kMonthWeekDay) {
    const auto in_month = year / month(static_cast<unsigned>(moment.month));
    const weekday of_week(static_cast<unsigned>(moment.day));
    day = moment.week == 5 ? sys_days(in_month / of_week[last])
                           : sys_days(in_month / of_week[static_cast<unsigned>(moment.week)]);
  }
  return day.time_since_epoch().count() * kDayS + moment.time_s;
}

Error wrong(std::string_view what) {
  return {Code::kCorrupt, "the zone's rule: expected " + std::string(what)};
}

}  // namespace

std::int64_t PosixZone::offset_s(std::int64_t utc_s) const {
  if (!has_summer) return standard_s;
  using namespace std::chrono;
  const year_month_day date = floor<days>(sys_seconds(seconds(utc_s + standard_s)));
  const std::int64_t begins_s = local_moment_s(begins, date.year()) - standard_s;
  const std::int64_t ends_s = local_moment_s(ends, date.year()) - summer_s;
  const bool summer =
      begins_s < ends_s ? utc_s >= begins_s && utc_s < ends_s : utc_s >= begins_s || utc_s < ends_s;
  return summer ? summer_s : standard_s;
}

Result<PosixZone> parse_posix_tz(std::string_view text) {
  Reader reader(text);
  PosixZone zone;
  if (!reader.take_name()) return tl::unexpected(wrong("a name of three letters"));
  const auto standard = reader.time(24);
  if (!standard) return tl::unexpected(wrong("the hours from UTC"));
  zone.standard_s = -*standard;
  if (reader.at_end()) return zone;
  zone.has_summer = true;
  zone.summer_s = zone.standard_s + 3600;
  if (!reader.take_name()) return tl::unexpected(wrong("the name of summer time"));
  if (!reader.next_is(',')) {
    const auto summer = reader.time(24);
    if (!summer) return tl::unexpected(wrong("the hours of summer time"));
    zone.summer_s = -*summer;
  }
  for (YearlyMoment* moment : {&zone.begins, &zone.ends}) {
    const auto read = reader.take(',') ? reader.moment() : std::nullopt;
    if (!read) return tl::unexpected(wrong("when summer time begins and ends"));
    *moment = *read;
  }
  if (!reader.at_end()) return tl::unexpected(wrong("the rule's end"));
  return zone;
}

}  // namespace tophand

// Compared with the C library's own reading of the same files, and with changes that are known.
#include "base/time_zone.h"

#include <gtest/gtest.h>

#include <cstdlib>
#include <ctime>
#include <filesystem>
#include <random>
#include <string>
#include <vector>

#include "base/calendar.h"
#include "base/posix_tz.h"

namespace tophand {
namespace {

constexpr std::int64_t kHour = 3600, kDay = 24 * kHour;
// Half hours, quarters, the southern hemisphere, summer time of half an hour and of two changes a
// year around Ramadan, zones that have jumped over the date line or over midnight.
const std::vector<std::string> kZones{
    "Europe/Berlin",     "America/New_York", "America/Sao_Paulo", "Asia/Kolkata",
    "Asia/Kathmandu",    "Pacific/Chatham",  "Australia/Sydney",  "Australia/Lord_Howe",
    "Africa/Casablanca", "Pacific/Apia",     "America/Havana",    "Africa/Cairo",
    "Asia/Beirut",       "America/Asuncion", "Etc/GMT+5",         "Europe/Dublin"};

bool zones_are_installed() {
  return std::filesystem::exists(TimeZone::kFolder + "/Europe/Berlin");
}

// Sets TZ for as long as it lives. This program has no other thread.
class ProcessZone {
 public:
  explicit ProcessZone(const std::string& name) { set(name.c_str()); }
  ~ProcessZone() { set(nullptr); }

 private:
  static void set(const char* name) {
    if (name != nullptr) ::setenv("TZ", name, 1);
    else ::unsetenv("TZ");
    ::tzset();
  }
};

std::int64_t offset_by_the_c_library(std::int64_t utc_s) {
  const auto seconds = static_cast<std::time_t>(utc_s);
  std::tm parts{};
  ::localtime_r(&seconds, &parts);
  return parts.tm_gmtoff;
}

std::int64_t utc_s(int year, int month, int day, int hour, int minute = 0) {
  std::tm parts{};
  parts.tm_year = year - 1900;
  parts.tm_mon = month - 1;
  parts.tm_mday = day;
  parts.tm_hour = hour;
  parts.tm_min = minute;
  return ::timegm(&parts);
}

TEST(TimeZone, AgreesWithTheCLibraryAtAnyMoment) {
  if (!zones_are_installed()) GTEST_SKIP() << "no zone files here: apt-get install tzdata";
  const auto seed = std::random_device{}();
  SCOPED_TRACE("seed " + std::to_string(seed));
  std::mt19937_64 random(seed);
  std::uniform_int_distribution<std::int64_t> any(utc_s(1975, 1, 1, 0), utc_s(2090, 1, 1, 0));
  for (const std::string& name : kZones) {
    const TimeZone zone = TimeZone::find(name).value();
    const ProcessZone process(name);
    for (int i = 0; i < 5'000; ++i) {
      const std::int64_t at_s = any(random);
      ASSERT_EQ(zone.offset_s(at_s), offset_by_the_c_library(at_s)) << name << " at " << at_s;
    }
    for (std::int64_t at_s = utc_s(2025, 1, 1, 0); at_s < utc_s(2027, 1, 1, 0); at_s += 900)
      ASSERT_EQ(zone.offset_s(at_s), offset_by_the_c_library(at_s)) << name << " at " << at_s;
  }
}

TEST(TimeZone, KnowsTheLastSundaysOfMarchAndOctober) {
  if (!zones_are_installed()) GTEST_SKIP();
  const TimeZone berlin = TimeZone::find("Europe/Berlin").value();
  const std::int64_t spring_s = utc_s(2026, 3, 29, 1), autumn_s = utc_s(2026, 10, 25, 1);
  EXPECT_EQ(berlin.offset_s(spring_s - 1), kHour);
  EXPECT_EQ(berlin.offset_s(spring_s), 2 * kHour);
  EXPECT_EQ(berlin.offset_s(autumn_s - 1), 2 * kHour);
  EXPECT_EQ(berlin.offset_s(autumn_s), kHour);
  // 02:30 is jumped over in March, and shown twice in October.
  EXPECT_EQ(berlin.first_utc_s(utc_s(2026, 3, 29, 2, 30)), spring_s);
  EXPECT_EQ(berlin.first_utc_s(utc_s(2026, 10, 25, 2, 30)), utc_s(2026, 10, 25, 0, 30));
}

TEST(TimeZone, TurnsLocalTimesBackIntoTheirFirstMoment) {
  if (!zones_are_installed()) GTEST_SKIP();
  for (const std::string& name : kZones) {
    const TimeZone zone = TimeZone::find(name).value();
    const auto local = [&](std::int64_t at_s) { return at_s + zone.offset_s(at_s); };
    for (std::int64_t at_s = utc_s(2010, 1, 1, 0); at_s < utc_s(2012, 1, 1, 0); at_s += kHour / 2) {
      const std::int64_t first_s = zone.first_utc_s(local(at_s));
      ASSERT_LE(first_s, at_s) << name;
      ASSERT_EQ(local(first_s), local(at_s)) << name << " at " << at_s;
    }
  }
}

TEST(TimeZone, RefusesWhatIsNoZone) {
  EXPECT_EQ(TimeZone::find("UTC")->offset_s(1'000'000'000), 0);
  for (const char* name : {"", "../etc/passwd", "/etc/localtime", "Europe/Berln", "Europe", "a b"})
    EXPECT_EQ(TimeZone::find(name).error().code, Code::kNotFound) << name;
  for (const std::string& bytes : {std::string(), std::string("TZif"), std::string(44, '\0'),
                                   "TZif2" + std::string(39, '\xff')})
    EXPECT_EQ(TimeZone::parse("x", bytes).error().code, Code::kCorrupt);
}

TEST(TimeZone, FindsTheSystemsByTheEnvironmentFirst) {
  if (!zones_are_installed()) GTEST_SKIP();
  const ProcessZone process(":Asia/Kathmandu");
  const TimeZone zone = TimeZone::find("system").value();
  EXPECT_EQ(zone.name(), "Asia/Kathmandu");
  EXPECT_EQ(zone.offset_s(0), offset_by_the_c_library(0));
}

TEST(PosixTz, ReadsTheFormsOfTheStandard) {
  struct Row {
    const char* text;
    std::int64_t winter_s, summer_s;  // at 1 January and 1 July 2027
  };
  for (const Row& row : std::initializer_list<Row>{
           {"UTC0", 0, 0},
           {"EST5EDT,M3.2.0,M11.1.0", -5 * kHour, -4 * kHour},
           {"<+0330>-3:30", 12'600, 12'600},
           {"AEST-10AEDT,M10.1.0,M4.1.0/3", 11 * kHour, 10 * kHour},
           {"IST-1GMT0,M10.5.0,M3.5.0/1", 0, kHour},  // Ireland's summer is its standard time
           {"<-03>3<-02>,M3.5.0/-2,M10.5.0/-1", -3 * kHour, -2 * kHour},
           {"XXX3EDT4,0/0,J365/23", -4 * kHour, -4 * kHour},  // RFC 8536: always summer time
           {"A-1:30:15B,J60,J300", 0, 0}}) {
    const auto zone = parse_posix_tz(row.text);
    if (std::string_view(row.text).starts_with("A-")) {
      EXPECT_FALSE(zone) << "names have three letters";
      continue;
    }
    ASSERT_TRUE(zone) << row.text << ": " << zone.error().message;
    EXPECT_EQ(zone->offset_s(utc_s(2027, 1, 1, 12)), row.winter_s) << row.text;
    EXPECT_EQ(zone->offset_s(utc_s(2027, 7, 1, 12)), row.summer_s) << row.text;
  }
  for (const char* text : {"", "EST", "EST5EDT", "EST5EDT,M3.2.0", "EST5EDT,M13.2.0,M11.1.0",
                           "EST5EDT,M3.6.0,M11.1.0", "EST25", "EST5EDT,M3.2.0,M11.1.0,", "EST5x",
                           "EST5EDT,J0,J1", "EST5EDT,M3.2.0/168,M11.1.0", "<+03-3", "ES5"})
    EXPECT_FALSE(parse_posix_tz(text)) << text;
}

// --- days and weeks ------------------------------------------------------------------------------

constexpr std::int64_t kMs = 1000;

TEST(Calendar, CountsInUtcFromMondayWhereNothingElseIsSaid) {
  const Calendar calendar;
  const std::int64_t monday_ms = utc_s(2026, 9, 28, 0) * kMs;
  for (const std::int64_t at_ms : {monday_ms, monday_ms + 1, monday_ms + 7 * kDay * kMs - 1}) {
    EXPECT_EQ(calendar.week(at_ms).start_ms, monday_ms);
    EXPECT_EQ(calendar.week(at_ms).end_ms, monday_ms + 7 * kDay * kMs);
  }
  EXPECT_EQ(calendar.day(-1).start_ms, -kDay * kMs);
  EXPECT_EQ(calendar.fingerprint(), "UTC mon 00:00");
  EXPECT_EQ(calendar.weekday_and_time(monday_ms), "Monday at 00:00 UTC");
}

TEST(Calendar, MakesAWeekAnHourShorterOrLongerWhenClocksChange) {
  if (!zones_are_installed()) GTEST_SKIP();
  const Calendar calendar(TimeZone::find("Europe/Berlin").value(),
                          {.weekday = 4, .minute = 18 * 60});
  const auto hours = [&](std::int64_t at_s) {
    const Span week = calendar.week(at_s * kMs);
    EXPECT_EQ(calendar.weekday(week.start_ms), 4);
    EXPECT_EQ(calendar.minute_of_day(week.start_ms), 18 * 60);
    return (week.end_ms - week.start_ms) / kMs / kHour;
  };
  EXPECT_EQ(hours(utc_s(2026, 3, 29, 12)), 167);
  EXPECT_EQ(hours(utc_s(2026, 10, 25, 12)), 169);
  EXPECT_EQ(hours(utc_s(2026, 6, 1, 12)), 168);
  EXPECT_EQ(calendar.week(utc_s(2026, 11, 27, 16, 59) * kMs).end_ms, utc_s(2026, 11, 27, 17) * kMs);
  EXPECT_EQ(calendar.zone_name(), "Europe/Berlin");
  EXPECT_TRUE(calendar.fingerprint().starts_with("Europe/Berlin#"));
  EXPECT_TRUE(calendar.fingerprint().ends_with(" fri 18:00"));
}

// Whatever clocks do, every moment lies in one day and one week, and they follow each other.
TEST(Calendar, HasNoGapAndNoOverlap) {
  if (!zones_are_installed()) GTEST_SKIP();
  const auto seed = std::random_device{}();
  SCOPED_TRACE("seed " + std::to_string(seed));
  std::mt19937_64 random(seed);
  for (const std::string& name : kZones) {
    const Calendar calendar(
        TimeZone::find(name).value(),
        {.weekday = static_cast<int>(random() % 7), .minute = static_cast<int>(random() % 1440)});
    for (const auto span_of : {&Calendar::day, &Calendar::week}) {
      Span span = (calendar.*span_of)(utc_s(2009, 1, 1, 0) * kMs);
      while (span.end_ms < utc_s(2031, 1, 1, 0) * kMs) {
        ASSERT_LT(span.start_ms, span.end_ms);
        const std::int64_t within_ms =
            span.start_ms + static_cast<std::int64_t>(
                                random() % static_cast<std::uint64_t>(span.end_ms - span.start_ms));
        for (const std::int64_t at_ms : {span.start_ms, within_ms, span.end_ms - 1}) {
          const Span found = (calendar.*span_of)(at_ms);
          ASSERT_EQ(found.start_ms, span.start_ms) << name << " at " << at_ms;
          ASSERT_EQ(found.end_ms, span.end_ms) << name << " at " << at_ms;
        }
        span = (calendar.*span_of)(span.end_ms);
      }
    }
  }
}

}  // namespace
}  // namespace tophand

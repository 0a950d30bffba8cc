// The night in the machine's time zone, also when its clocks are put forward or back. The expected
// times are worked out by hand for central Europe in 2026: CEST (UTC+2) begins on 29 March, CET
// (UTC+1) on 25 October.
#include "steering/local_time.h"

#include <gtest/gtest.h>

#include <cstdlib>
#include <string>

namespace tophand::steering {
namespace {

constexpr std::int64_t kHour = 3'600'000;
constexpr policy::Hours kNight{22 * 60, 6 * 60}, kMorning{5 * 60, 7 * 60};

class CentralEurope : public ::testing::Test {
 protected:
  void SetUp() override {
    if (const char* zone = std::getenv("TZ")) before_ = zone;
    set("CET-1CEST,M3.5.0,M10.5.0/3");
  }
  void TearDown() override { set(before_); }

 private:
  static void set(const std::string& zone) {
    if (zone.empty()) ::unsetenv("TZ");
    else ::setenv("TZ", zone.c_str(), 1);
    ::tzset();
  }
  std::string before_;
};

TEST_F(CentralEurope, TheNightBeginsAtItsHourOnTheWall) {
  const std::int64_t noon = 1'792'926'000'000;  // 25 October 12:00 CET, 11:00 UTC
  EXPECT_EQ(ms_until_night(noon, kNight), 10 * kHour);
  EXPECT_EQ(local_time(noon).minute, 12 * 60);
  EXPECT_EQ(local_time(noon).weekday, 6);
}

TEST_F(CentralEurope, ItLastsOverMidnight) {
  EXPECT_EQ(ms_until_night(1'780'349'400'000, kNight), 0);           // 1 June 23:30 CEST
  EXPECT_EQ(ms_until_night(1'780'286'370'000, kNight), 0);           // 1 June 05:59:30 CEST
  EXPECT_EQ(ms_until_night(1'780'286'400'000, kNight), 16 * kHour);  // 06:00: it is over
}

TEST_F(CentralEurope, AnHourIsAddedOrMissedWhenTheClocksChange) {
  EXPECT_EQ(ms_until_night(1'792'872'000'000, kMorning), 8 * kHour);  // 24 October 22:00 CEST
  EXPECT_EQ(ms_until_night(1'774'731'600'000, kMorning), 6 * kHour);  // 28 March 22:00 CET
}

TEST_F(CentralEurope, IsNeverNowWhenItIsYetToCome) {
  const std::int64_t before = 1'792'926'000'000 + 10 * kHour - 1;
  EXPECT_EQ(ms_until_night(before, kNight), 1);
}

// The same by the configured time zone, whatever the machine's is.
TEST(NightInTheConfiguredZone, BeginsAtItsHourOnTheWallThere) {
  config::BudgetConfig budget;
  budget.time_zone = "Europe/Berlin";
  const auto calendar = rule_calendar(budget);
  ASSERT_TRUE(calendar);
  const std::int64_t noon = 1'792'926'000'000;
  EXPECT_EQ(ms_until_night(calendar, noon, kNight), 10 * kHour);
  EXPECT_EQ(ms_until_night(calendar, noon + 10 * kHour - 1, kNight), 1);
  EXPECT_EQ(ms_until_night(calendar, noon + 10 * kHour, kNight), 0);
  EXPECT_EQ(ms_until_night(calendar, 1'780'286'400'000, kNight), 16 * kHour);
  EXPECT_EQ(ms_until_night(calendar, 1'792'872'000'000, kMorning), 8 * kHour);
  EXPECT_EQ(ms_until_night(calendar, 1'774'731'600'000, kMorning), 6 * kHour);
}

}  // namespace
}  // namespace tophand::steering

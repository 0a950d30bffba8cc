#include "policy/forecast.h"

#include <gtest/gtest.h>

namespace tophand::policy {
namespace {

constexpr std::int64_t kHourMs = 3'600'000, kMonday = 1'789'344'000'000;

// `usd(hour)` was spent in each of the first hours of a week of 168 dollars.
template <class Usd>
Pacer after(int hours, Usd usd) {
  Pacer pacer;
  pacer.open({.name = "week", .start_ms = kMonday, .end_ms = kMonday + 168 * kHourMs, .cap = 168});
  double spent = 0;
  for (int hour = 1; hour <= hours; ++hour)
    pacer.observe(kMonday + hour * kHourMs, spent += usd(hour), Demand());
  pacer.observe(kMonday + hours * kHourMs + 1, spent, Demand());
  return pacer;
}

TEST(Forecast, SaysNothingOfAFreshWeek) {
  EXPECT_FALSE(forecast(after(10, [](int) { return 1.0; }), kMonday + 10 * kHourMs, Demand()));
}

TEST(Forecast, IsSureOfAnEvenWeek) {
  const auto seen = forecast(after(72, [](int) { return 0.5; }), kMonday + 72 * kHourMs, Demand());
  ASSERT_TRUE(seen);
  EXPECT_NEAR(seen->expected, 84, 1.5);  // 168 h at half a dollar
  EXPECT_LT(seen->high - seen->low, 5);
}

TEST(Forecast, WidensTheBandWhenWorkComesInBursts) {
  const auto bursts = [](int hour) { return hour / 8 % 3 == 0 ? 1.5 : 0.0; };
  const auto seen = forecast(after(72, bursts), kMonday + 72 * kHourMs, Demand());
  ASSERT_TRUE(seen);
  EXPECT_GT(seen->high - seen->low, 20);
  EXPECT_GE(seen->low, after(72, bursts).spent());
}

TEST(Forecast, NeverPassesTheCap) {
  const auto seen = forecast(after(72, [](int) { return 2.0; }), kMonday + 72 * kHourMs, Demand());
  EXPECT_EQ(seen->expected, 168);
}

TEST(Forecast, TellsWhenItWillBeDry) {
  const Pacer fast = after(48, [](int) { return 2.0; });  // 72 dollars left, two an hour
  EXPECT_NEAR(*hours_until_dry(fast, kMonday + 48 * kHourMs), 36, 2);
  EXPECT_FALSE(hours_until_dry(after(48, [](int) { return 0.5; }), kMonday + 48 * kHourMs));
  EXPECT_FALSE(hours_until_dry(after(0, [](int) { return 0.0; }), kMonday));
}

}  // namespace
}  // namespace tophand::policy

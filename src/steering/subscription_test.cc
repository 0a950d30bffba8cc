#include "steering/subscription.h"

#include <gtest/gtest.h>

namespace tophand::steering {
namespace {

constexpr std::int64_t kDayMs = 86'400'000;

WindowView window(std::string name, std::string key, std::int64_t days, double usd_unit) {
  return {.name = std::move(name),
          .key = std::move(key),
          .in_dollars = false,
          .start_ms = 0,
          .end_ms = days * kDayMs,
          .cap = 1,
          .usd_unit = usd_unit};
}

SavingsSums saved_usd(double floor, double expected, double ceiling) {
  SavingsSums sums;
  sums.floor = static_cast<ledger::NanoUsd>(floor * 1e9);
  sums.expected = static_cast<ledger::NanoUsd>(expected * 1e9);
  sums.ceiling = static_cast<ledger::NanoUsd>(ceiling * 1e9);
  return sums;
}

TEST(SubscriptionShare, IsOfWhatTheWeeksWindowIsWorth) {
  SavingsSums sums = saved_usd(20, 60, 110);
  sums.router = 10'000'000'000;
  const auto share = subscription_share(sums, {window("5h", "", 1, 7), window("7d", "", 7, 200)});
  ASSERT_TRUE(share);
  EXPECT_EQ(share->window, "7d");
  EXPECT_DOUBLE_EQ(share->saved_floor, 0.05);  // $10 of $200
  EXPECT_DOUBLE_EQ(share->saved, 0.25);
  EXPECT_DOUBLE_EQ(share->saved_ceiling, 0.5);
}

TEST(SubscriptionShare, AddsUpTheWindowsOfSeveralKeys) {
  const auto share = subscription_share(saved_usd(0, 30, 60),
                                        {window("7d", "a", 7, 200), window("7d", "b", 7, 100)});
  EXPECT_DOUBLE_EQ(share->usd_per_window, 300);
  EXPECT_DOUBLE_EQ(share->saved, 0.1);
}

TEST(SubscriptionShare, IsNotKnownBeforeAShareWasSeenToCostSomething) {
  const auto share = subscription_share(saved_usd(0, 30, 60), {window("7d", "", 7, 0)});
  ASSERT_TRUE(share);
  EXPECT_EQ(share->usd_per_window, 0);
  EXPECT_EQ(share->saved, 0);
}

TEST(SubscriptionShare, IsAbsentWithoutASubscription) {
  WindowView dollars = window("week", "", 7, 1);
  dollars.in_dollars = true;
  EXPECT_FALSE(subscription_share(saved_usd(0, 30, 60), {dollars, window("5h", "", 1, 7)}));
}

}  // namespace
}  // namespace tophand::steering

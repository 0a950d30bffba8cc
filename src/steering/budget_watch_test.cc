#include "steering/budget_watch.h"

#include <gtest/gtest.h>

#include "base/temporary_folder_for_tests.h"

namespace tophand::steering {
namespace {

constexpr std::int64_t kHourMs = 3'600'000;
constexpr std::int64_t kMonday = 1'789'344'000'000;  // 2026-09-14 00:00 UTC

class BudgetWatchTest : public ::testing::Test {
 protected:
  BudgetWatchTest() {
    clock_.set_wall_ms(kMonday + kHourMs);
    auto opened =
        ledger::Ledger::open(folder_.path() + "/ledger.db", clock_, "prices", std::nullopt);
    if (opened) ledger_ = std::move(*opened);
  }
  // One paid request, through the ledger as dispatch does it.
  void pay(BudgetWatch& watch, double usd, const std::string& key = "") {
    ledger::AttemptStart start;
    start.request_id = "req_" + std::to_string(++requests_);
    start.backend = "claude";
    start.reserved = static_cast<ledger::NanoUsd>(usd * 1e9);
    ledger::AttemptEnd end;
    end.cost = start.reserved;
    end.provider_key = key;
    const auto row = ledger_->begin(start);
    ASSERT_TRUE(row);
    ASSERT_TRUE(ledger_->settle(*row, end));
    watch.ended(start, end);
  }
  BudgetWatch::Deps deps() { return {.ledger = ledger_.get(), .clock = &clock_}; }
  policy::ProviderLimit limit(double used, std::int64_t in_ms, std::string window = "5h") {
    return {.window = std::move(window), .used = used, .reset_ms = clock_.wall_ms() + in_ms};
  }

  FakeClock clock_;
  TemporaryFolder folder_;
  std::unique_ptr<ledger::Ledger> ledger_;
  int requests_ = 0;
};

config::BudgetConfig week_of(double usd) {
  config::BudgetConfig config;
  config.week_usd = usd;
  return config;
}

TEST_F(BudgetWatchTest, SaysNothingWithoutACap) {
  BudgetWatch watch(deps(), {});
  pay(watch, 5);
  EXPECT_EQ(watch.state(), policy::BudgetState());
  EXPECT_TRUE(watch.windows().empty());
}

TEST_F(BudgetWatchTest, CountsTheWeekThatTheLedgerCounts) {
  {
    BudgetWatch before(deps(), {});
    pay(before, 3);
  }
  BudgetWatch watch(deps(), week_of(20));
  pay(watch, 1);
  EXPECT_NEAR(watch.state().used, 0.2, 1e-9);
  clock_.set_wall_ms(kMonday + 169 * kHourMs);  // the next week
  EXPECT_EQ(watch.state().used, 0);
}

TEST_F(BudgetWatchTest, ComesBackFromAClockThatWasSetWrong) {
  BudgetWatch watch(deps(), week_of(20));
  pay(watch, 2);
  clock_.set_wall_ms(kMonday + 5000 * kHourMs);
  pay(watch, 4);
  clock_.set_wall_ms(kMonday + 2 * kHourMs);
  EXPECT_NEAR(watch.state().used, 0.1, 1e-9);
  pay(watch, 1);
  EXPECT_NEAR(watch.state().used, 0.15, 1e-9);
}

TEST_F(BudgetWatchTest, RaisesLambdaWhenAWeekIsSpentInTwoDays) {
  BudgetWatch watch(deps(), week_of(100));
  const double first = watch.state().lambda;
  for (int hour = 0; hour < 24; ++hour) {
    pay(watch, 2);
    clock_.advance_ms(kHourMs);
  }
  EXPECT_GT(watch.state().lambda, 3 * first);
}

TEST_F(BudgetWatchTest, IsFoundAgainAfterARestart) {
  policy::BudgetState before;
  {
    BudgetWatch watch(deps(), week_of(100));
    for (int hour = 0; hour < 12; ++hour) {
      watch.asked({.usd = 1});
      pay(watch, 2);
      clock_.advance_ms(kHourMs);
    }
    watch.limits_seen("", {limit(0.4, 3 * kHourMs)});
    before = watch.state();
  }
  BudgetWatch after(deps(), week_of(100));
  EXPECT_EQ(after.state(), before);
  EXPECT_EQ(after.windows().size(), 2u);
}

TEST_F(BudgetWatchTest, BelievesTheSubscriptionAndItsReset) {
  BudgetWatch watch(deps(), {});
  watch.limits_seen("", {limit(0.97, 100 * kHourMs, "7d")});
  EXPECT_EQ(watch.state().window, "7d");
  EXPECT_NEAR(watch.state().used, 0.97, 1e-9);
  EXPECT_TRUE(watch.state().reserve_only);
  EXPECT_EQ(watch.state().left_ms, 100 * kHourMs);
  // It began anew after three days, whatever its name says.
  clock_.advance_ms(kHourMs);
  watch.limits_seen("", {limit(0.01, 72 * kHourMs, "7d")});
  EXPECT_NEAR(watch.state().used, 0.01, 1e-9);
  EXPECT_FALSE(watch.state().reserve_only);
  EXPECT_EQ(watch.state().left_ms, 72 * kHourMs);
}

TEST_F(BudgetWatchTest, ForgetsAWindowThatIsOver) {
  BudgetWatch watch(deps(), {});
  watch.limits_seen("", {limit(0.97, kHourMs)});
  EXPECT_TRUE(watch.state().has_cap);
  clock_.advance_ms(kHourMs + 1);
  EXPECT_FALSE(watch.state().has_cap);
}

TEST_F(BudgetWatchTest, TakesARejectionForAnEmptyWindow) {
  BudgetWatch watch(deps(), {});
  policy::ProviderLimit rejected = limit(0.9, kHourMs);
  rejected.status = "rejected";
  watch.limits_seen("", {rejected});
  EXPECT_GE(watch.state().used, 1);
}

TEST_F(BudgetWatchTest, LooksAtTheSubscriptionThatHasRoom) {
  BudgetWatch watch(deps(), {});
  watch.limits_seen("a", {limit(0.99, 4 * kHourMs)});
  EXPECT_TRUE(watch.state().reserve_only);
  watch.limits_seen("b", {limit(0.10, 4 * kHourMs)});
  EXPECT_FALSE(watch.state().reserve_only);
  EXPECT_NEAR(watch.state().used, 0.10, 1e-9);
}

TEST_F(BudgetWatchTest, TheFiveHoursAreToPaceByAndTheWeekIsALimit) {
  config::BudgetConfig config = week_of(1000);
  config.five_hour_usd = 1;
  BudgetWatch watch(deps(), config);
  pay(watch, 2);
  EXPECT_TRUE(watch.state().reserve_only);
  EXPECT_FALSE(watch.state().reserve_refuses);
  EXPECT_EQ(watch.state().reserve_window, "five hours");
  EXPECT_EQ(watch.state().high_cover, 0);
  // The provider's own limit refuses.
  watch.limits_seen("", {limit(0.99, 100 * kHourMs, "7d")});
  EXPECT_TRUE(watch.state().reserve_refuses);
  EXPECT_EQ(watch.state().reserve_window, "7d");
}

TEST_F(BudgetWatchTest, TakesTheTighterOfWeekAndFiveHours) {
  config::BudgetConfig config = week_of(1000);
  config.five_hour_usd = 10;
  BudgetWatch watch(deps(), config);
  for (int i = 0; i < 40; ++i) {
    pay(watch, 0.2);
    clock_.advance_ms(kHourMs / 60);
  }
  EXPECT_EQ(watch.state().window, "five hours");
}

TEST_F(BudgetWatchTest, NotesWhatIsNearlyGone) {
  BudgetWatch watch(deps(), week_of(10));
  pay(watch, 7);
  EXPECT_EQ(watch.note(), "");
  pay(watch, 1.4);
  EXPECT_EQ(watch.note(), "week 84%");
}

TEST_F(BudgetWatchTest, IsBoundedInWindows) {
  BudgetWatch watch(deps(), {});
  for (int i = 0; i < 100; ++i) watch.limits_seen("key" + std::to_string(i), {limit(0.5, kHourMs)});
  EXPECT_LE(watch.windows().size(), 16u);
}

TEST_F(BudgetWatchTest, BeginsAnewWhenTheSavedStateIsDamaged) {
  ASSERT_TRUE(ledger_->put_state("pacing", "{\"windows\":[{\"pacer\":\"x\"}]"));
  BudgetWatch watch(deps(), week_of(10));
  EXPECT_TRUE(watch.state().has_cap);
}

}  // namespace
}  // namespace tophand::steering

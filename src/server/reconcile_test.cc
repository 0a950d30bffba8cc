#include "server/reconcile.h"

#include <gtest/gtest.h>

#include <atomic>

#include "server/nightly.h"

namespace tophand::server {
namespace {

constexpr std::int64_t kDayMs = 86'400'000;
constexpr std::int64_t kDay = 20'000 * kDayMs;
constexpr std::int64_t kLater = kDay + 3 * kDayMs;

// Like Haiku 5.5: dearer for every token of a request above 100,000.
const ledger::PriceBook& book() {
  static const auto parsed = ledger::PriceBook::parse(
      R"({"date":"2026-10-07","models":[{"id":"haiku","input":"0.10","output":"0.50",
          "cache_write_5m":"0.125","cache_write_1h":"0.20","cache_read":"0.01",
          "long_prompt":{"over":100000,"input":"0.50","output":"2.50","cache_write_5m":"0.625",
                         "cache_write_1h":"1.00","cache_read":"0.05"}}]})",
      "test");
  return *parsed;
}

ledger::Row paid(std::int64_t input, std::int64_t output) {
  ledger::Row row;
  row.started_ms = kDay + 3'600'000;
  row.state = "settled";
  row.outcome = "done";
  row.backend = "claude";
  row.model = "haiku-20260101";
  row.tokens = {.input = input, .output = output};
  row.cost = book().cost("haiku", row.tokens).value();
  row.cost_basis = "usage";
  return row;
}

std::vector<ReconcileLine> compared(const std::vector<ledger::Row>& rows,
                                    const std::vector<backend::DayUsage>& usage,
                                    const std::vector<backend::DayCost>& costs = {},
                                    std::int64_t now_ms = kLater) {
  std::map<DayModel, DaySums> days;
  for (const ledger::Row& row : rows) add_row(row, book(), days);
  return compare(days, usage, costs, book(), now_ms);
}

TEST(Reconcile, FindsNothingWhereBothCountedTheSame) {
  const auto lines =
      compared({paid(1000, 10), paid(500, 20)},
               {{.day_ms = kDay, .model = "haiku", .input = 1500, .output = 30}},
               {{.day_ms = kDay, .model = "haiku", .nano_usd = 1500 * 100 + 30 * 500}});
  ASSERT_EQ(lines.size(), 1u);
  EXPECT_EQ(lines[0].model, "haiku");
  EXPECT_EQ(lines[0].our_cost, 1500 * 100 + 30 * 500);
  EXPECT_EQ(lines[0].residual(), 0);
  EXPECT_EQ(lines[0].billed, lines[0].our_cost);
  EXPECT_TRUE(lines[0].complete);
}

// The report adds a day up, so it cannot tell which prompts were long; our own rows can.
TEST(Reconcile, FindsNothingWhereLongPromptsWereDearer) {
  const auto lines = compared({paid(200'000, 10), paid(90'000, 10)},
                              {{.day_ms = kDay, .model = "haiku", .input = 290'000, .output = 20}});
  EXPECT_EQ(lines.at(0).our_cost, 200'000 * 500 + 10 * 2500 + 90'000 * 100 + 10 * 500);
  EXPECT_EQ(lines.at(0).residual(), 0);
}

TEST(Reconcile, ShowsWhatWasChargedOnTheSafeSide) {
  ledger::Row cut = paid(1000, 10);
  cut.outcome = "cancelled";
  cut.cost_basis = "bound";
  cut.cost = 5'000'000;
  cut.tokens = {};
  const auto lines =
      compared({cut}, {{.day_ms = kDay, .model = "haiku", .input = 1000, .output = 10}});
  EXPECT_EQ(lines.at(0).inexact, 1);
  EXPECT_EQ(lines.at(0).residual(), 1000 * 100 + 10 * 500 - 5'000'000);
}

TEST(Reconcile, ShowsWhatTheLedgerDoesNotKnow) {
  const auto lines = compared({}, {{.day_ms = kDay, .model = "haiku", .output = 10},
                                   {.day_ms = kDay, .model = "claude-new", .output = 10}});
  ASSERT_EQ(lines.size(), 2u);
  EXPECT_FALSE(lines[0].priced) << lines[0].model;
  EXPECT_EQ(lines[1].residual(), 5000);
}

TEST(Reconcile, DoesNotTakeADayForCompleteBeforeItsReportIs) {
  const std::vector<ledger::Row> rows{paid(1, 1)};
  EXPECT_FALSE(compared(rows, {}, {}, kDay + kDayMs + kReportLagMs - 1).at(0).complete);
  EXPECT_TRUE(compared(rows, {}, {}, kDay + kDayMs + kReportLagMs).at(0).complete);
}

TEST(Reconcile, PassesOverLocalWorkAndWhatIsRunning) {
  ledger::Row local = paid(1, 1), running = paid(1, 1);
  local.backend = "local";
  running.state = "reserved";
  EXPECT_TRUE(compared({local, running}, {}).empty());
}

TEST(Nightly, ComesAtHalfPastThree) {
  EXPECT_EQ(next_night_ms(kDay), kDay + 12'600'000);
  EXPECT_EQ(next_night_ms(kDay + 12'600'000), kDay + kDayMs + 12'600'000);
  EXPECT_EQ(next_night_ms(kDay + 13'000'000), kDay + kDayMs + 12'600'000);
}

TEST(Nightly, EndsAtOnceWithoutWaitingForTheNight) {
  std::atomic<int> calls = 0;
  {
    const Nightly nightly(system_clock(), [&] { ++calls; });
  }
  EXPECT_EQ(calls, 0);
}

}  // namespace
}  // namespace tophand::server

// The residual is booked once: the next comparison finds nothing, and the ledger is whole.
#include "server/booking.h"

#include <gtest/gtest.h>

#include <memory>
#include <random>

#include "base/temporary_folder_for_tests.h"

namespace tophand::server {
namespace {

constexpr std::int64_t kDayMs = 86'400'000;
constexpr std::int64_t kDay = 20'700 * kDayMs;
constexpr std::int64_t kLater = kDay + 10 * kDayMs;

const ledger::PriceBook& book_of_prices() {
  static const auto parsed = ledger::PriceBook::parse(
      R"({"date":"2026-10-07","models":[{"id":"haiku","input":"0.10","output":"0.50",
          "cache_write_5m":"0.125","cache_write_1h":"0.20","cache_read":"0.01"}]})",
      "test");
  return *parsed;
}

class BookingTest : public testing::Test {
 protected:
  void SetUp() override {
    clock_.set_wall_ms(kDay + 3'600'000);
    ledger_ = ledger::Ledger::open(folder_.path() + "/ledger.db", clock_,
                                   book_of_prices().version(), std::nullopt)
                  .value();
  }

  // 100 nano-dollars a token. Not exact: charged on the safe side, as a cut stream is.
  std::int64_t row(std::int64_t tokens, bool exact, std::string model = "haiku") {
    ledger::AttemptStart start;
    start.request_id = "r" + std::to_string(++requests_);
    start.backend = "claude";
    start.model = std::move(model);
    start.reserved = tokens * 100;
    const std::int64_t id = ledger_->begin(start).value();
    ledger::AttemptEnd end;
    end.cost = tokens * 100;
    end.cost_is_exact = exact;
    if (exact) end.tokens.input = tokens;
    EXPECT_TRUE(ledger_->settle(id, end));
    return id;
  }
  // As the account counts `tokens` of input on that day; the ledger's rows are read anew.
  Reconciliation against(const std::vector<std::pair<std::int64_t, std::int64_t>>& account) {
    std::map<DayModel, DaySums> ours;
    const auto rows = ledger_->rows(0, 10'000).value();
    for (const ledger::Row& row : rows) add_row(row, book_of_prices(), ours);
    std::vector<backend::DayUsage> usage;
    for (const auto& [day, tokens] : account)
      usage.push_back({.day_ms = day, .model = "haiku", .input = tokens});
    Reconciliation found{.of_our_keys = true};
    found.lines = compare(ours, usage, {}, book_of_prices(), kLater);
    found.bookings = bookings_of(found.lines, ours);
    return found;
  }
  ledger::NanoUsd cost(std::int64_t id) {
    const auto rows = ledger_->rows(0, 10'000).value();
    for (const ledger::Row& row : rows)
      if (row.id == id) return row.cost;
    return -1;
  }

  TemporaryFolder folder_;
  FakeClock clock_;
  std::unique_ptr<ledger::Ledger> ledger_;
  int requests_ = 0;
};

TEST_F(BookingTest, TakesTheSafeSideBackAndOnlyOnce) {
  const std::int64_t exact = row(1000, true), cut = row(500, false);
  const Reconciliation found = against({{kDay, 1200}});
  ASSERT_EQ(found.bookings.size(), 1u);
  EXPECT_EQ(found.bookings[0].row_id, cut);
  EXPECT_EQ(found.bookings[0].amount, -300 * 100);
  ASSERT_TRUE(book(*ledger_, found));
  EXPECT_EQ(cost(cut), 200 * 100);
  EXPECT_EQ(cost(exact), 1000 * 100);
  const Reconciliation again = against({{kDay, 1200}});
  EXPECT_EQ(again.lines.at(0).residual(), 0);
  EXPECT_TRUE(again.bookings.empty());
  const ledger::Verdict verdict = ledger_->verify({book_of_prices()}, std::nullopt).value();
  EXPECT_FALSE(verdict.fault) << verdict.fault->what;
  EXPECT_EQ(verdict.adjusted, 1);
  EXPECT_EQ(verdict.adjusted_nano_usd, -300 * 100);
}

// What is booked to a row that was charged exactly must not look like a dearer list price next
// time.
TEST_F(BookingTest, AddsWhatTheAccountHasMoreOfAndOnlyOnce) {
  const std::int64_t only = row(1000, true);
  ASSERT_TRUE(book(*ledger_, against({{kDay, 1700}})));
  EXPECT_EQ(cost(only), 1700 * 100);
  EXPECT_TRUE(against({{kDay, 1700}}).bookings.empty());
  ASSERT_TRUE(book(*ledger_, against({{kDay, 1500}}))) << "the account has corrected itself";
  EXPECT_EQ(cost(only), 1500 * 100);
  EXPECT_TRUE(against({{kDay, 1500}}).bookings.empty());
}

TEST_F(BookingTest, TakesNoRowBelowNothing) {
  const std::int64_t first = row(100, false), second = row(300, true);
  const Reconciliation found = against({{kDay, 50}});
  ASSERT_TRUE(book(*ledger_, found));
  EXPECT_EQ(cost(first), 0);
  EXPECT_EQ(cost(second), 50 * 100);
}

TEST_F(BookingTest, BooksNoDayThatIsNotOverOrHasNoRowOfOurs) {
  row(1000, true);
  row(1000, true, "unpriced");
  clock_.set_wall_ms(kLater);
  row(1000, true);
  EXPECT_TRUE(against({{kDay, 1000}, {kLater, 5000}, {kDay + kDayMs, 700}}).bookings.empty());
}

TEST_F(BookingTest, RefusesTheAccountOfAWholeOrganisation) {
  row(1000, true);
  Reconciliation found = against({{kDay, 1700}});
  found.of_our_keys = false;
  const auto refused = book(*ledger_, found);
  ASSERT_FALSE(refused);
  EXPECT_EQ(refused.error().code, Code::kConfig);
  EXPECT_EQ(ledger_->totals(0)->spent, 1000 * 100);
}

TEST_F(BookingTest, MakesRandomDaysCostWhatTheAccountSays) {
  const auto seed = std::random_device{}();
  SCOPED_TRACE("seed " + std::to_string(seed));
  std::mt19937_64 random(seed);
  std::vector<std::pair<std::int64_t, std::int64_t>> account;
  for (int day = 0; day < 6; ++day) {
    clock_.set_wall_ms(kDay + day * kDayMs + 1000);
    for (std::uint64_t i = 0; i <= random() % 6; ++i)
      row(1 + static_cast<std::int64_t>(random() % 1000), random() % 3 != 0);
    account.emplace_back(kDay + day * kDayMs, static_cast<std::int64_t>(random() % 4000));
  }
  // Interrupted after the first: what is left is found again.
  Reconciliation first = against(account);
  if (first.bookings.size() > 1) first.bookings.resize(1);
  ASSERT_TRUE(book(*ledger_, first));
  ASSERT_TRUE(book(*ledger_, against(account)));
  const Reconciliation found = against(account);
  EXPECT_TRUE(found.bookings.empty());
  for (const ReconcileLine& line : found.lines) EXPECT_EQ(line.residual(), 0) << line.day_ms;
  EXPECT_FALSE(ledger_->verify({book_of_prices()}, std::nullopt)->fault);
}

}  // namespace
}  // namespace tophand::server

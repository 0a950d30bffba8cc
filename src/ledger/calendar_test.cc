// Weeks and days as the configuration cuts them: around changes of the clock, and when the
// configuration changes.
#include <gtest/gtest.h>

#include <filesystem>
#include <map>
#include <random>
#include <string>
#include <vector>

#include "ledger/ledger.h"
#include "ledger/test_support.h"

namespace tophand::ledger {
namespace {

constexpr std::int64_t kHourMs = 3'600'000, kDayMs = 24 * kHourMs;
constexpr std::int64_t kMonday = 1'790'553'600'000;  // date -u -d 2026-09-28 +%s
const Calendar kFriday(TimeZone(), {.weekday = 4, .minute = 18 * 60});

Calendar in_zone(const std::string& name) {
  auto zone = TimeZone::find(name);
  return zone ? Calendar(*zone, {.weekday = 0, .minute = 0}) : Calendar();
}

class CalendarTest : public testing::Test {
 protected:
  void SetUp() override {
    clock_.set_wall_ms(kMonday + 10 * kHourMs);
    reopen();
  }
  void reopen() {
    ledger_.reset();
    ledger_ = Ledger::open(path_, clock_, "v", std::nullopt).value();
  }
  void limit(const Calendar& calendar, NanoUsd week, NanoUsd day = 1'000'000'000) {
    const auto set =
        ledger_->set_limits({{{.limit = week},
                              {.window = Window::kDay, .limit = day},
                              {.scope = Scope::kKey, .name = "*", .limit = 1'000'000'000}},
                             false,
                             calendar});
    ASSERT_TRUE(set) << set.error().message;
  }
  Result<std::int64_t> begin(NanoUsd amount, std::string key = "k") {
    AttemptStart start = paid("r" + std::to_string(++requests_), amount);
    start.key_id = std::move(key);
    return ledger_->begin(start);
  }
  NanoUsd spent(NanoUsd amount) {
    const auto row = begin(amount);
    EXPECT_TRUE(row) << row.error().message;
    if (row) {
      EXPECT_TRUE(ledger_->settle(*row, costing(amount)));
    }
    return amount;
  }
  void expect_whole() {
    const Verdict verdict = ledger_->verify({}, std::nullopt).value();
    EXPECT_FALSE(verdict.fault) << verdict.fault->what;
  }

  TemporaryFolder folder_;
  const std::string path_ = folder_.path() + "/ledger.db";
  FakeClock clock_;
  std::unique_ptr<Ledger> ledger_;
  int requests_ = 0;
};

TEST_F(CalendarTest, AWeekEndsWhenTheConfigurationSays) {
  limit(kFriday, 100);
  spent(100);
  clock_.set_wall_ms(kMonday + 4 * kDayMs + 18 * kHourMs - 1);
  const auto refused = begin(1);
  ASSERT_FALSE(refused);
  EXPECT_NE(refused.error().message.find("a new week begins on Friday at 18:00 UTC"),
            std::string::npos)
      << refused.error().message;
  clock_.advance_ms(1);
  spent(100);
  clock_.set_wall_ms(kMonday + 7 * kDayMs + kHourMs);
  EXPECT_FALSE(begin(1)) << "Monday is nothing here";
  expect_whole();
}

TEST_F(CalendarTest, ADayHasAsManyHoursAsItHas) {
  const Calendar berlin = in_zone("Europe/Berlin");
  if (berlin.zone_name() == "UTC") GTEST_SKIP() << "no zone files here: apt-get install tzdata";
  limit(berlin, 1000, 100);
  constexpr std::int64_t kSunday = 1'792'879'200'000;  // date -d "2026-10-25 00:00 +0200" +%s
  clock_.set_wall_ms(kSunday);
  spent(100);
  clock_.set_wall_ms(kSunday + 25 * kHourMs - 1);  // 23:59, after an hour that came twice
  const auto refused = begin(1);
  ASSERT_FALSE(refused);
  EXPECT_NE(refused.error().message.find("a new day begins at 00:00 Europe/Berlin"),
            std::string::npos)
      << refused.error().message;
  clock_.advance_ms(1);
  spent(100);
  expect_whole();
}

TEST_F(CalendarTest, WhatWasSpentCountsInTheWeekThatIsCutAnew) {
  limit(Calendar(), 100);
  spent(60);  // on Monday
  clock_.set_wall_ms(kMonday + 5 * kDayMs);
  spent(30);  // on Saturday
  limit(kFriday, 100);
  EXPECT_EQ(ledger_->cap_states()->at(0).balance.spent, 30) << "of the week since Friday";
  EXPECT_FALSE(begin(71));
  spent(70);
  limit(Calendar(), 200);
  EXPECT_EQ(ledger_->cap_states()->at(0).balance.spent, 160) << "and of that since Monday";
  EXPECT_FALSE(begin(41));
  expect_whole();
}

TEST_F(CalendarTest, WhatRunsWhileItChangesEndsInBothWeeks) {
  limit(Calendar(), 100);
  clock_.set_wall_ms(kMonday + 5 * kDayMs);
  const std::int64_t row = begin(50).value();
  limit(kFriday, 100);
  EXPECT_EQ(ledger_->cap_states()->at(0).balance.outstanding, 50);
  ASSERT_TRUE(ledger_->settle(row, costing(20)));
  EXPECT_EQ(ledger_->cap_states()->at(0).balance.spent, 20);
  EXPECT_EQ(ledger_->cap_states()->at(0).balance.outstanding, 0);
  limit(Calendar(), 100);
  EXPECT_EQ(ledger_->cap_states()->at(0).balance.spent, 20);
  expect_whole();
}

TEST_F(CalendarTest, AStartBeforeTheLimitsAreSaidLosesNothing) {
  limit(kFriday, 100);
  ASSERT_TRUE(begin(40));  // and the process ends
  reopen();
  expect_whole();
  limit(kFriday, 100);
  EXPECT_EQ(ledger_->cap_states()->at(0).balance.spent, 40);
  EXPECT_FALSE(begin(61));
}

// One program's life at random: every sum of the calendar in force is that of the rows in its
// window, and the file stays whole.
class Life {
 public:
  explicit Life(std::uint64_t seed) : random_(seed) {}

  void live(int steps) {
    open();
    for (int i = 0; i < steps && !testing::Test::HasFailure(); ++i) {
      step();
      compare();
    }
    const Verdict verdict = ledger_->verify({}, std::nullopt).value();
    EXPECT_FALSE(verdict.fault) << verdict.fault->what;
    EXPECT_EQ(verdict.rows, static_cast<std::int64_t>(rows_.size()));
  }

 private:
  struct Known {
    std::int64_t id = 0, started_ms = 0;
    std::string key;
    NanoUsd spent = 0, outstanding = 0;
    bool open = true;
  };

  std::int64_t below(std::int64_t most) {
    return static_cast<std::int64_t>(random_() % static_cast<std::uint64_t>(most));
  }

  void open() {
    ledger_.reset();
    ledger_ = Ledger::open(folder_.path() + "/ledger.db", clock_, "v", std::nullopt).value();
    for (Known& row : rows_)
      if (row.open) {  // recovered
        row.spent = row.outstanding;
        row.outstanding = 0;
        row.open = false;
      }
    use();
  }
  void use() {
    const auto set = ledger_->set_limits(
        {{{.limit = INT64_MAX},
          {.window = Window::kDay, .limit = INT64_MAX},
          {.window = Window::kEver, .limit = INT64_MAX},
          {.scope = Scope::kKey, .name = "a", .limit = INT64_MAX},
          {.scope = Scope::kKey, .name = "b", .window = Window::kDay, .limit = INT64_MAX}},
         false,
         calendar_});
    ASSERT_TRUE(set) << set.error().message;
  }

  void step() {
    switch (below(10)) {
      case 0:
        return open();
      case 1: {
        static const std::vector<std::string> zones{"UTC", "Europe/Berlin", "Pacific/Auckland",
                                                    "America/Sao_Paulo"};
        auto zone = TimeZone::find(zones[static_cast<std::size_t>(below(4))]);
        calendar_ = Calendar(
            zone ? *zone : TimeZone(),
            {.weekday = static_cast<int>(below(7)), .minute = static_cast<int>(below(24 * 60))});
        return use();
      }
      case 2:  // by hours mostly; now and then back
        return clock_.set_wall_ms(clock_.wall_ms() + below(4 * kDayMs) - kDayMs);
      case 3:
      case 4:
      case 5:
        return begin();
      default:
        return rows_.empty() ? begin()
                             : change(rows_[static_cast<std::size_t>(
                                   below(static_cast<std::int64_t>(rows_.size())))]);
    }
  }
  void begin() {
    AttemptStart start =
        paid("r" + std::to_string(rows_.size()), below(5) == 0 ? 0 : 1 + below(1000));
    start.key_id = below(2) == 0 ? "a" : "b";
    const auto id = ledger_->begin(start);
    ASSERT_TRUE(id) << id.error().message;
    rows_.push_back({.id = *id,
                     .started_ms = clock_.wall_ms(),
                     .key = start.key_id,
                     .outstanding = start.reserved});
  }
  void change(Known& row) {
    if (row.open) {
      const NanoUsd cost = below(1500);
      AttemptEnd end = costing(cost);  // above what was reserved, now and then
      end.cost_is_exact = true;
      ASSERT_TRUE(ledger_->settle(row.id, end));
      row.open = false;
      row.outstanding = 0;
      row.spent = cost;
    } else {
      const NanoUsd more = below(200);
      ASSERT_TRUE(ledger_->adjust(row.id, more, "known later"));
      row.spent += more;
    }
  }

  void compare() {
    const auto states = ledger_->cap_states().value();
    ASSERT_EQ(states.size(), 5U);
    for (const CapState& state : states) {
      const Span span = window_at(state.cap.window, calendar_, clock_.wall_ms());
      Balance expected;
      for (const Known& row : rows_) {
        if (!span.holds(row.started_ms)) continue;
        if (state.cap.scope == Scope::kKey && state.cap.name != row.key) continue;
        expected.spent += row.spent;
        expected.outstanding += row.outstanding;
      }
      ASSERT_EQ(state.balance.spent, expected.spent) << name_of(state.cap.window);
      ASSERT_EQ(state.balance.outstanding, expected.outstanding) << name_of(state.cap.window);
    }
  }

  std::mt19937_64 random_;
  TemporaryFolder folder_;
  FakeClock clock_;
  Calendar calendar_;
  std::unique_ptr<Ledger> ledger_;
  std::vector<Known> rows_;
};

TEST(CalendarProperty, SumsAreThoseOfTheRowsWhateverTheCalendarDoes) {
  const auto seed = std::random_device{}();
  for (std::uint64_t i = 0; i < 12 && !testing::Test::HasFailure(); ++i) {
    SCOPED_TRACE("seed " + std::to_string(seed + i));
    Life(seed + i).live(120);
  }
}

// Admission itself, at a clock that has gone back to before the calendar was changed.
TEST_F(CalendarTest, AClockThatGoesBackFindsWhatWasSpentThere) {
  limit(Calendar(), 100);
  spent(90);  // on Monday of the first week
  clock_.advance_ms(14 * kDayMs);
  limit(kFriday, 100);
  clock_.set_wall_ms(kMonday + 11 * kHourMs);  // its week, by this calendar, began on Friday before
  EXPECT_FALSE(begin(11));
  spent(10);
  expect_whole();
}

}  // namespace
}  // namespace tophand::ledger

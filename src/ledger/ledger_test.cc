#include "ledger/ledger.h"

#include <fcntl.h>
#include <gtest/gtest.h>
#include <signal.h>
#include <sqlite3.h>
#include <sys/resource.h>
#include <sys/stat.h>

#include <filesystem>
#include <fstream>
#include <limits>
#include <string>

#include "ledger/test_support.h"

namespace tophand::ledger {
namespace {

constexpr NanoUsd kDollar = 1'000'000'000;

class LedgerTest : public testing::Test {
 protected:
  std::unique_ptr<Ledger> open(std::optional<NanoUsd> cap = std::nullopt) {
    auto opened = Ledger::open(path(), clock_, "2026-10-07-test", cap);
    EXPECT_TRUE(opened) << opened.error().message;
    return opened ? std::move(*opened) : nullptr;
  }
  std::string path() const { return folder_.path() + "/ledger.db"; }

  TemporaryFolder folder_;
  FakeClock clock_;
};

// No file may grow, as on a disk that is full.
class FullDisk {
 public:
  FullDisk() : handler_(::signal(SIGXFSZ, SIG_IGN)) {
    ::getrlimit(RLIMIT_FSIZE, &before_);
    const rlimit none{1, before_.rlim_max};
    ::setrlimit(RLIMIT_FSIZE, &none);
  }
  ~FullDisk() {
    ::setrlimit(RLIMIT_FSIZE, &before_);
    ::signal(SIGXFSZ, handler_);
  }
  FullDisk(const FullDisk&) = delete;
  FullDisk& operator=(const FullDisk&) = delete;

 private:
  rlimit before_{};
  void (*handler_)(int);
};

TEST_F(LedgerTest, SaysThatItCannotBeWrittenUntilItCan) {
  const auto ledger = open(kDollar);
  ASSERT_TRUE(ledger->begin(paid("req_1", 5)));
  EXPECT_EQ(ledger->write_fault(), "");
  {
    const FullDisk full;
    const auto refused = ledger->begin(paid("req_2", 5));
    ASSERT_FALSE(refused);
    EXPECT_EQ(ledger->write_fault(), refused.error().message);
    EXPECT_FALSE(ledger->write_fault().empty());
  }
  EXPECT_EQ(ledger->begin(paid("req_3", 2 * kDollar)).error().code, Code::kBudget);
  EXPECT_NE(ledger->write_fault(), "") << "nothing was written since";
  ASSERT_TRUE(ledger->begin(paid("req_4", 5)));
  EXPECT_EQ(ledger->write_fault(), "");
}

TEST_F(LedgerTest, KeepsEverythingThatAnAttemptSays) {
  const auto ledger = open();
  AttemptStart start{.request_id = "req_1",
                     .attempt = 2,
                     .key_id = "key7",
                     .dialect = "anthropic",
                     .task_class = "qa",
                     .priority = "high",
                     .backend = "claude",
                     .model = "claude-opus-5-5",
                     .model_asked = "high",
                     .reserved = 5 * kDollar,
                     .reason = "priority high",
                     .agent = "scout",
                     .persona = "monday",
                     .session = "s1",
                     .class_source = "inferred",
                     .tier = "hard",
                     .purpose = "judge",
                     .arm = "audit",
                     .deferred_ms = 12};
  const std::int64_t id = ledger->begin(start).value();
  const AttemptEnd end{.outcome = AttemptEnd::Outcome::kPartial,
                       .tokens = {1, 2, 3, 4, 5},
                       .cost = 2 * kDollar,
                       .counterfactual = 7,
                       .counterfactual_floor = 6,
                       .counterfactual_ceiling = 8,
                       .energy = 9,
                       .estimated_tokens = 10,
                       .counterfactual_basis = "v1",
                       .provider_key = "team-2",
                       .gate = "mended",
                       .ttft_ms = 80,
                       .duration_ms = 900,
                       .error_code = "upstream_error",
                       .note = "asked twice"};
  ASSERT_TRUE(ledger->settle(id, end));
  const Row row = ledger->rows(0, 10).value().at(0);
  EXPECT_EQ(row.id, id);
  EXPECT_EQ(row.request_id, "req_1");
  EXPECT_EQ(row.attempt, 2);
  EXPECT_EQ(row.state, "settled");
  EXPECT_EQ(row.key_id, "key7");
  EXPECT_EQ(row.dialect, "anthropic");
  EXPECT_EQ(row.task_class, "qa");
  EXPECT_EQ(row.priority, "high");
  EXPECT_EQ(row.backend, "claude");
  EXPECT_EQ(row.model, "claude-opus-5-5");
  EXPECT_EQ(row.model_asked, "high");
  EXPECT_EQ(row.reason, "priority high; asked twice");
  EXPECT_EQ(row.price_version, "2026-10-07-test");
  EXPECT_EQ(row.outcome, "partial");
  EXPECT_EQ(row.error_code, "upstream_error");
  EXPECT_EQ(row.started_ms, clock_.wall_ms());
  EXPECT_EQ(row.ttft_ms, 80);
  EXPECT_EQ(row.duration_ms, 900);
  EXPECT_EQ(row.reserved, 5 * kDollar);
  EXPECT_EQ(row.cost, 2 * kDollar);
  EXPECT_EQ(row.counterfactual, 7);
  EXPECT_EQ(row.counterfactual_floor, 6);
  EXPECT_EQ(row.counterfactual_ceiling, 8);
  EXPECT_EQ(row.energy, 9);
  EXPECT_EQ(row.provider_key, "team-2");
  EXPECT_EQ(row.gate, "mended");
  EXPECT_EQ(row.agent, "scout");
  EXPECT_EQ(row.persona, "monday");
  EXPECT_EQ(row.session, "s1");
  EXPECT_EQ(row.class_source, "inferred");
  EXPECT_EQ(row.tier, "hard");
  EXPECT_EQ(row.purpose, "judge");
  EXPECT_EQ(row.arm, "audit");
  EXPECT_EQ(row.deferred_ms, 12);
  EXPECT_EQ(row.estimated_tokens, 10);
  EXPECT_EQ(row.counterfactual_basis, "v1");
  EXPECT_EQ(row.tokens.input, 1);
  EXPECT_EQ(row.tokens.cache_read, 2);
  EXPECT_EQ(row.tokens.cache_write_5m, 3);
  EXPECT_EQ(row.tokens.cache_write_1h, 4);
  EXPECT_EQ(row.tokens.output, 5);
}

TEST_F(LedgerTest, IsReadInPagesThatMissNoRow) {
  const auto ledger = open(std::nullopt);
  for (const char* id : {"a", "b", "c", "d", "e"}) ASSERT_TRUE(ledger->begin(local(id)));
  std::string seen;
  for (std::int64_t after = 0;;) {
    const auto page = ledger->rows_after(after, 0, 2).value();
    if (page.empty()) break;
    ASSERT_LE(page.size(), 2U);
    for (const Row& row : page) seen += row.request_id;
    after = page.back().id;
  }
  EXPECT_EQ(seen, "abcde");
  EXPECT_TRUE(ledger->rows_after(0, clock_.wall_ms() + 1, 10).value().empty());
}

TEST_F(LedgerTest, CountsAReservationAgainstTheCapUntilItEnds) {
  const auto ledger = open(10 * kDollar);
  const std::int64_t first = ledger->begin(paid("a", 6 * kDollar)).value();
  const auto refused = ledger->begin(paid("b", 4 * kDollar + 1));
  ASSERT_FALSE(refused);
  EXPECT_EQ(refused.error().code, Code::kBudget);
  EXPECT_NE(refused.error().message.find("$10.00"), std::string::npos) << refused.error().message;
  ASSERT_TRUE(ledger->begin(paid("c", 4 * kDollar)));  // exactly the rest
  EXPECT_EQ(ledger->begin(paid("d", 1)).error().code, Code::kBudget);
  ASSERT_TRUE(ledger->settle(first, costing(1 * kDollar)));
  ASSERT_TRUE(ledger->begin(paid("e", 5 * kDollar)));
  EXPECT_EQ(ledger->begin(paid("f", 1)).error().code, Code::kBudget);
  ASSERT_TRUE(ledger->begin(local("g"))) << "local work is never refused";
  const Totals totals = ledger->totals(0).value();
  EXPECT_EQ(totals.spent, 1 * kDollar);
  EXPECT_EQ(totals.outstanding, 9 * kDollar);
}

TEST_F(LedgerTest, SpendingIsTheMoneyOfTheTotals) {
  const auto ledger = open(100 * kDollar);
  const std::int64_t first = ledger->begin(paid("a", 3 * kDollar)).value();
  ASSERT_TRUE(ledger->begin(paid("b", 2 * kDollar)));
  const std::int64_t third = ledger->begin(paid("c", 4 * kDollar)).value();
  ASSERT_TRUE(ledger->begin(local("d")));
  ASSERT_TRUE(ledger->settle(first, costing(1 * kDollar)));
  ASSERT_TRUE(ledger->release(third, {}));
  ASSERT_TRUE(ledger->adjust(first, kDollar / 2, "the provider's account"));
  const Balance money = ledger->spending({0, INT64_MAX}).value();
  EXPECT_EQ(money.spent, 3 * kDollar / 2);
  EXPECT_EQ(money.outstanding, 2 * kDollar);
  const Totals totals = ledger->totals(0).value();
  EXPECT_EQ(money.spent, totals.spent);
  EXPECT_EQ(money.outstanding, totals.outstanding);
  EXPECT_EQ(ledger->spending({clock_.wall_ms() + 1, INT64_MAX})->outstanding, 0);
  EXPECT_EQ(ledger->spending({0, clock_.wall_ms()})->outstanding, 0);
}

TEST_F(LedgerTest, HeldBackAreThoseThatWaitedOrThatTheBudgetMoved) {
  const auto ledger = open(100 * kDollar);
  AttemptStart waited = local("a"), moved = local("b"), neither = local("c");
  waited.deferred_ms = 5;
  moved.reason = "class git; budget: lambda 1.80, hard -> default";
  for (const AttemptStart* start : {&waited, &neither, &moved}) ASSERT_TRUE(ledger->begin(*start));
  const auto rows = ledger->held_back_after(0, 0, 10).value();
  ASSERT_EQ(rows.size(), 2u);
  EXPECT_EQ(rows[0].request_id, "a");
  EXPECT_EQ(rows[1].request_id, "b");
  EXPECT_EQ(ledger->held_back_after(rows[0].id, 0, 10)->size(), 1u);
  EXPECT_EQ(ledger->held_back_after(0, 0, 1)->size(), 1u);
  EXPECT_TRUE(ledger->held_back_after(0, clock_.wall_ms() + 1, 10)->empty());
}

TEST_F(LedgerTest, ReservesNothingWithAZeroCap) {
  const auto ledger = open(0);
  EXPECT_EQ(ledger->begin(paid("a", 1)).error().code, Code::kBudget);
  EXPECT_TRUE(ledger->begin(local("b")));
}

TEST_F(LedgerTest, RefusesAmountsThatNoAttemptCosts) {
  const auto ledger = open(std::numeric_limits<NanoUsd>::max());
  const std::int64_t most = ledger->begin(paid("a", kAmountMax)).value();
  EXPECT_EQ(ledger->begin(paid("b", kAmountMax + 1)).error().code, Code::kInvalid);
  EXPECT_EQ(ledger->begin(paid("b", std::numeric_limits<NanoUsd>::max())).error().code,
            Code::kInvalid);
  EXPECT_EQ(ledger->settle(most, costing(kAmountMax + 1)).error().code, Code::kInvalid);
  EXPECT_EQ(ledger->totals(0)->outstanding, kAmountMax);
}

TEST_F(LedgerTest, StartsANewBudgetOnMonday) {
  const std::int64_t monday = 1'790'553'600'000;  // date -u -d 2026-09-28 +%s
  clock_.set_wall_ms(monday - 1);
  const auto ledger = open(10 * kDollar);
  const std::int64_t old = ledger->begin(paid("a", 10 * kDollar)).value();
  EXPECT_EQ(ledger->begin(paid("b", 1)).error().code, Code::kBudget);
  clock_.set_wall_ms(monday);
  ASSERT_TRUE(ledger->begin(paid("c", 9 * kDollar)));
  // What began last week is charged to last week, whenever it ends.
  ASSERT_TRUE(ledger->settle(old, costing(10 * kDollar)));
  EXPECT_TRUE(ledger->begin(paid("d", 1 * kDollar)));
}

TEST_F(LedgerTest, TakesTheFirstEndOfARowAndIgnoresLaterOnes) {
  const auto ledger = open();
  const std::int64_t settled = ledger->begin(paid("a", 5)).value();
  ASSERT_TRUE(ledger->settle(settled, costing(3)));
  EXPECT_TRUE(ledger->settle(settled, costing(3)));
  EXPECT_TRUE(ledger->settle(settled, costing(4)));
  EXPECT_TRUE(ledger->release(settled, {}));
  const std::int64_t released = ledger->begin(paid("b", 5)).value();
  ASSERT_TRUE(ledger->release(released, {.outcome = AttemptEnd::Outcome::kFailed, .cost = 9}));
  EXPECT_TRUE(ledger->settle(released, costing(5)));
  const auto rows = ledger->rows(0, 10).value();
  EXPECT_EQ(rows[0].state, "settled");
  EXPECT_EQ(rows[0].cost, 3);
  EXPECT_EQ(rows[1].state, "released");
  EXPECT_EQ(rows[1].cost, 0);
  EXPECT_EQ(ledger->totals(0)->spent, 3);
}

TEST_F(LedgerTest, ShowsRowsWithoutMoneyAtOnceAndHasThemInItsFileWhenItIsClosed) {
  std::int64_t open_row = 0;
  {
    const auto ledger = open();
    const std::int64_t first = ledger->begin(local("a")).value();
    open_row = ledger->begin(local("b")).value();
    const std::int64_t costly = ledger->begin(paid("c", 5)).value();
    EXPECT_LT(first, open_row);
    EXPECT_LT(open_row, costly);
    EXPECT_TRUE(ledger->settle(first, {.counterfactual = 7}));
    EXPECT_TRUE(ledger->settle(first, {.counterfactual = 9}));  // the first end counts
    const auto rows = ledger->rows(0, 10).value();
    ASSERT_EQ(rows.size(), 3U);
    EXPECT_EQ(rows[0].counterfactual, 7);
    EXPECT_EQ(rows[1].state, "reserved");
    EXPECT_TRUE(ledger->settle(open_row, {.counterfactual = 1}));
  }
  const auto again = open();
  const auto rows = again->rows(0, 10).value();
  ASSERT_EQ(rows.size(), 3U);
  EXPECT_EQ(rows[0].counterfactual, 7);
  EXPECT_EQ(rows[1].counterfactual, 1);
  EXPECT_GT(again->begin(local("d")).value(), rows[2].id);
}

TEST_F(LedgerTest, KeepsRowsWithoutMoneyWhileSomebodyElseLocksTheFile) {
  const auto ledger = open();
  sqlite3* other = nullptr;
  ASSERT_EQ(sqlite3_open(path().c_str(), &other), SQLITE_OK);
  ASSERT_EQ(sqlite3_exec(other, "BEGIN IMMEDIATE", nullptr, nullptr, nullptr), SQLITE_OK);
  ASSERT_TRUE(ledger->begin(local("a")));
  EXPECT_FALSE(ledger->begin(paid("b", 1)));
  ASSERT_EQ(sqlite3_exec(other, "ROLLBACK", nullptr, nullptr, nullptr), SQLITE_OK);
  sqlite3_close(other);
  EXPECT_EQ(ledger->rows(0, 10).value().size(), 1U);
}

TEST_F(LedgerTest, WritesTheEndOfAPaidRowOnceNobodyLocksTheFileAnyMore) {
  auto ledger = open();
  const std::int64_t a = ledger->begin(paid("a", 100)).value();
  const std::int64_t b = ledger->begin(paid("b", 100)).value();
  const auto locked = [&](const auto& during) {
    sqlite3* other = nullptr;
    ASSERT_EQ(sqlite3_open(path().c_str(), &other), SQLITE_OK);
    ASSERT_EQ(sqlite3_exec(other, "BEGIN IMMEDIATE", nullptr, nullptr, nullptr), SQLITE_OK);
    during();
    ASSERT_EQ(sqlite3_exec(other, "ROLLBACK", nullptr, nullptr, nullptr), SQLITE_OK);
    sqlite3_close(other);
  };
  locked([&] { EXPECT_EQ(ledger->settle(a, costing(7)).error().code, Code::kUnavailable); });
  for (int i = 0; i < 500 && ledger->rows_of("a")->at(0).state == "reserved"; ++i)
    std::this_thread::sleep_for(std::chrono::milliseconds(20));
  EXPECT_EQ(ledger->rows_of("a")->at(0).state, "settled");
  EXPECT_EQ(ledger->rows_of("a")->at(0).cost, 7);
  locked([&] { EXPECT_FALSE(ledger->settle(b, costing(8))); });
  ledger.reset();  // at the latest
  EXPECT_EQ(open()->rows_of("b")->at(0).cost, 8);
}

TEST_F(LedgerTest, RecordsACostAboveTheReservationAsItIs) {
  const auto ledger = open(10);
  ASSERT_TRUE(ledger->settle(ledger->begin(paid("a", 10)).value(), costing(12)));
  EXPECT_EQ(ledger->totals(0)->spent, 12);
  EXPECT_EQ(ledger->begin(paid("b", 1)).error().code, Code::kBudget);
}

TEST_F(LedgerTest, RefusesTheSameAttemptTwice) {
  const auto ledger = open();
  AttemptStart start = paid("a", 5);
  ASSERT_TRUE(ledger->begin(start));
  EXPECT_EQ(ledger->begin(start).error().code, Code::kConflict);
  start.attempt = 2;
  EXPECT_TRUE(ledger->begin(start));
  EXPECT_EQ(ledger->rows(0, 10)->size(), 2U);
}

TEST_F(LedgerTest, RefusesWhatCannotBe) {
  const auto ledger = open();
  EXPECT_EQ(ledger->begin(paid("a", -1)).error().code, Code::kInvalid);
  EXPECT_EQ(ledger->begin(paid("", 1)).error().code, Code::kInvalid);
  EXPECT_EQ(ledger->settle(77, {}).error().code, Code::kNotFound);
  const std::int64_t id = ledger->begin(paid("a", 1)).value();
  EXPECT_EQ(ledger->settle(id, costing(-1)).error().code, Code::kInvalid);
  EXPECT_EQ(ledger->settle(id, {.tokens = {.output = -1}}).error().code, Code::kInvalid);
}

TEST_F(LedgerTest, ChargesInFullWhatACrashLeftReserved) {
  ASSERT_TRUE(open()->begin(paid("a", 7 * kDollar)));  // the process goes away here
  const auto ledger = open(10 * kDollar);
  EXPECT_EQ(ledger->rows(0, 1)->at(0).state, "recovered");
  EXPECT_EQ(ledger->totals(0)->spent, 7 * kDollar);
  EXPECT_EQ(ledger->totals(0)->outstanding, 0);
  EXPECT_EQ(ledger->totals(0)->failed, 1);
  EXPECT_EQ(ledger->begin(paid("b", 4 * kDollar)).error().code, Code::kBudget);
}

TEST_F(LedgerTest, CountsARequestByTheAttemptThatDecidedIt) {
  const auto ledger = open();
  const auto run = [&](AttemptStart start, const AttemptEnd& end) {
    ASSERT_TRUE(ledger->settle(ledger->begin(start).value(), end));
  };
  AttemptEnd saved{.tokens = {.input = 10, .cache_read = 90, .output = 5}, .counterfactual = 100};
  run(local("done"), saved);
  AttemptEnd lost = saved;
  lost.outcome = AttemptEnd::Outcome::kFailed;
  run(local("failed"), lost);
  run(local("escalated"), saved);  // answered, but then asked of Claude
  AttemptStart again = paid("escalated", 50);
  again.attempt = 2;
  run(again, {.tokens = {.input = 7, .cache_write_5m = 3, .output = 2}, .cost = 40});
  ASSERT_TRUE(ledger->begin(paid("running", 9)));
  const Totals totals = ledger->totals(0).value();
  EXPECT_EQ(totals.requests, 4);
  EXPECT_EQ(totals.local_requests, 1);
  EXPECT_EQ(totals.claude_requests, 1);
  EXPECT_EQ(totals.failed, 1);
  EXPECT_EQ(totals.counterfactual, 100);
  EXPECT_EQ(totals.local_input_tokens, 300);
  EXPECT_EQ(totals.local_output_tokens, 15);
  EXPECT_EQ(totals.claude_input_tokens, 10);
  EXPECT_EQ(totals.claude_output_tokens, 2);
  EXPECT_EQ(totals.spent, 40);
  EXPECT_EQ(totals.outstanding, 9);
}

TEST_F(LedgerTest, LooksOnlyAtWhatStartedSince) {
  const auto ledger = open();
  ASSERT_TRUE(ledger->begin(local("old")));
  clock_.advance_ms(1000);
  const std::int64_t since = clock_.wall_ms();
  for (const char* id : {"x", "y", "z"}) ASSERT_TRUE(ledger->begin(local(id)));
  EXPECT_EQ(ledger->totals(since)->requests, 3);
  EXPECT_EQ(ledger->totals(0)->requests, 4);
  const auto rows = ledger->rows(since, 2).value();
  ASSERT_EQ(rows.size(), 2U);
  EXPECT_EQ(rows[0].request_id, "y");
  EXPECT_EQ(rows[1].request_id, "z");
}

TEST_F(LedgerTest, FindsTheAttemptsOfOneRequest) {
  const auto ledger = open();
  AttemptStart again = local("a");
  again.attempt = 2;
  for (const AttemptStart& start : {local("a"), local("b"), again})
    ASSERT_TRUE(ledger->begin(start));
  const auto rows = ledger->rows_of("a").value();
  ASSERT_EQ(rows.size(), 2U);
  EXPECT_EQ(rows[0].attempt, 1);
  EXPECT_EQ(rows[1].attempt, 2);
  EXPECT_TRUE(ledger->rows_of("c").value().empty());
  EXPECT_TRUE(ledger->rows_of("a' OR 1=1 --").value().empty());
}

TEST_F(LedgerTest, KeepsItsFilesPrivate) {
  {
    std::ofstream(path()).close();
  }
  ASSERT_EQ(::chmod(path().c_str(), 0644), 0);
  const auto ledger = open();
  ASSERT_TRUE(ledger->begin(paid("a", 1)));
  for (const char* suffix : {"", "-wal", "-shm", ".lock"}) {
    struct stat status{};
    ASSERT_EQ(::stat((path() + suffix).c_str(), &status), 0) << suffix;
    EXPECT_EQ(status.st_mode & 0777, 0600U) << suffix;
  }
}

TEST_F(LedgerTest, IsOpenInOneProcessAtATime) {
  const auto ledger = open();
  const auto second = Ledger::open(path(), clock_, "v", std::nullopt);
  ASSERT_FALSE(second);
  EXPECT_EQ(second.error().code, Code::kUnavailable);
}

TEST_F(LedgerTest, ReportsAForeignLockInsteadOfSendingUnrecorded) {
  const auto ledger = open();
  sqlite3* foreign = nullptr;
  ASSERT_EQ(sqlite3_open(path().c_str(), &foreign), SQLITE_OK);
  ASSERT_EQ(sqlite3_exec(foreign, "BEGIN IMMEDIATE", nullptr, nullptr, nullptr), SQLITE_OK);
  const auto refused = ledger->begin(paid("a", 1));
  ASSERT_FALSE(refused);
  EXPECT_EQ(refused.error().code, Code::kUnavailable);
  ASSERT_EQ(sqlite3_exec(foreign, "ROLLBACK", nullptr, nullptr, nullptr), SQLITE_OK);
  EXPECT_TRUE(ledger->begin(paid("a", 1)));
  sqlite3_close(foreign);
}

TEST_F(LedgerTest, RefusesAFileThatIsNoLedger) {
  std::ofstream(path()) << std::string(4096, 'x');
  EXPECT_EQ(Ledger::open(path(), clock_, "v", {}).error().code, Code::kCorrupt);
  std::filesystem::remove(path());
  run_sql(path(), "CREATE TABLE notes (text)");
  EXPECT_EQ(Ledger::open(path(), clock_, "v", {}).error().code, Code::kCorrupt);
}

TEST_F(LedgerTest, RefusesAFileOfANewerVersion) {
  open().reset();
  run_sql(path(), "PRAGMA user_version = 99");
  EXPECT_EQ(Ledger::open(path(), clock_, "v", {}).error().code, Code::kConfig);
  run_sql(path(), "PRAGMA user_version = 3");
  EXPECT_TRUE(Ledger::open(path(), clock_, "v", {}));
}

TEST(FormatUsd, ShowsCentsAboveADollarAndFourDigitsBelow) {
  const std::pair<NanoUsd, const char*> cases[] = {
      {0, "$0.00"},
      {1, "$0.000000001"},
      {123, "$0.000000123"},
      {12'345'000, "$0.01235"},
      {12'344'999, "$0.01234"},
      {6'948'000, "$0.006948"},
      {500'000'000, "$0.50"},
      {999'949'999, "$0.9999"},
      {999'950'000, "$1.00"},
      {1'234'567'890, "$1.23"},
      {1'235'000'000, "$1.24"},
      {1'999'999'999, "$2.00"},
      {123'456'000'000'000, "$123456.00"},
      {-2'500'000, "-$0.0025"},
      {std::numeric_limits<NanoUsd>::max(), "$9223372036.85"},
      {std::numeric_limits<NanoUsd>::min(), "-$9223372036.85"},
  };
  for (const auto& [amount, text] : cases) EXPECT_EQ(format_usd(amount), text);
}

TEST(WeekStart, IsMondayMidnightUtc) {
  // Seconds from `date -u -d DATE +%s`.
  const std::pair<std::int64_t, std::int64_t> cases[] = {
      {0, -259'200},                   // 1970-01-01 was a Thursday; Monday was 1969-12-29
      {-259'200, -259'200},            // that Monday itself
      {-259'201, -864'000},            // the second before it: 1969-12-22
      {1'795'528'800, 1'795'392'000},  // Tue 2026-11-24 14:00 -> Mon 2026-11-23
      {1'795'996'799, 1'795'392'000},  // Sun 2026-11-29 23:59:59
      {1'795'996'800, 1'795'996'800},  // Mon 2026-11-30 00:00
      {1'709'251'199, 1'708'905'600},  // Thu 2024-02-29 23:59:59 -> Mon 2024-02-26
  };
  for (const auto& [at, monday] : cases) EXPECT_EQ(week_start_ms(at * 1000), monday * 1000) << at;
}

}  // namespace
}  // namespace tophand::ledger

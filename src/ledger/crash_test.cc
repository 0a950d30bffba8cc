// A process that is killed at any moment loses no row that it was told is safe.
#include <gtest/gtest.h>
#include <signal.h>
#include <sys/wait.h>
#include <unistd.h>

#include <map>
#include <set>
#include <string>
#include <vector>

#include "base/random.h"
#include "ledger/ledger.h"
#include "ledger/sqlite.h"
#include "ledger/test_support.h"

namespace tophand::ledger {
namespace {

constexpr int kRounds = 8;
constexpr int kAcksMax = 60;  // the kill comes after a random number of acknowledgements up to this
constexpr NanoUsd kReserved = 100, kCost = 40;

struct Acks {
  std::set<std::string> begun, settled;
};

void tell(int fd, const std::string& line) {
  if (::write(fd, line.data(), line.size()) != static_cast<ssize_t>(line.size())) ::_exit(9);
}

// The child: begins and settles for ever, saying so after each call has returned.
[[noreturn]] void spend(const std::string& path, int fd, int round) {
  auto ledger = Ledger::open(path, system_clock(), "v", std::nullopt);
  if (!ledger) ::_exit(8);
  for (int i = 0;; ++i) {
    const std::string id = std::to_string(round) + "-" + std::to_string(i);
    const auto row = (*ledger)->begin(paid(id, kReserved));
    if (!row) ::_exit(7);
    tell(fd, "b" + id + "\n");
    if (i % 3 == 2) continue;  // left open
    if (!(*ledger)->settle(*row, costing(kCost))) ::_exit(6);
    tell(fd, "s" + id + "\n");
  }
}

// The control: says so before the commit, which then never comes.
[[noreturn]] void spend_and_tell_too_early(const std::string& path, int fd) {
  auto db = Db::open(path, 1000);
  if (!db || !db->exec("BEGIN IMMEDIATE")) ::_exit(8);
  for (int i = 0; i < 3; ++i) {
    const std::string id = "early-" + std::to_string(i);
    const std::string sql =
        "INSERT INTO attempts (request_id, attempt, state, week_ms, started_ms, key_id, dialect,"
        " task_class, priority, backend, model, model_asked, reason, price_version, reserved,"
        " charged) VALUES ('" +
        id +
        "', 1, 'reserved', 0, 1, '', '', '', '', 'claude', '', '', '',"
        " 'v', 1, 1)";
    if (!db->exec(sql.c_str())) ::_exit(7);
    tell(fd, "b" + id + "\n");
  }
  ::pause();
  ::_exit(5);
}

// Runs `child` until it has told `acks` lines, kills it, and returns all that it told.
template <class Child>
Acks kill_after(int acks, const Child& child) {
  int ends[2];
  EXPECT_EQ(::pipe(ends), 0);
  const pid_t pid = ::fork();
  if (pid == 0) {
    ::close(ends[0]);
    child(ends[1]);
  }
  ::close(ends[1]);
  std::string text;
  char buffer[4096];
  bool killed = false;
  int lines = 0;
  while (true) {
    const ssize_t got = ::read(ends[0], buffer, sizeof buffer);
    if (got <= 0) break;
    text.append(buffer, static_cast<std::size_t>(got));
    for (ssize_t i = 0; i < got; ++i) lines += buffer[i] == '\n';
    if (lines < acks || killed) continue;
    ::kill(pid, SIGKILL);
    killed = true;
  }
  ::close(ends[0]);
  int status = 0;
  ::waitpid(pid, &status, 0);
  EXPECT_TRUE(WIFSIGNALED(status)) << "the child ended by itself with " << WEXITSTATUS(status);
  Acks out;
  for (std::size_t at = 0, end; (end = text.find('\n', at)) != std::string::npos; at = end + 1)
    (text[at] == 'b' ? out.begun : out.settled).insert(text.substr(at + 1, end - at - 1));
  return out;
}

std::map<std::string, Row> rows_by_id(Ledger& ledger) {
  std::map<std::string, Row> out;
  const std::vector<Row> rows = ledger.rows(0, 100'000).value();
  for (const Row& row : rows)
    EXPECT_TRUE(out.emplace(row.request_id, row).second) << row.request_id << " is there twice";
  return out;
}

std::size_t lost(const Acks& acks, const std::map<std::string, Row>& rows) {
  std::size_t count = 0;
  for (const std::string& id : acks.begun) count += !rows.contains(id);
  return count;
}

class CrashTest : public testing::Test {
 protected:
  void check_file() {
    auto db = Db::open(path_, 1000).value();
    auto statement = db.prepare("PRAGMA integrity_check").value();
    ASSERT_TRUE(statement.step().value());
    EXPECT_EQ(statement.text(0), "ok");
  }
  TemporaryFolder folder_;
  const std::string path_ = folder_.path() + "/ledger.db";
};

// Rows without money come in batches: those of a moment ago are in the file.
TEST_F(CrashTest, LosesOnlyTheLastMomentOfRowsWithoutMoneyToKill9) {
  constexpr int kBegun = 50;
  const Acks told = kill_after(1, [&](int fd) {
    auto ledger = Ledger::open(path_, system_clock(), "v", std::nullopt);
    if (!ledger) ::_exit(8);
    for (int i = 0; i < kBegun; ++i)
      if (!(*ledger)->begin(local("free-" + std::to_string(i)))) ::_exit(7);
    ::usleep(500'000);  // twenty-five batches
    tell(fd, "b\n");
    ::pause();
  });
  const auto ledger = Ledger::open(path_, system_clock(), "v", std::nullopt).value();
  EXPECT_EQ(rows_by_id(*ledger).size(), static_cast<std::size_t>(kBegun));
}

TEST_F(CrashTest, LosesNoAcknowledgedRowToKill9) {
  const std::uint64_t seed = std::stoull(random_hex(7), nullptr, 16);
  SCOPED_TRACE("seed " + std::to_string(seed));
  SplitMix64 random(seed);
  for (int round = 0; round < kRounds; ++round) {
    const int acks = 1 + static_cast<int>(random.next() % kAcksMax);
    const Acks told = kill_after(acks, [&](int fd) { spend(path_, fd, round); });
    check_file();
    const auto ledger = Ledger::open(path_, system_clock(), "v", std::nullopt).value();
    const auto rows = rows_by_id(*ledger);
    EXPECT_EQ(lost(told, rows), 0U);
    NanoUsd total = 0;
    for (const auto& [id, row] : rows) {
      EXPECT_TRUE(row.state == "settled" || row.state == "recovered") << id << " " << row.state;
      EXPECT_EQ(row.cost, row.state == "settled" ? kCost : kReserved) << id;
      EXPECT_TRUE(row.state == "settled" || !told.settled.contains(id)) << id;
      total += row.cost;
    }
    const Totals totals = ledger->totals(0).value();
    EXPECT_EQ(totals.spent, total);
    EXPECT_EQ(totals.outstanding, 0);
  }
}

TEST_F(CrashTest, ControlThatAcknowledgesBeforeTheCommitLoses) {
  Ledger::open(path_, system_clock(), "v", std::nullopt).value().reset();
  const Acks told = kill_after(3, [&](int fd) { spend_and_tell_too_early(path_, fd); });
  const auto ledger = Ledger::open(path_, system_clock(), "v", std::nullopt).value();
  EXPECT_EQ(lost(told, rows_by_id(*ledger)), 3U);
}

}  // namespace
}  // namespace tophand::ledger

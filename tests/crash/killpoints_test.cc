// The crash table of docs/ledger.md: the process is killed at every place in the ledger at which
// that could matter, and at random moments. Whatever was acknowledged must be there afterwards,
// once, and the file must be whole. Built with TOPHAND_KILLPOINTS; the program has none of them.
#include <gtest/gtest.h>
#include <signal.h>
#include <sys/wait.h>
#include <unistd.h>

#include <array>
#include <atomic>
#include <cstdlib>
#include <cstring>
#include <functional>
#include <map>
#include <string>
#include <vector>

#include "base/random.h"
#include "ledger/killpoint.h"
#include "ledger/ledger.h"
#include "ledger/sqlite.h"
#include "ledger/test_support.h"

namespace tophand::ledger {
namespace {

const char* armed_point = nullptr;
std::atomic<int> passes_left = 0;

}  // namespace

void killpoint(const char* name) {
  if (armed_point == nullptr || std::strcmp(name, armed_point) != 0) return;
  if (--passes_left == 0) ::kill(::getpid(), SIGKILL);
}

namespace {

constexpr NanoUsd kReserved = 1000, kCost = 400, kMore = 7;
constexpr NanoUsd kCap = 1'000'000'000;

// A line an acknowledgement: "b7" row 7 is begun, "s7" settled, "r7" released, "a7" adjusted.
void tell(int fd, char what, std::int64_t row) {
  const std::string line = what + std::to_string(row) + "\n";
  if (::write(fd, line.data(), line.size()) != static_cast<ssize_t>(line.size())) ::_exit(9);
}

// What the child does until it is killed: every kind of change, over and over.
[[noreturn]] void spend(const std::string& path, int fd, const std::string& round) {
  auto ledger = Ledger::open(path, system_clock(), "v", kCap);
  if (!ledger) ::_exit(8);
  for (int i = 0;; ++i) {
    AttemptStart start = paid(round + "-" + std::to_string(i), kReserved);
    start.agent = "scout";
    const auto row = (*ledger)->begin(start);
    if (!row) ::_exit(7);
    tell(fd, 'b', *row);
    if (!(*ledger)->begin(local(round + "-free-" + std::to_string(i)))) ::_exit(6);
    if (i % 4 == 3) continue;  // left open
    const bool sent = i % 4 != 2;
    if (!(sent ? (*ledger)->settle(*row, costing(kCost)) : (*ledger)->release(*row, {})))
      ::_exit(5);
    tell(fd, sent ? 's' : 'r', *row);
    if (i % 4 != 0) continue;
    if (!(*ledger)->adjust(*row, kMore, "the provider's account")) ::_exit(4);
    tell(fd, 'a', *row);
  }
}

struct Told {
  std::map<std::int64_t, std::string> rows;  // what was acknowledged of each, in order: "bsa"
  bool killed = false;
};

// Runs `child` until it is dead; `kill_after_us`: kills it then, unless it is 0.
Told run(int kill_after_us, const std::function<void(int fd)>& child) {
  int ends[2];
  EXPECT_EQ(::pipe(ends), 0);
  const pid_t pid = ::fork();
  if (pid == 0) {
    ::close(ends[0]);
    child(ends[1]);
    ::_exit(3);
  }
  ::close(ends[1]);
  if (kill_after_us > 0) {
    ::usleep(static_cast<useconds_t>(kill_after_us));
    ::kill(pid, SIGKILL);
  }
  std::string text;
  char buffer[4096];
  for (ssize_t got = 0; (got = ::read(ends[0], buffer, sizeof buffer)) > 0;)
    text.append(buffer, static_cast<std::size_t>(got));
  ::close(ends[0]);
  int status = 0;
  ::waitpid(pid, &status, 0);
  Told told;
  told.killed = WIFSIGNALED(status) && WTERMSIG(status) == SIGKILL;
  EXPECT_TRUE(told.killed) << "the child ended by itself with " << WEXITSTATUS(status);
  for (std::size_t at = 0, end; (end = text.find('\n', at)) != std::string::npos; at = end + 1)
    told.rows[std::stoll(text.substr(at + 1, end - at - 1))] += text[at];
  return told;
}

class Killpoints : public testing::Test {
 protected:
  void crash_at(const char* point, int pass) {
    const std::string round =
        std::string(point) + std::to_string(pass) + "-" + std::to_string(++rounds_);
    note(run(0, [&](int fd) {
      armed_point = point;
      passes_left = pass;
      spend(path_, fd, round);
    }));
  }
  void crash_after_us(int moment) {
    const std::string round = "random-" + std::to_string(++rounds_);
    note(run(moment, [&](int fd) { spend(path_, fd, round); }));
  }
  void note(const Told& told) {
    for (const auto& [row, what] : told.rows) told_[row] += what;
  }

  // What is wrong with the file, first thing first; "" when all is as it must be.
  std::string wrong() {
    const auto opened = Ledger::open(path_, system_clock(), "v", kCap);
    if (!opened) return opened.error().message;
    Ledger& ledger = **opened;
    const Verdict verdict = ledger.verify({}, std::nullopt).value();
    if (verdict.fault)
      return "row " + std::to_string(verdict.fault->row_id) + ": " + verdict.fault->what;
    std::map<std::int64_t, Row> rows;
    NanoUsd spent = 0;
    const std::vector<Row> all = ledger.rows(0, 100'000).value();
    for (const Row& row : all) {
      rows[row.id] = row;
      spent += row.cost;
      if (row.state == "reserved") return "row " + std::to_string(row.id) + " is still open";
    }
    for (const auto& [id, what] : told_) {
      const auto row = rows.find(id);
      const std::string name = "row " + std::to_string(id) + " (" + what + ")";
      if (row == rows.end()) return name + " is lost";
      if (const std::string fault = differs(row->second, what); !fault.empty())
        return name + ": " + fault;
    }
    if (ledger.totals(0)->spent != spent) return "the totals are another sum";
    if (ledger.cap_states()->at(0).balance.spent != spent) return "the balance is another sum";
    if (ledger.cap_states()->at(0).balance.outstanding != 0) return "something is outstanding";
    return "";
  }

  // What was acknowledged must hold; what was under way when the process died may hold or not.
  static std::string differs(const Row& row, const std::string& what) {
    const NanoUsd adjusted = row.adjusted;
    if (what.find('a') != std::string::npos && adjusted != kMore) return "not adjusted";
    if (what.find('s') != std::string::npos && row.state != "settled") return "is " + row.state;
    if (what.find('r') != std::string::npos && row.state != "released") return "is " + row.state;
    if (row.state == "settled" && row.cost != kCost + adjusted) return "costs something else";
    if (row.state == "released" && row.cost != 0) return "was released and costs something";
    if (row.state == "recovered" && row.cost != kReserved) return "is not charged in full";
    return "";
  }

  TemporaryFolder folder_;
  const std::string path_ = folder_.path() + "/ledger.db";
  std::map<std::int64_t, std::string> told_;
  int rounds_ = 0;
};

constexpr std::array kPoints{
    "reserve_begins",       "reserve_row",         "reserve_balances", "before_reserve_commit",
    "after_reserve_commit", "end_begins",          "end_row",          "end_balances",
    "before_end_commit",    "after_end_commit",    "adjust_begins",    "adjust_row",
    "before_adjust_commit", "after_adjust_commit", "batch_row",        "before_batch_commit",
    "after_batch_commit"};

TEST_F(Killpoints, LoseNothingThatWasAcknowledgedAndLeaveTheFileWhole) {
  for (const char* point : kPoints)
    for (const int pass : {1, 2, 5}) {
      SCOPED_TRACE(std::string(point) + ", pass " + std::to_string(pass));
      crash_at(point, pass);
      EXPECT_EQ(wrong(), "");
    }
  EXPECT_GT(told_.size(), 50U);
}

// The start after a crash may crash as well: what was open is closed once, whenever that succeeds.
TEST_F(Killpoints, CloseOpenRowsOnceHoweverOftenTheStartCrashes) {
  for (const char* point : {"recover_row", "before_recover_commit", "after_recover_commit"}) {
    SCOPED_TRACE(point);
    crash_at("after_reserve_commit", 4);
    crash_at(point, 1);
    crash_at(point, 1);
    EXPECT_EQ(wrong(), "");
  }
}

TEST_F(Killpoints, HoldAtRandomMomentsToo) {
  const char* wanted = std::getenv("TOPHAND_CRASH_ROUNDS");  // for long runs
  const int rounds = wanted != nullptr ? std::atoi(wanted) : 25;
  const std::uint64_t seed = std::stoull(random_hex(7), nullptr, 16);
  SCOPED_TRACE("seed " + std::to_string(seed));
  SplitMix64 random(seed);
  for (int round = 0; round < rounds; ++round) {
    crash_after_us(1 + static_cast<int>(random.next() % 60'000));
    ASSERT_EQ(wrong(), "") << "round " << round;
  }
  auto db = Db::open(path_, 1000).value();
  auto check = db.prepare("PRAGMA integrity_check").value();
  ASSERT_TRUE(check.step().value());
  EXPECT_EQ(check.text(0), "ok");
}

// A ledger that commits the row first and its sum and event after: killed between the two.
TEST_F(Killpoints, ControlThatCommitsTheRowAloneIsFound) {
  crash_at("after_end_commit", 1);
  ASSERT_EQ(wrong(), "");
  note(run(0, [&](int fd) {
    run_sql(path_,
            "INSERT INTO attempts (id, request_id, attempt, state, week_ms, started_ms, key_id, "
            "dialect, task_class, priority, backend, model, model_asked, reason, price_version, "
            "reserved, charged) VALUES (900, 'alone', 1, 'reserved', 0, 0, '', '', '', '', "
            "'claude', '', '', '', '', 1000, 1000)");
    tell(fd, 'b', 900);
    ::kill(::getpid(), SIGKILL);
  }));
  EXPECT_NE(wrong(), "");
}

// One that acknowledges before its commit, which then never comes.
TEST_F(Killpoints, ControlThatAcknowledgesTooEarlyIsFound) {
  crash_at("after_end_commit", 1);
  note(run(0, [&](int fd) {
    tell(fd, 'b', 901);
    armed_point = "before_reserve_commit";
    passes_left = 1;
    auto ledger = Ledger::open(path_, system_clock(), "v", kCap);
    if (ledger) static_cast<void>((*ledger)->begin(paid("early", kReserved)).has_value());
  }));
  EXPECT_EQ(wrong(), "row 901 (b) is lost");
}

}  // namespace
}  // namespace tophand::ledger

// The real ledger on a disk that loses its power at any moment: what was acknowledged is there
// afterwards, to the nano-dollar, also when the power went in the recovery from an earlier cut.
#include <gtest/gtest.h>
#include <sqlite3.h>

#include <algorithm>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "base/log.h"
#include "base/random.h"
#include "ledger/ledger.h"
#include "ledger/test_support.h"
#include "simulation/disk_vfs.h"
#include "simulation/seed.h"

namespace tophand::simulation {
namespace {

using ledger::Ledger;
using ledger::NanoUsd;
using ledger::Row;

constexpr int kLives = 10, kCutsOfALife = 50;
constexpr int kControlLives = 5;
constexpr int kLivesOfAFile = 5;  // each goes on from what a cut of the one before has left

struct Acknowledged {
  std::string state;  // "reserved": begin() has returned
  NanoUsd cost = 0;
};
using Account = std::map<std::string, Acknowledged>;  // by request id

// "begun ID REST" or "STATE ID COST"
void take_note(const std::string& note, Account& account) {
  const std::size_t first = note.find(' '), second = note.rfind(' ');
  account[note.substr(first + 1, second - first - 1)] = {note.substr(0, first),
                                                         std::stoll(note.substr(second + 1))};
}

struct Damage {
  int cuts = 0, bad_cuts = 0;
  int unreadable = 0;  // the file does not open, or SQLite's integrity_check complains
  int lost = 0;        // rows that are not there, or not as they were acknowledged
  int miscounted = 0;  // the sums are not those of the rows, or the ledger's own check complains
};

std::string integrity(const std::string& path) {
  sqlite3* db = nullptr;
  std::string out = "cannot be opened";
  const auto first = [](void* to, int, char** values, char**) {
    *static_cast<std::string*>(to) = values[0];
    return 1;  // only the first line
  };
  if (sqlite3_open(path.c_str(), &db) == SQLITE_OK)
    sqlite3_exec(db, "PRAGMA integrity_check", first, &out, nullptr);
  sqlite3_close(db);
  return out;
}

class PowerCut : public testing::Test {
 protected:
  PowerCut() { log::set_level(log::Level::kOff); }  // each recovery is logged
  ~PowerCut() override { log::set_level(log::Level::kInfo); }

  // One life of the gateway on `disk`: requests, each noted when the ledger has answered.
  void live(Disk& disk, int life) {
    vfs_.mount(folder_.path(), disk);
    auto opened = Ledger::open(path_, clock_, "v", std::nullopt);
    ASSERT_TRUE(opened) << opened.error().message;
    Ledger& ledger = **opened;
    const auto requests = static_cast<int>(40 + random_.next() % 160);
    for (int i = 0; i < requests; ++i) {
      const std::string id = std::to_string(life) + "-" + std::to_string(i);
      const std::uint64_t choice = random_.next() % 8;
      if (choice == 0) {  // written some time later, and not synced
        const auto row = ledger.begin(ledger::local(id));
        ASSERT_TRUE(row && ledger.settle(*row, {}));
      } else {
        pay(ledger, disk, id, choice);
      }
    }
  }

  void pay(Ledger& ledger, Disk& disk, const std::string& id, std::uint64_t choice) {
    const auto cost = static_cast<NanoUsd>(random_.next() % 1000);
    const auto row = ledger.begin(ledger::paid(id, 1000));
    ASSERT_TRUE(row) << row.error().message;
    disk.note("reserved " + id + " 1000");
    if (choice == 1) return;  // is left open
    if (choice == 2) {
      ASSERT_TRUE(ledger.release(*row, {}));
      disk.note("released " + id + " 0");
    } else {
      ASSERT_TRUE(ledger.settle(*row, ledger::costing(cost)));
      disk.note("settled " + id + " " + std::to_string(cost));
    }
  }

  // Opens what a cut has left as the next start would, and compares with what was acknowledged.
  void examine(Image image, const Account& account, Damage& damage) {
    const Damage before = damage;
    Disk disk(std::move(image));
    vfs_.mount(folder_.path(), disk);
    compare(account, damage);
    if (integrity(path_) != "ok") ++damage.unreadable;
    ++damage.cuts;
    damage.bad_cuts += damage.unreadable > before.unreadable || damage.lost > before.lost ||
                       damage.miscounted > before.miscounted;
  }

  void compare(const Account& account, Damage& damage) {
    auto opened = Ledger::open(path_, clock_, "v", std::nullopt);
    if (!opened) {
      ++damage.unreadable;
      damage.lost += static_cast<int>(account.size());
      return;
    }
    std::map<std::string, Row> rows;
    NanoUsd spent = 0;
    const std::vector<Row> all = (*opened)->rows(0, 100'000).value();
    for (const Row& row : all) {
      spent += row.cost;
      if (!rows.emplace(row.request_id, row).second) ++damage.miscounted;
    }
    for (const auto& [id, acknowledged] : account) {
      const auto found = rows.find(id);
      damage.lost += found == rows.end() || !agrees(found->second, acknowledged);
    }
    const ledger::Totals totals = (*opened)->totals(0).value();
    const auto verdict = (*opened)->verify({}, std::nullopt);
    damage.miscounted +=
        totals.spent != spent || totals.outstanding != 0 || !verdict || verdict->fault.has_value();
  }

  static bool agrees(const Row& row, const Acknowledged& acknowledged) {
    if (acknowledged.state != "reserved")
      return row.state == acknowledged.state && row.cost == acknowledged.cost;
    // The end may have reached the disk without having been acknowledged; else it counts in full.
    return row.state == "recovered" ? row.cost == acknowledged.cost : row.state != "reserved";
  }

  // A quarter of them while the ledger is closed, which copies the log into the file.
  std::vector<std::size_t> moments_of(const Disk& disk) {
    constexpr std::size_t kClosing = 60;
    std::vector<std::size_t> out;
    for (int i = 0; i < kCutsOfALife; ++i) {
      const std::size_t events = i % 4 == 0 ? kClosing : disk.log().size();
      out.push_back(disk.log().size() - random_.next() % std::min(events, disk.log().size()));
    }
    std::ranges::sort(out);
    return out;
  }

  Damage run(int lives, int lives_of_a_file, Synchronous synchronous) {
    Damage damage;
    Image file;
    Account before;
    for (int life = 0; life < lives && !HasFatalFailure(); ++life) {
      if (life % lives_of_a_file == 0) file.clear(), before.clear();
      vfs_.synchronous = synchronous;
      Disk disk(file);
      live(disk, life);
      const std::vector<std::size_t> moments = moments_of(disk);
      const std::size_t goes_on = random_.next() % moments.size();
      Account account = before;
      Replay replay(disk);
      for (std::size_t i = 0; i < moments.size(); ++i) {
        replay.advance(moments[i], [&](const std::string& note) { take_note(note, account); });
        Image image = replay.cut(random_);
        if (i == goes_on) file = image, before = account;
        examine(std::move(image), account, damage);
      }
    }
    std::printf("%d cuts, %d bad: %d unreadable, %d rows lost, %d sums wrong\n", damage.cuts,
                damage.bad_cuts, damage.unreadable, damage.lost, damage.miscounted);
    return damage;
  }

  TemporaryFolder folder_;  // for the lock; the ledger's files are on the simulated disk
  const std::string path_ = folder_.path() + "/ledger.db";
  FakeClock clock_;
  SplitMix64 random_{seed()};
  DiskVfs vfs_{random_.next()};
};

TEST_F(PowerCut, LosesNoAcknowledgedRow) {
  const Damage damage = run(kLives * scale(), kLivesOfAFile, Synchronous::kFull);
  EXPECT_EQ(damage.unreadable, 0);
  EXPECT_EQ(damage.lost, 0);
  EXPECT_EQ(damage.miscounted, 0);
}

// The controls: the same with the ledger's PRAGMA synchronous=FULL meaning less. A file is used for
// one life only, as it may be beyond use afterwards.
TEST_F(PowerCut, ControlWithSynchronousNormalLoses) {
  const Damage damage = run(kControlLives, 1, Synchronous::kNormal);
  EXPECT_GE(damage.bad_cuts * 2, damage.cuts);
}

TEST_F(PowerCut, ControlWithSynchronousOffLosesAndCorrupts) {
  const Damage damage = run(kControlLives, 1, Synchronous::kOff);
  EXPECT_GE(damage.bad_cuts * 2, damage.cuts);
  EXPECT_GT(damage.unreadable, 0);
}

}  // namespace
}  // namespace tophand::simulation

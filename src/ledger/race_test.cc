// The cap under sixteen racing threads, and the control that shows the test would notice.
#include <gtest/gtest.h>

#include <array>
#include <atomic>
#include <barrier>
#include <thread>
#include <vector>

#include "base/random.h"
#include "ledger/ledger.h"
#include "ledger/test_support.h"

namespace tophand::ledger {
namespace {

constexpr int kThreads = 16;
constexpr int kAttemptsEach = 40;
constexpr NanoUsd kCap = 1'000'000;

NanoUsd charged(Ledger& ledger) {
  const Totals totals = ledger.totals(0).value();
  return totals.spent + totals.outstanding;
}

TEST(LedgerRace, NeverOverrunsTheCap) {
  TemporaryFolder folder;
  FakeClock clock;
  const auto ledger = Ledger::open(folder.path() + "/l.db", clock, "v", kCap).value();
  const std::uint64_t seed = std::stoull(random_hex(7), nullptr, 16);
  SCOPED_TRACE("seed " + std::to_string(seed));
  RecordProperty("seed", std::to_string(seed));
  std::atomic<int> refused = 0, accepted = 0;
  std::atomic<bool> over = false, broken = false;
  const auto work = [&](int thread) {
    SplitMix64 random(seed + static_cast<std::uint64_t>(thread));
    for (int i = 0; i < kAttemptsEach; ++i) {
      const auto amount = static_cast<NanoUsd>(1 + random.next() % (kCap / 8));
      const auto id = "r" + std::to_string(thread) + "-" + std::to_string(i);
      const auto row = ledger->begin(paid(id, amount));
      if (charged(*ledger) > kCap) over = true;
      if (!row) {
        if (row.error().code != Code::kBudget) broken = true;
        ++refused;
        continue;
      }
      ++accepted;
      const std::uint64_t choice = random.next() % 8;
      if (choice == 0) continue;  // stays reserved
      const NanoUsd cost = static_cast<NanoUsd>(random.next()) % (amount / 4 + 1);
      const auto closed = choice < 4 ? ledger->release(*row, {})
                                     : ledger->settle(*row, costing(cost < 0 ? -cost : cost));
      if (!closed) broken = true;
    }
  };
  std::vector<std::thread> threads;
  for (int thread = 0; thread < kThreads; ++thread) threads.emplace_back(work, thread);
  for (std::thread& thread : threads) thread.join();
  EXPECT_FALSE(over);
  EXPECT_FALSE(broken);
  EXPECT_LE(charged(*ledger), kCap);
  EXPECT_GT(accepted, 0);
  EXPECT_GT(refused, 0) << "the cap was never reached: the test shows nothing";
}

// Looking first and writing after, as two steps: all threads look before any writes.
TEST(LedgerRace, ControlThatChecksAndThenActsOverruns) {
  TemporaryFolder folder;
  FakeClock clock;
  const auto ledger = Ledger::open(folder.path() + "/l.db", clock, "v", std::nullopt).value();
  constexpr NanoUsd kAmount = kCap / 4;
  std::barrier everyone_has_looked(kThreads);
  std::vector<std::thread> threads;
  for (int thread = 0; thread < kThreads; ++thread)
    threads.emplace_back([&, thread] {
      const bool fits = charged(*ledger) + kAmount <= kCap;
      everyone_has_looked.arrive_and_wait();
      if (!fits) return;
      EXPECT_TRUE(ledger->begin(paid("r" + std::to_string(thread), kAmount)));
    });
  for (std::thread& thread : threads) thread.join();
  EXPECT_GT(charged(*ledger), kCap);
}

}  // namespace
}  // namespace tophand::ledger

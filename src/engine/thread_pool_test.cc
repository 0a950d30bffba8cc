#include "engine/thread_pool.h"

#include <gtest/gtest.h>

#include <numeric>

namespace tophand::engine {
namespace {

TEST(ThreadPool, RunsAJobOnceOnEveryLane) {
  for (const int threads : {1, 2, 5}) {
    ThreadPool pool(threads);
    ASSERT_EQ(pool.size(), threads);
    for (int round = 0; round < 100; ++round) {
      std::vector<int> seen(static_cast<std::size_t>(threads), 0);
      pool.run([&](int lane) { ++seen[static_cast<std::size_t>(lane)]; });
      EXPECT_EQ(seen, std::vector<int>(static_cast<std::size_t>(threads), 1));
    }
  }
}

// Each lane adds its neighbour's value of the step before; without a working barrier the sums
// differ from those of one thread, and thread sanitizer sees the race.
TEST(ThreadPool, BarriersSeparateSteps) {
  constexpr int kLanes = 4;
  constexpr int kSteps = 300;
  std::vector<unsigned> expected{1, 2, 3, 4};
  for (int step = 0; step < kSteps; ++step) {
    const std::vector<unsigned> before = expected;
    for (std::size_t i = 0; i < kLanes; ++i) expected[i] += before[(i + 1) % kLanes];
  }
  ThreadPool pool(kLanes);
  std::vector<unsigned> now{1, 2, 3, 4}, next(kLanes);
  pool.run([&](int lane) {
    const auto i = static_cast<std::size_t>(lane);
    for (int step = 0; step < kSteps; ++step) {
      next[i] = now[i] + now[(i + 1) % kLanes];
      pool.barrier();
      now[i] = next[i];
      pool.barrier();
    }
  });
  EXPECT_EQ(now, expected);
}

TEST(ThreadPool, TakesJobsFromSeveralThreadsInTurns) {
  ThreadPool pool(2);
  int total = 0;  // guarded by the pool: one job at a time
  std::vector<std::thread> callers;
  for (int i = 0; i < 4; ++i)
    callers.emplace_back([&] {
      for (int round = 0; round < 50; ++round)
        pool.run([&](int lane) {
          if (lane == 0) ++total;
        });
    });
  for (std::thread& caller : callers) caller.join();
  EXPECT_EQ(total, 200);
}

TEST(ThreadPool, SharesCoverEverythingOnceAndEvenly) {
  for (const std::uint64_t n : {0u, 1u, 2u, 7u, 96u, 9'496u})
    for (const int lanes : {1, 2, 3, 16}) {
      std::uint64_t at = 0;
      for (int lane = 0; lane < lanes; ++lane) {
        const Range part = share_of(n, lane, lanes);
        EXPECT_EQ(part.begin, at);
        EXPECT_LE(part.end - part.begin, n / static_cast<std::uint64_t>(lanes) + 1);
        at = part.end;
      }
      EXPECT_EQ(at, n);
    }
}

TEST(ThreadPool, FindsAtLeastOneCore) {
  EXPECT_GE(usable_cores(), 1);
  EXPECT_LE(usable_cores(), static_cast<int>(std::thread::hardware_concurrency()));
}

}  // namespace
}  // namespace tophand::engine

#include "dispatch/limiter.h"

#include <gtest/gtest.h>

#include <atomic>
#include <thread>
#include <vector>

#include "dispatch/retry_budget.h"
#include "net/cancel.h"

namespace tophand::dispatch {
namespace {

constexpr std::int64_t kNever = INT64_MAX;

TEST(Limiter, GivesOutItsPlacesAndTakesThemBack) {
  Limiter limiter({.running_max = 2, .waiting_max = 0});
  auto first = limiter.try_enter();
  auto second = limiter.try_enter();
  ASSERT_TRUE(first && second);
  EXPECT_FALSE(limiter.try_enter());
  first.reset();
  EXPECT_TRUE(limiter.try_enter());
}

TEST(Limiter, WithoutALimitLetsEverybodyIn) {
  Limiter limiter({});
  std::vector<Limiter::Place> places;
  for (int i = 0; i < 1000; ++i) places.push_back(*limiter.try_enter());
  EXPECT_EQ(limiter.load().running, 1000);
}

TEST(Limiter, RefusesAtOnceWhenTooManyWait) {
  Limiter limiter({.running_max = 1, .waiting_max = 0});
  const auto held = limiter.try_enter();
  const net::CancelFlag never;
  const auto refused = limiter.enter(never, system_clock(), kNever);
  ASSERT_FALSE(refused);
  EXPECT_EQ(refused.error().code, Code::kExhausted);
}

TEST(Limiter, StopsWaitingAtTheDeadlineOrWhenToldTo) {
  Limiter limiter({.running_max = 1, .waiting_max = 5});
  const auto held = limiter.try_enter();
  net::CancelFlag stop;
  const auto late = limiter.enter(stop, system_clock(), system_clock().mono_ns());
  EXPECT_EQ(late.error().code, Code::kDeadline);
  stop.cancel();
  const auto stopped = limiter.enter(stop, system_clock(), kNever);
  EXPECT_EQ(stopped.error().code, Code::kCancelled);
  EXPECT_EQ(limiter.load().waiting, 0);
  EXPECT_EQ(limiter.load().running, 1);
}

TEST(Limiter, NeverRunsMoreThanItsPlacesAndServesEverybody) {
  Limiter limiter({.running_max = 3, .waiting_max = 100});
  const net::CancelFlag never;
  std::atomic<int> running = 0, most = 0, served = 0;
  std::vector<std::thread> threads;
  threads.reserve(16);
  for (int i = 0; i < 16; ++i)
    threads.emplace_back([&] {
      for (int round = 0; round < 200; ++round) {
        const auto place = limiter.enter(never, system_clock(), kNever);
        if (!place) continue;
        const int now = ++running;
        for (int seen = most; now > seen && !most.compare_exchange_weak(seen, now);) {
        }
        std::this_thread::yield();
        --running;
        ++served;
      }
    });
  for (std::thread& thread : threads) thread.join();
  EXPECT_EQ(served, 16 * 200);
  EXPECT_LE(most, 3);
  EXPECT_EQ(limiter.load().running, 0);
}

TEST(RetryBudget, IsAShareOfWhatIsActiveAndAFewInAnyCase) {
  struct Case {
    int requests, granted;
  };
  for (const Case test : {Case{1, 3}, Case{30, 3}, Case{50, 5}, Case{200, 20}, Case{209, 20}}) {
    RetryBudget budget;
    std::vector<RetryBudget::Count> active, further;
    for (int i = 0; i < test.requests; ++i) active.push_back(budget.request());
    for (int i = 0; i < test.requests + 10; ++i)
      if (auto right = budget.further_attempt()) further.push_back(*std::move(right));
    EXPECT_EQ(static_cast<int>(further.size()), test.granted) << test.requests;
    further.pop_back();
    EXPECT_TRUE(budget.further_attempt()) << "a right that was given back is there again";
  }
}

}  // namespace
}  // namespace tophand::dispatch

#include "dispatch/limiter.h"

#include <gtest/gtest.h>

#include <atomic>
#include <mutex>
#include <optional>
#include <string>
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
  const auto refused = limiter.enter({}, never, system_clock(), kNever);
  ASSERT_FALSE(refused);
  EXPECT_EQ(refused.error().code, Code::kExhausted);
}

TEST(Limiter, StopsWaitingAtTheDeadlineOrWhenToldTo) {
  Limiter limiter({.running_max = 1, .waiting_max = 5});
  const auto held = limiter.try_enter();
  net::CancelFlag stop;
  const auto late = limiter.enter({}, stop, system_clock(), system_clock().mono_ns());
  EXPECT_EQ(late.error().code, Code::kDeadline);
  stop.cancel();
  const auto stopped = limiter.enter({}, stop, system_clock(), kNever);
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
        const auto place = limiter.enter({}, never, system_clock(), kNever);
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

// Requests that wait for the one place of a limiter, each on a thread; who got it is kept in order.
class Crowd {
 public:
  explicit Crowd(const Places& places) : limiter_(places), first_(limiter_.try_enter()) {}
  ~Crowd() { let_go(); }

  // Returns when it waits, or is over.
  void ask(const std::string& agent, std::int64_t cost = 1) {
    const std::size_t before = over_;
    const std::int64_t waited = limiter_.load().waiting;
    threads_.emplace_back([this, agent, cost] {
      auto place = limiter_.enter({agent, cost}, never_, system_clock(), kNever);
      const std::lock_guard lock(mutex_);
      (place ? entered : refused).push_back(agent);
      ++over_;
    });
    while (over_ == before && limiter_.load().waiting == waited) std::this_thread::yield();
  }
  void let_go() {
    first_.reset();
    threads_.clear();
  }
  Limiter& limiter() { return limiter_; }

  std::vector<std::string> entered, refused;

 private:
  Limiter limiter_;
  std::optional<Limiter::Place> first_;
  const net::CancelFlag never_;
  std::mutex mutex_;  // guards entered and refused
  std::atomic<std::size_t> over_ = 0;
  std::vector<std::jthread> threads_;  // joined before the rest goes
};

TEST(Limiter, GivesItsPlacesToTheAgentsInTurn) {
  Crowd crowd({.running_max = 1, .waiting_max = 10});
  for (int i = 0; i < 4; ++i) crowd.ask("greedy");
  crowd.ask("modest");
  crowd.ask("quiet");
  crowd.let_go();
  EXPECT_EQ(crowd.entered,
            (std::vector<std::string>{"greedy", "modest", "quiet", "greedy", "greedy", "greedy"}));
}

TEST(Limiter, GivesMoreTurnsToMoreWeightAndFewerToDearRequests) {
  Crowd crowd({.running_max = 1, .waiting_max = 10, .quantum = 1, .weights = {{"heavy", 2}}});
  for (int i = 0; i < 3; ++i) crowd.ask("dear", 2);
  for (int i = 0; i < 4; ++i) crowd.ask("heavy", 1);
  crowd.let_go();
  EXPECT_EQ(crowd.entered,
            (std::vector<std::string>{"heavy", "heavy", "dear", "heavy", "heavy", "dear", "dear"}));
}

TEST(Limiter, AFullRoomPushesOutWhoFloodsIt) {
  Crowd crowd({.running_max = 1, .waiting_max = 3});
  for (int i = 0; i < 4; ++i) crowd.ask("greedy");
  EXPECT_EQ(crowd.refused, std::vector<std::string>{"greedy"}) << "there is room for three";
  crowd.ask("modest");
  crowd.let_go();
  EXPECT_EQ(crowd.entered, (std::vector<std::string>{"greedy", "modest", "greedy"}));
  EXPECT_EQ(crowd.refused, (std::vector<std::string>{"greedy", "greedy"}));
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

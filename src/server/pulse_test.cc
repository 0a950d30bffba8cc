#include "server/pulse.h"

#include <gtest/gtest.h>

#include <atomic>
#include <chrono>

namespace tophand::server {
namespace {

struct Counter final : Beating {
  void beat() override {
    ++beats;
    while (stuck) std::this_thread::yield();
    ++ended;
  }
  std::atomic<int> beats = 0, ended = 0;
  std::atomic<bool> stuck = false;
};

void wait_for_beats(const Counter& counter, int wanted) {
  const auto until = std::chrono::steady_clock::now() + std::chrono::seconds(20);
  while (counter.beats < wanted && std::chrono::steady_clock::now() < until)
    std::this_thread::sleep_for(std::chrono::milliseconds(5));
  ASSERT_GE(counter.beats.load(), wanted);
}

TEST(Pulse, BeatsForAllThatWereAddedUntilTheyAreRemoved) {
  Pulse pulse;
  Counter first, second;
  pulse.add(first);
  pulse.add(second);
  wait_for_beats(first, 2);
  wait_for_beats(second, 1);
  pulse.remove(first);
  const int beats = first.beats;
  wait_for_beats(second, second.beats + 2);
  EXPECT_EQ(first.beats, beats);
  pulse.remove(second);
}

TEST(Pulse, IsNotInTheMiddleOfACallOnceRemoved) {
  Pulse pulse;
  Counter counter;
  counter.stuck = true;
  pulse.add(counter);
  wait_for_beats(counter, 1);
  std::thread freeing([&] {
    std::this_thread::sleep_for(std::chrono::milliseconds(50));
    counter.stuck = false;
  });
  pulse.remove(counter);
  EXPECT_EQ(counter.ended, counter.beats);
  freeing.join();
}

TEST(Pulse, EndsAtOnceWithNothingToDo) {
  const Pulse never_used;
  Pulse used;
  Counter counter;
  used.add(counter);
  used.remove(counter);
}

}  // namespace
}  // namespace tophand::server

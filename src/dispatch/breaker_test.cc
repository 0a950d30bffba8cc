#include "dispatch/breaker.h"

#include <gtest/gtest.h>

#include <string_view>

namespace tophand::dispatch {
namespace {

constexpr std::int64_t kMs = 1'000'000;

// A history as letters: x a failed attempt, o a good one, - one that told nothing, . a pause of a
// second. Every letter but the dot needs a pass, and notes whether it got one.
std::string play(Breaker& breaker, std::string_view history) {
  std::string passes;
  std::int64_t now_ns = 0;
  for (const char step : history) {
    if (step == '.') {
      now_ns += 1000 * kMs;
      continue;
    }
    const bool passed = breaker.try_pass(now_ns);
    passes += passed ? 'y' : 'n';
    if (!passed) continue;
    if (step == 'x') breaker.failed(now_ns);
    else if (step == 'o') breaker.succeeded();
    else breaker.gave_up();
  }
  return passes;
}

TEST(Breaker, FollowsHistories) {
  struct Case {
    const char* what;
    const char* history;
    const char* passes;
  };
  // Three failures open it, for one second, then two, then four at most.
  const BreakerLimits limits{
      .failures_max = 3, .open_ns_first = 1000 * kMs, .open_ns_max = 4000 * kMs};
  const Case cases[] = {
      {"closed while well", "oooooo", "yyyyyy"},
      {"a good answer forgets failures", "xxoxxoxx", "yyyyyyyy"},
      {"opens after three in a row", "xxxxx", "yyynn"},
      {"one probe after the pause closes it", "xxx.ooo", "yyyyyy"},
      {"a failed probe doubles the pause", "xxx.x.o.o", "yyyyny"},
      {"and again, up to the longest", "xxx.x..x....x....o", "yyyyyyy"},
      {"a pause is over when it is over", "xxx.x..x...o.o", "yyyyyny"},
      {"after it is well the first pause is short again", "xxx.x..oxxx.o", "yyyyyyyyy"},
      {"a probe that told nothing leaves it to the next", "xxx.-o", "yyyyy"},
  };
  for (const Case& test : cases) {
    Breaker breaker(limits);
    EXPECT_EQ(play(breaker, test.history), test.passes) << test.what << ": " << test.history;
  }
}

TEST(Breaker, LetsOneProbeThroughAtATime) {
  Breaker breaker({.failures_max = 1, .open_ns_first = kMs, .open_ns_max = kMs});
  ASSERT_TRUE(breaker.try_pass(0));
  breaker.failed(0);
  EXPECT_FALSE(breaker.try_pass(kMs - 1));
  EXPECT_TRUE(breaker.try_pass(kMs));
  EXPECT_FALSE(breaker.try_pass(kMs));
  breaker.succeeded();
  EXPECT_TRUE(breaker.try_pass(kMs));
  EXPECT_TRUE(breaker.try_pass(kMs));
}

// Ten requests were under way when the backend died: their failures are one piece of news.
TEST(Breaker, LateFailuresDoNotLengthenThePause) {
  Breaker breaker({.failures_max = 2, .open_ns_first = 10 * kMs, .open_ns_max = 1000 * kMs});
  for (int i = 0; i < 10; ++i) ASSERT_TRUE(breaker.try_pass(0));
  for (int i = 0; i < 10; ++i) breaker.failed(i);
  EXPECT_TRUE(breaker.try_pass(11 * kMs));
}

}  // namespace
}  // namespace tophand::dispatch

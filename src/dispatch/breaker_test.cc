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
    const Pass pass = breaker.try_pass(now_ns);
    passes += pass == Pass::kNone ? 'n' : 'y';
    if (pass == Pass::kNone) continue;
    if (step == 'x') breaker.failed(now_ns, pass);
    else if (step == 'o') breaker.succeeded();
    else breaker.gave_up(pass);
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
  ASSERT_EQ(breaker.try_pass(0), Pass::kUsual);
  breaker.failed(0, Pass::kUsual);
  EXPECT_EQ(breaker.try_pass(kMs - 1), Pass::kNone);
  EXPECT_EQ(breaker.try_pass(kMs), Pass::kProbe);
  EXPECT_EQ(breaker.try_pass(kMs), Pass::kNone);
  breaker.succeeded();
  EXPECT_EQ(breaker.try_pass(kMs), Pass::kUsual);
  EXPECT_EQ(breaker.try_pass(kMs), Pass::kUsual);
}

// It began before the breaker opened; whoever is the probe is still out.
TEST(Breaker, AnOldAttemptsEndIsNotTheProbes) {
  Breaker breaker({.failures_max = 1, .open_ns_first = kMs, .open_ns_max = 4 * kMs});
  for (int i = 0; i < 3; ++i) ASSERT_EQ(breaker.try_pass(0), Pass::kUsual);
  breaker.failed(0, Pass::kUsual);
  ASSERT_EQ(breaker.try_pass(kMs), Pass::kProbe);
  breaker.gave_up(Pass::kUsual);
  EXPECT_EQ(breaker.try_pass(kMs), Pass::kNone);
  breaker.failed(kMs, Pass::kUsual);
  EXPECT_EQ(breaker.try_pass(kMs), Pass::kNone);
  breaker.gave_up(Pass::kProbe);
  EXPECT_EQ(breaker.try_pass(kMs), Pass::kProbe) << "no failed probe has doubled the pause";
}

// Ten requests were under way when the backend died: their failures are one piece of news.
TEST(Breaker, LateFailuresDoNotLengthenThePause) {
  Breaker breaker({.failures_max = 2, .open_ns_first = 10 * kMs, .open_ns_max = 1000 * kMs});
  for (int i = 0; i < 10; ++i) ASSERT_EQ(breaker.try_pass(0), Pass::kUsual);
  for (int i = 0; i < 10; ++i) breaker.failed(i, Pass::kUsual);
  EXPECT_EQ(breaker.try_pass(11 * kMs), Pass::kProbe);
}

}  // namespace
}  // namespace tophand::dispatch

#include "engine/loop_watch.h"

#include <gtest/gtest.h>

#include <cstdint>
#include <vector>

namespace tophand::engine {
namespace {

// Tokens until it is noticed, of `part` after `before` others; 0: never, in 4,000.
std::size_t noticed_after(const std::vector<text::TokenId>& part, std::size_t before = 0) {
  LoopWatch watch;
  for (std::size_t i = 0; i < before; ++i) watch.accept(static_cast<text::TokenId>(10'000 + i));
  for (std::size_t i = 0; i < 4000; ++i)
    if (watch.accept(part[i % part.size()])) return i + 1;
  return 0;
}

std::vector<text::TokenId> different(std::size_t count) {
  std::vector<text::TokenId> out;
  for (std::size_t i = 0; i < count; ++i) out.push_back(static_cast<text::TokenId>(i));
  return out;
}

TEST(LoopWatch, NoticesAPartThatIsRepeatedFor512Tokens) {
  for (const std::size_t period : {1U, 2U, 3U, 17U, 100U, 128U})
    for (const std::size_t before : {0U, 1U, 127U, 128U, 129U, 1000U})
      EXPECT_EQ(noticed_after(different(period), before), LoopWatch::kLoopTokens)
          << period << " after " << before;
}

TEST(LoopWatch, LetsLongerPartsPass) {
  EXPECT_EQ(noticed_after(different(129)), 0u);
  EXPECT_EQ(noticed_after(different(1000)), 0u);
}

TEST(LoopWatch, OneOtherTokenBeginsItAnew) {
  LoopWatch watch;
  for (int round = 0; round < 8; ++round) {
    for (std::size_t i = 0; i + 1 < LoopWatch::kLoopTokens; ++i) EXPECT_FALSE(watch.accept(7));
    EXPECT_FALSE(watch.accept(100 + round));
  }
}

TEST(LoopWatch, RowsThatDifferInOneTokenAreNoLoop) {
  LoopWatch watch;  // "| 1 | 0 | 0 |", "| 2 | 0 | 0 |", ...
  for (text::TokenId row = 0; row < 1000; ++row)
    for (const text::TokenId token : {1, row + 10, 1, 2, 1, 2, 1, 3})
      EXPECT_FALSE(watch.accept(token));
}

}  // namespace
}  // namespace tophand::engine

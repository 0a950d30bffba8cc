#include "backend/key_ring.h"

#include <gtest/gtest.h>

#include <deque>
#include <vector>

namespace tophand::backend {
namespace {

// The key whose turn it is; the request with it is over at once.
std::size_t next_key(KeyRing& ring, std::int64_t now_ms) {
  return ring.take(now_ms).lease.value().key();
}

TEST(KeyRing, TakesTurns) {
  KeyRing ring({{}, {}, {}});
  for (const std::size_t expected : {0u, 1u, 2u, 0u, 1u}) EXPECT_EQ(next_key(ring, 0), expected);
}

TEST(KeyRing, PassesOverAKeyUntilItHasRested) {
  KeyRing ring({{}, {}});
  EXPECT_TRUE(ring.rest(0, 1000, 500));
  EXPECT_EQ(next_key(ring, 1000), 1u);
  EXPECT_EQ(next_key(ring, 1499), 1u);
  EXPECT_EQ(next_key(ring, 1500), 0u);
}

TEST(KeyRing, WhenAllRestTheSoonestIsTaken) {
  KeyRing ring({{}, {}});
  EXPECT_TRUE(ring.rest(0, 0, 900));
  EXPECT_FALSE(ring.rest(1, 0, 300));
  EXPECT_EQ(next_key(ring, 0), 1u);
  EXPECT_EQ(ring.pick(0), 1u);
}

TEST(KeyRing, AShorterRestDoesNotEndALongerOne) {
  KeyRing ring({{}, {}});
  ring.rest(0, 0, 900);
  ring.rest(0, 0, 100);
  EXPECT_EQ(next_key(ring, 500), 1u);
  EXPECT_EQ(next_key(ring, 500), 1u);
}

TEST(KeyRing, PassesOverAKeyThatIsInUseAsOftenAsItMayBe) {
  KeyRing ring({{.concurrency = 1}, {.concurrency = 2}});
  std::deque<KeyRing::Lease> held;
  std::vector<std::size_t> keys;
  for (int i = 0; i < 3; ++i) {
    held.push_back(ring.take(0).lease.value());
    keys.push_back(held.back().key());
  }
  EXPECT_EQ(keys, (std::vector<std::size_t>{0, 1, 1}));
  const KeyRing::Turn none = ring.take(0);
  EXPECT_FALSE(none.lease);
  EXPECT_EQ(none.wait_ms, 0) << "until one is given back";
  held.pop_front();
  EXPECT_EQ(next_key(ring, 0), 0u);
}

TEST(KeyRing, CountsTheRequestsOfAnyMinute) {
  KeyRing ring(std::vector<KeyLimits>{{.requests_per_minute = 2}});
  EXPECT_TRUE(ring.take(1000).lease);
  EXPECT_TRUE(ring.take(31'000).lease);
  const KeyRing::Turn third = ring.take(31'000);
  EXPECT_FALSE(third.lease);
  EXPECT_EQ(third.wait_ms, 30'000);
  EXPECT_FALSE(ring.take(60'999).lease);
  EXPECT_TRUE(ring.take(61'000).lease);
  EXPECT_EQ(ring.take(61'000).wait_ms, 30'000);
}

TEST(KeyRing, AKeyThatRestsIsNotUsedBeyondItsLimits) {
  KeyRing ring({{.requests_per_minute = 1}, {}});
  EXPECT_EQ(next_key(ring, 0), 0u);
  EXPECT_FALSE(ring.rest(1, 0, 90'000)) << "the other one has had its request";
  EXPECT_EQ(next_key(ring, 0), 1u) << "it rests, but nothing else may be asked";
}

}  // namespace
}  // namespace tophand::backend

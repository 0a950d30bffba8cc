#include "backend/key_ring.h"

#include <gtest/gtest.h>

namespace tophand::backend {
namespace {

TEST(KeyRing, TakesTurns) {
  KeyRing ring(3);
  for (const std::size_t expected : {0u, 1u, 2u, 0u, 1u}) EXPECT_EQ(ring.take(0), expected);
}

TEST(KeyRing, PassesOverAKeyUntilItHasRested) {
  KeyRing ring(2);
  EXPECT_TRUE(ring.rest(0, 1000, 500));
  EXPECT_EQ(ring.take(1000), 1u);
  EXPECT_EQ(ring.take(1499), 1u);
  EXPECT_EQ(ring.take(1500), 0u);
}

TEST(KeyRing, WhenAllRestTheSoonestIsTaken) {
  KeyRing ring(2);
  EXPECT_TRUE(ring.rest(0, 0, 900));
  EXPECT_FALSE(ring.rest(1, 0, 300));
  EXPECT_EQ(ring.take(0), 1u);
}

TEST(KeyRing, AShorterRestDoesNotEndALongerOne) {
  KeyRing ring(2);
  ring.rest(0, 0, 900);
  ring.rest(0, 0, 100);
  EXPECT_EQ(ring.take(500), 1u);
  EXPECT_EQ(ring.take(500), 1u);
}

}  // namespace
}  // namespace tophand::backend

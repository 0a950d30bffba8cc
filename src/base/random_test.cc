#include "base/random.h"

#include <gtest/gtest.h>

#include <set>

namespace tophand {
namespace {

TEST(Random, IdsCarryTheirPrefixAndDoNotRepeat) {
  std::set<std::string> seen;
  for (int i = 0; i < 1000; ++i) {
    const std::string id = random_id("msg_");
    ASSERT_EQ(id.size(), 28u);
    ASSERT_EQ(id.substr(0, 4), "msg_");
    ASSERT_TRUE(seen.insert(id).second);
  }
}

TEST(Random, HexHasTwoDigitsAByte) {
  EXPECT_EQ(random_hex(16).size(), 32u);
  EXPECT_EQ(random_hex(16).find_first_not_of("0123456789abcdef"), std::string::npos);
}

// First outputs of the published reference implementation for seed 1234567.
TEST(Random, SplitMix64FollowsItsReference) {
  SplitMix64 generator(1234567);
  EXPECT_EQ(generator.next(), 6457827717110365317ULL);
  EXPECT_EQ(generator.next(), 3203168211198807973ULL);
  EXPECT_EQ(generator.next(), 9817491932198370423ULL);
}

}  // namespace
}  // namespace tophand

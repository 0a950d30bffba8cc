#include "base/eight_bytes.h"

#include <gtest/gtest.h>

#include <bit>
#include <random>
#include <string>

namespace tophand {
namespace {

// The place of the first marked byte; 8: none.
int first(std::uint64_t marks) {
  return std::countr_zero(marks) / 8;
}

template <class Is>
int first_by_hand(const std::string& text, Is is) {
  int at = 0;
  while (at < 8 && !is(static_cast<unsigned char>(text[static_cast<std::size_t>(at)]))) ++at;
  return at;
}

TEST(EightBytes, FindTheFirstByteBelowALimitAndTheFirstThatIsEqual) {
  constexpr unsigned kSeed = 20261128;
  std::mt19937 random(kSeed);
  for (int round = 0; round < 20000; ++round) {
    std::string text(8, ' ');
    // Few distinct bytes around the limits, so that each is hit and just missed.
    const unsigned char near = static_cast<unsigned char>(random());
    for (char& c : text)
      c = static_cast<char>(random() % 4 == 0 ? random() : near + random() % 3 - 1);
    const std::uint64_t eight = eight_at(text.data());
    for (const unsigned limit : {1u, 0x20u, 0x7fu, 0x80u})
      ASSERT_EQ(first(bytes_below(eight, limit)),
                first_by_hand(text, [&](unsigned char c) { return c < limit; }))
          << "seed " << kSeed << ", round " << round << ", limit " << limit;
    ASSERT_EQ(first(bytes_equal(eight, near)),
              first_by_hand(text, [&](unsigned char c) { return c == near; }))
        << "seed " << kSeed << ", round " << round;
  }
}

}  // namespace
}  // namespace tophand

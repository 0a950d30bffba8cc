// Eight bytes of a text looked at in one word: most texts are some hundreds of bytes that nearly
// all are ordinary, too short for what a vector unit costs to set up. (The tests by subtraction:
// Warren, Hacker's Delight, 6-1.)
#pragma once

#include <cstdint>
#include <cstring>

namespace tophand {

inline constexpr std::uint64_t kOnes = 0x0101'0101'0101'0101;
inline constexpr std::uint64_t kHighBits = 0x8080'8080'8080'8080;

// Eight bytes are readable at `at`. On a little-endian machine the first is the lowest.
inline std::uint64_t eight_at(const char* at) {
  std::uint64_t eight;
  std::memcpy(&eight, at, sizeof eight);
  return eight;
}

// The high bit of the first byte below `limit` (at most 0x80); others may be marked too, but only
// behind it. 0: there is none.
inline std::uint64_t bytes_below(std::uint64_t eight, std::uint64_t limit) {
  return (eight - kOnes * limit) & ~eight & kHighBits;
}

// The same for the first byte that is `c`.
inline std::uint64_t bytes_equal(std::uint64_t eight, unsigned char c) {
  return bytes_below(eight ^ kOnes * c, 1);
}

}  // namespace tophand

// Randomness: unguessable bytes for keys and ids, and a small seeded generator for everything that
// must be replayable (sampling, tests).
#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>

namespace tophand {

// n bytes from the kernel (getrandom), as lower-case hex: 2n characters.
std::string random_hex(std::size_t n_bytes);

// prefix + 24 random characters of [A-Za-z0-9], e.g. "msg_01..." ids. 142 bits.
std::string random_id(std::string_view prefix);

// SplitMix64 (Steele et al., 2014): tiny, seedable, good enough for sampling; not for secrets.
class SplitMix64 {
 public:
  explicit SplitMix64(std::uint64_t seed) : state_(seed) {}
  std::uint64_t next();
  double uniform();  // [0, 1)

 private:
  std::uint64_t state_;
};

}  // namespace tophand

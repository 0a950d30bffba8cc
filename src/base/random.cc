#include "base/random.h"

#include <sys/random.h>

#include <vector>

#include "base/assert.h"
#include "base/hex.h"

namespace tophand {
namespace {

std::vector<unsigned char> random_bytes(std::size_t n) {
  std::vector<unsigned char> bytes(n);
  std::size_t have = 0;
  while (have < n) {
    const ssize_t got = getrandom(bytes.data() + have, n - have, 0);
    if (got < 0) continue;  // EINTR; getrandom has no other failure with flags 0
    have += static_cast<std::size_t>(got);
  }
  return bytes;
}

}  // namespace

std::string random_hex(std::size_t n_bytes) {
  return to_hex(random_bytes(n_bytes));
}

std::string random_id(std::string_view prefix) {
  static constexpr std::string_view kAlphabet =
      "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789";
  std::string out(prefix);
  std::size_t wanted = 24;
  while (wanted > 0) {
    for (const unsigned char byte : random_bytes(wanted)) {
      if (byte >= 4 * kAlphabet.size()) continue;  // rejection keeps the letters equally likely
      out += kAlphabet[byte % kAlphabet.size()];
      --wanted;
    }
  }
  return out;
}

std::uint64_t SplitMix64::next() {
  std::uint64_t z = (state_ += 0x9e3779b97f4a7c15ULL);
  z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9ULL;
  z = (z ^ (z >> 27)) * 0x94d049bb133111ebULL;
  return z ^ (z >> 31);
}

double SplitMix64::uniform() {
  return static_cast<double>(next() >> 11) * 0x1.0p-53;
}

}  // namespace tophand

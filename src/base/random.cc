#include "base/random.h"

#include <sys/random.h>

#include <array>
#include <span>
#include <vector>

#include "base/assert.h"
#include "base/hex.h"

namespace tophand {
namespace {

constexpr std::size_t kIdLetters = 24;

void fill(std::span<unsigned char> bytes) {
  while (!bytes.empty()) {
    const ssize_t got = getrandom(bytes.data(), bytes.size(), 0);
    if (got < 0) continue;  // EINTR; getrandom has no other failure with flags 0
    bytes = bytes.subspan(static_cast<std::size_t>(got));
  }
}

// Fetched ahead, as a request takes several ids: nothing here makes keys, which random_hex does.
struct Ahead {
  std::array<unsigned char, 512> bytes;
  std::size_t used = sizeof bytes;
};

}  // namespace

std::string random_hex(std::size_t n_bytes) {
  std::vector<unsigned char> bytes(n_bytes);
  fill(bytes);
  return to_hex(bytes);
}

std::string random_id(std::string_view prefix) {
  static constexpr std::string_view kAlphabet =
      "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789";
  thread_local Ahead kept;
  Ahead& ahead = kept;
  std::array<char, kIdLetters> letters;
  for (std::size_t made = 0; made < letters.size();) {
    if (ahead.used == sizeof ahead.bytes) {
      fill(ahead.bytes);
      ahead.used = 0;
    }
    const unsigned byte = ahead.bytes[ahead.used++];
    if (byte < 4 * kAlphabet.size())  // so that the letters are equally likely
      letters[made++] = kAlphabet[byte % kAlphabet.size()];
  }
  std::string out;
  out.reserve(prefix.size() + kIdLetters);
  return out.append(prefix).append(letters.data(), letters.size());
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

// Bytes as lower-case hexadecimal digits: hashes, ids, keys.
#pragma once

#include <span>
#include <string>

namespace tophand {

// Two digits a byte.
inline std::string to_hex(std::span<const unsigned char> bytes) {
  static constexpr char kDigits[] = "0123456789abcdef";
  std::string out;
  out.reserve(2 * bytes.size());
  for (const unsigned char byte : bytes) {
    out += kDigits[byte >> 4];
    out += kDigits[byte & 15];
  }
  return out;
}

}  // namespace tophand

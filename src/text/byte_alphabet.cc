#include "text/byte_alphabet.h"

#include <array>

#include "text/unicode.h"

namespace tophand::text {
namespace {

constexpr std::uint32_t kFirstSubstitute = 0x100;
constexpr std::size_t kSubstitutes = 68;

struct Alphabet {
  std::array<std::string, 256> spelling;
  std::array<std::uint8_t, kFirstSubstitute + kSubstitutes> byte{};  // by code point
  std::array<bool, kFirstSubstitute + kSubstitutes> known{};

  Alphabet() {
    std::uint32_t substitute = kFirstSubstitute;
    for (std::uint32_t b = 0; b < 256; ++b) {
      const bool itself = (b >= 33 && b <= 126) || (b >= 161 && b <= 172) || b >= 174;
      const std::uint32_t code_point = itself ? b : substitute++;
      append_utf8(code_point, spelling[b]);
      byte[code_point] = static_cast<std::uint8_t>(b);
      known[code_point] = true;
    }
  }
};

const Alphabet& alphabet() {
  static const Alphabet instance;
  return instance;
}

}  // namespace

std::string_view spell_byte(std::uint8_t byte) {
  return alphabet().spelling[byte];
}

void spell_bytes(std::string_view bytes, std::string& out) {
  for (const char c : bytes) out += spell_byte(static_cast<std::uint8_t>(c));
}

std::string unspell_bytes(std::string_view spelling) {
  const Alphabet& table = alphabet();
  std::string out;
  out.reserve(spelling.size());
  for (std::size_t at = 0; at < spelling.size();) {
    const CodePoint c = decode_utf8(spelling, at);
    if (c.valid && c.value < table.known.size() && table.known[c.value])
      out.push_back(static_cast<char>(table.byte[c.value]));
    else out += spelling.substr(at, c.bytes);
    at += c.bytes;
  }
  return out;
}

}  // namespace tophand::text

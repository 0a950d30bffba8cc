#include "text/unicode.h"

#include <algorithm>

namespace tophand::text {
namespace {

std::array<CharClass, 256> make_latin1_classes() {
  std::array<CharClass, 256> out{};
  std::size_t range = 0;
  for (std::uint32_t c = 0; c < 256; ++c) {
    while (range + 1 < kUnicodeRanges.size() && kUnicodeRanges[range + 1].first <= c) ++range;
    out[c] = kUnicodeRanges[range].char_class;
  }
  return out;
}

struct Lead {
  std::uint8_t bytes;                   // 0: not a lead byte
  std::uint8_t second_min, second_max;  // bounds of the second byte (Unicode 16.0, table 3-7)
};

Lead lead_of(std::uint8_t byte) {
  if (byte < 0x80) return {1, 0, 0};
  if (byte < 0xC2) return {0, 0, 0};
  if (byte < 0xE0) return {2, 0x80, 0xBF};
  if (byte == 0xE0) return {3, 0xA0, 0xBF};
  if (byte == 0xED) return {3, 0x80, 0x9F};
  if (byte < 0xF0) return {3, 0x80, 0xBF};
  if (byte == 0xF0) return {4, 0x90, 0xBF};
  if (byte < 0xF4) return {4, 0x80, 0xBF};
  if (byte == 0xF4) return {4, 0x80, 0x8F};
  return {0, 0, 0};
}

std::uint8_t byte_at(std::string_view text, std::size_t at) {
  return static_cast<std::uint8_t>(text[at]);
}

// How many of the bytes from `at` on fit a code point that starts there (1 to lead.bytes).
std::size_t fitting_bytes(std::string_view text, std::size_t at, const Lead& lead) {
  std::size_t count = 1;
  while (count < lead.bytes && at + count < text.size()) {
    const std::uint8_t next = byte_at(text, at + count);
    const std::uint8_t low = count == 1 ? lead.second_min : 0x80;
    const std::uint8_t high = count == 1 ? lead.second_max : 0xBF;
    if (next < low || next > high) break;
    ++count;
  }
  return count;
}

}  // namespace

CharClass classify(std::uint32_t code_point) {
  static const std::array<CharClass, 256> latin1 = make_latin1_classes();
  if (code_point < latin1.size()) return latin1[code_point];
  const auto after = std::upper_bound(
      kUnicodeRanges.begin(), kUnicodeRanges.end(), code_point,
      [](std::uint32_t value, const UnicodeRange& range) { return value < range.first; });
  return std::prev(after)->char_class;
}

CodePoint decode_utf8(std::string_view text, std::size_t at) {
  constexpr CodePoint kInvalidByte{0xFFFD, 1, false};
  const std::uint8_t first = byte_at(text, at);
  const Lead lead = lead_of(first);
  if (lead.bytes == 1) return {first, 1, true};
  if (lead.bytes == 0 || fitting_bytes(text, at, lead) < lead.bytes) return kInvalidByte;
  std::uint32_t value = first & (0x7Fu >> lead.bytes);
  for (std::size_t i = 1; i < lead.bytes; ++i)
    value = (value << 6) | (byte_at(text, at + i) & 0x3Fu);
  return {value, lead.bytes, true};
}

std::size_t broken_utf8(std::string_view text, std::size_t at) {
  const Lead lead = lead_of(byte_at(text, at));
  return lead.bytes == 0 ? 1 : fitting_bytes(text, at, lead);
}

void append_utf8(std::uint32_t code_point, std::string& out) {
  const auto put = [&out](std::uint32_t byte) { out.push_back(static_cast<char>(byte)); };
  if (code_point < 0x80) {
    put(code_point);
  } else if (code_point < 0x800) {
    put(0xC0 | (code_point >> 6));
    put(0x80 | (code_point & 0x3F));
  } else if (code_point < 0x10000) {
    put(0xE0 | (code_point >> 12));
    put(0x80 | ((code_point >> 6) & 0x3F));
    put(0x80 | (code_point & 0x3F));
  } else {
    put(0xF0 | (code_point >> 18));
    put(0x80 | ((code_point >> 12) & 0x3F));
    put(0x80 | ((code_point >> 6) & 0x3F));
    put(0x80 | (code_point & 0x3F));
  }
}

std::size_t unfinished_utf8(std::string_view text) {
  const std::size_t back_max = std::min<std::size_t>(3, text.size());
  for (std::size_t back = 1; back <= back_max; ++back) {
    const std::size_t at = text.size() - back;
    const Lead lead = lead_of(byte_at(text, at));
    if (lead.bytes > back && fitting_bytes(text, at, lead) == back) return back;
    if (lead.bytes != 0) return 0;
  }
  return 0;
}

}  // namespace tophand::text

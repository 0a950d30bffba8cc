// Code points and their classes, for the pre-tokenizers. Unicode 16.0.0 (scripts/
// make_unicode_table.py says why that one). Pure.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <span>
#include <string>
#include <string_view>

namespace tophand::text {

enum class CharClass : std::uint8_t { kOther, kLetter, kNumber, kMark, kSpace };

struct UnicodeRange {
  std::uint32_t first;
  CharClass char_class;
};
// Sorted by `first`; an entry holds up to the next one's. Generated.
extern const std::span<const UnicodeRange> kUnicodeRanges;

// General category L, N or M, or the White_Space property; anything else is kOther.
CharClass classify(std::uint32_t code_point);

struct CodePoint {
  std::uint32_t value;  // U+FFFD for a byte that is not part of valid UTF-8
  std::uint8_t bytes;   // 1..4; 1 for an invalid byte
  bool valid;
};

// The code point at text[at]; `at` < text.size(). Over-long forms, surrogates and values above
// U+10FFFF are invalid (RFC 3629); each invalid byte counts as one U+FFFD.
CodePoint decode_utf8(std::string_view text, std::size_t at);

// How many bytes at text[at], where decode_utf8() finds none valid, stand for one U+FFFD: the
// beginning of a code point that the next byte breaks off, or one byte (Unicode 16.0, section 3.9,
// "substitution of maximal subparts", which browsers and Python's decoder follow).
std::size_t broken_utf8(std::string_view text, std::size_t at);

// Appends the UTF-8 form of `code_point` (< 0x110000).
void append_utf8(std::uint32_t code_point, std::string& out);

// How many bytes at the end of `text` are the beginning of a code point that further bytes could
// complete: 0 to 3.
std::size_t unfinished_utf8(std::string_view text);

}  // namespace tophand::text

// An agent's prompt of 200 kB is counted several times for one request, so this goes over 64 bytes
// at once: a bit for each says whether it is a letter, a digit and so on, and most counts are
// numbers of bits.
#include "chat/text_features.h"

#if defined(__SSE2__)
#include <emmintrin.h>
#endif

#include <algorithm>
#include <array>
#include <bit>
#include <cstddef>
#include <cstring>

namespace tophand::chat {
namespace {

constexpr std::int64_t kLongRun = 6;

bool is_lower(char c) {
  return c >= 'a' && c <= 'z';
}
bool is_upper(char c) {
  return c >= 'A' && c <= 'Z';
}
bool is_letter(char c) {
  return is_lower(c) || is_upper(c);
}
bool is_digit(char c) {
  return c >= '0' && c <= '9';
}
bool is_space(char c) {
  return c == ' ' || (c >= '\t' && c <= '\r') || (c >= 0x1C && c <= 0x1F);
}

// Sub-words as [A-Z]+(?![a-z]) | [A-Z]?[a-z]+ splits them: "HTTPHeader" is HTTP, Header.
std::int64_t count_humps(std::string_view run) {
  std::int64_t humps = 0;
  for (std::size_t i = 0; i < run.size(); ++i) {
    const bool after_lower = i > 0 && is_lower(run[i - 1]);
    const bool before_lower = i + 1 < run.size() && is_lower(run[i + 1]);
    if (i == 0 || (is_upper(run[i]) && (after_lower || before_lower))) ++humps;
  }
  return humps;
}

void count_run(std::string_view run, TextFeatures& out) {
  const auto letters = static_cast<std::int64_t>(run.size());
  out.humps += count_humps(run);
  out.long_letters += std::max<std::int64_t>(0, letters - kLongRun);
  if (letters > 1 && std::all_of(run.begin(), run.end(), is_upper)) out.caps_letters += letters;
}

struct CodePoint {
  std::uint32_t value;
  std::size_t bytes;
};

// The code point at the front; a byte that starts none is one of its own, as U+FFFD.
CodePoint first_code_point(std::string_view text) {
  const auto byte = [&](std::size_t i) { return static_cast<unsigned char>(text[i]); };
  const unsigned lead = byte(0);
  const std::size_t bytes = lead >= 0xF0 ? 4 : lead >= 0xE0 ? 3 : 2;
  if (lead < 0xC2 || lead > 0xF4 || text.size() < bytes) return {0xFFFD, 1};
  std::uint32_t value = lead & (0x7Fu >> bytes);
  for (std::size_t i = 1; i < bytes; ++i) {
    if ((byte(i) & 0xC0u) != 0x80u) return {0xFFFD, 1};
    value = value << 6 | (byte(i) & 0x3Fu);
  }
  return {value, bytes};
}

struct Range {
  std::uint32_t first, last;
};
// Blocks of punctuation and symbols: Latin-1, general punctuation to miscellaneous symbols (arrows,
// mathematics, box drawing), CJK punctuation, full-width forms, emoji.
constexpr std::array kSymbols{
    Range{0x00A1, 0x00A9}, Range{0x00AB, 0x00B1},  Range{0x00B4, 0x00B4}, Range{0x00B6, 0x00B8},
    Range{0x00BB, 0x00BB}, Range{0x00BF, 0x00BF},  Range{0x00D7, 0x00D7}, Range{0x00F7, 0x00F7},
    Range{0x200B, 0x2027}, Range{0x202A, 0x202E},  Range{0x2030, 0x205E}, Range{0x20A0, 0x20CF},
    Range{0x2190, 0x245F}, Range{0x2500, 0x2775},  Range{0x2794, 0x2BFF}, Range{0x3001, 0x3004},
    Range{0x3008, 0x3020}, Range{0xFE00, 0xFE6B},  Range{0xFF01, 0xFF0F}, Range{0xFF1A, 0xFF20},
    Range{0xFFFC, 0xFFFD}, Range{0x1F000, 0x1FAFF}};

bool is_symbol(std::uint32_t code_point) {
  for (const Range& range : kSymbols)  // in order
    if (code_point <= range.last) return code_point >= range.first;
  return false;
}

}  // namespace

TextFeatures text_features_bytewise(std::string_view text) {
  TextFeatures out;
  bool line_start = true, indent = false;  // at a line's start; behind blanks only
  for (std::size_t i = 0; i < text.size();) {
    const char c = text[i];
    if (line_start && (c == ' ' || c == '\t')) {
      indent = true;
      ++i;
      continue;
    }
    if (indent && !is_space(c)) ++out.indented_lines;
    line_start = c == '\n';
    indent = false;
    if (is_letter(c)) {
      std::size_t end = i;
      while (end < text.size() && is_letter(text[end])) ++end;
      count_run(text.substr(i, end - i), out);
      i = end;
      continue;
    }
    std::size_t bytes = 1;
    if (static_cast<unsigned char>(c) >= 0x80) {
      const CodePoint point = first_code_point(text.substr(i));
      bytes = point.bytes;
      ++out.non_ascii;
      if (is_symbol(point.value)) ++out.punctuation;
    } else if (is_digit(c)) {
      ++out.digits;
    } else if (c == '_') {
      ++out.underscores;
    } else if (c == '\n') {
      ++out.newlines;
    } else if (!is_space(c)) {
      ++out.punctuation;
    }
    i += bytes;
  }
  return out;
}

#if defined(__SSE2__)
namespace {

constexpr std::size_t kBlock = 64;

// Of each byte of a block a bit, the first in the lowest.
struct Classes {
  std::uint64_t lower = 0, upper = 0, digit = 0, underscore = 0, newline = 0, space = 0, high = 0;
};

__m128i between(__m128i bytes, char first, char last) {  // ASCII; bytes from 0x80 on are negative
  return _mm_and_si128(_mm_cmpgt_epi8(bytes, _mm_set1_epi8(static_cast<char>(first - 1))),
                       _mm_cmplt_epi8(bytes, _mm_set1_epi8(static_cast<char>(last + 1))));
}

std::uint64_t bits(__m128i mask, unsigned shift) {
  return static_cast<std::uint64_t>(static_cast<unsigned>(_mm_movemask_epi8(mask))) << shift;
}

Classes block_at(const char* text) {
  Classes out;
  for (unsigned at = 0; at < kBlock; at += sizeof(__m128i)) {
    __m128i bytes;
    std::memcpy(&bytes, text + at, sizeof bytes);
    const __m128i spaces =
        _mm_or_si128(_mm_cmpeq_epi8(bytes, _mm_set1_epi8(' ')),
                     _mm_or_si128(between(bytes, '\t', '\r'), between(bytes, 0x1C, 0x1F)));
    out.lower |= bits(between(bytes, 'a', 'z'), at);
    out.upper |= bits(between(bytes, 'A', 'Z'), at);
    out.digit |= bits(between(bytes, '0', '9'), at);
    out.underscore |= bits(_mm_cmpeq_epi8(bytes, _mm_set1_epi8('_')), at);
    out.newline |= bits(_mm_cmpeq_epi8(bytes, _mm_set1_epi8('\n')), at);
    out.space |= bits(spaces, at);
    out.high |= bits(bytes, at);
  }
  return out;
}

class BlockCounter {
 public:
  explicit BlockCounter(std::string_view text) : text_(text) { count_indent(0); }

  TextFeatures count() {
    for (std::size_t at = 0; at < text_.size(); at += kBlock) {
      const std::size_t bytes = std::min(kBlock, text_.size() - at);
      if (bytes == kBlock) {
        add(block_at(text_.data() + at), at, ~std::uint64_t{0});
        continue;
      }
      std::array<char, kBlock> last{};
      std::memcpy(last.data(), text_.data() + at, bytes);
      add(block_at(last.data()), at, (std::uint64_t{1} << bytes) - 1);
    }
    return out_;
  }

 private:
  static std::int64_t ones(std::uint64_t mask) { return std::popcount(mask); }
  bool next_is(bool (*kind)(char), std::size_t at) const {
    return at < text_.size() && kind(text_[at]);
  }

  // `valid`: which of the bits are bytes of the text.
  void add(const Classes& block, std::size_t at, std::uint64_t valid) {
    out_.digits += ones(block.digit);
    out_.underscores += ones(block.underscore);
    out_.newlines += ones(block.newline);
    const std::uint64_t letters = block.lower | block.upper;
    out_.punctuation +=
        ones(valid & ~(letters | block.digit | block.underscore | block.space | block.high));
    add_letters(block, letters, at);
    for (std::uint64_t left = block.newline; left != 0; left &= left - 1)
      count_indent(at + static_cast<std::size_t>(std::countr_zero(left)) + 1);
    if (block.high != 0) add_beyond_ascii(block.high, at);
    letters_before_ = letters;
    lower_before_ = block.lower;
  }

  void add_letters(const Classes& block, std::uint64_t letters, std::size_t at) {
    const std::uint64_t starts = letters & ~(letters << 1 | letters_before_ >> 63);
    const std::uint64_t after_lower = block.lower << 1 | lower_before_ >> 63;
    const std::uint64_t last = std::uint64_t{1} << 63;
    const std::uint64_t before_lower =
        block.lower >> 1 | (next_is(is_lower, at + kBlock) ? last : 0);
    out_.humps += ones(starts) + ones(block.upper & ~starts & (after_lower | before_lower));
    std::uint64_t beyond = letters;  // with so many letters before it
    for (unsigned back = 1; back <= kLongRun; ++back)
      beyond &= letters << back | letters_before_ >> (64 - back);
    out_.long_letters += ones(beyond);
    const std::uint64_t before_upper =
        block.upper >> 1 | (next_is(is_upper, at + kBlock) ? last : 0);
    for (std::uint64_t left = starts & block.upper & before_upper; left != 0; left &= left - 1)
      count_capitals(at + static_cast<std::size_t>(std::countr_zero(left)));
  }

  // A run of letters that begins with two capitals.
  void count_capitals(std::size_t start) {
    std::size_t end = start;
    while (next_is(is_upper, end)) ++end;
    if (!next_is(is_lower, end)) out_.caps_letters += static_cast<std::int64_t>(end - start);
  }

  void count_indent(std::size_t line) {
    std::size_t at = line;
    while (at < text_.size() && (text_[at] == ' ' || text_[at] == '\t')) ++at;
    if (at > line && at < text_.size() && !is_space(text_[at])) ++out_.indented_lines;
  }

  void add_beyond_ascii(std::uint64_t high, std::size_t at) {
    for (; high != 0; high &= high - 1) {
      const std::size_t here = at + static_cast<std::size_t>(std::countr_zero(high));
      if (here < counted_) continue;  // within a code point that began before
      const CodePoint point = first_code_point(text_.substr(here));
      ++out_.non_ascii;
      if (is_symbol(point.value)) ++out_.punctuation;
      counted_ = here + point.bytes;
    }
  }

  std::string_view text_;
  TextFeatures out_;
  std::uint64_t letters_before_ = 0, lower_before_ = 0;  // of the block before
  std::size_t counted_ = 0;                              // code points up to there
};

}  // namespace

TextFeatures text_features(std::string_view text) {
  return BlockCounter(text).count();
}
#else
TextFeatures text_features(std::string_view text) {
  return text_features_bytewise(text);
}
#endif

}  // namespace tophand::chat

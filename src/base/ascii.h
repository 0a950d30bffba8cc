// Small things done with text that are the same everywhere: ASCII only, whatever the locale.
#pragma once

#include <algorithm>
#include <cstddef>
#include <string>
#include <string_view>
#include <vector>

namespace tophand {

// A to Z as a to z, every other byte as it is.
inline char lowered_char(char c) {
  return c >= 'A' && c <= 'Z' ? static_cast<char>(c - 'A' + 'a') : c;
}
inline std::string lowered(std::string_view text) {
  std::string out(text);
  for (char& c : out) c = lowered_char(c);
  return out;
}

namespace detail {
inline bool equals_at_same_size(std::string_view a, std::string_view b) {
  for (std::size_t at = 0; at < a.size(); ++at)
    if (a[at] != b[at] && lowered_char(a[at]) != lowered_char(b[at])) return false;
  return true;
}
}  // namespace detail

// Always inlined: most comparisons of names end with their sizes.
[[gnu::always_inline]] inline bool equals_ignoring_case(std::string_view a, std::string_view b) {
  return a.size() == b.size() && detail::equals_at_same_size(a, b);
}

// Orders names that mean the same in any case.
struct LessIgnoringCase {
  using is_transparent = void;
  bool operator()(std::string_view a, std::string_view b) const {
    return std::ranges::lexicographical_compare(a, b, {}, kByte, kByte);
  }
  static constexpr auto kByte = [](char c) { return static_cast<unsigned char>(lowered_char(c)); };
};

// As starts_with(), always inlined: of a literal it is one comparison of a few bytes.
[[gnu::always_inline]] inline bool begins_with(std::string_view text, std::string_view start) {
  const char* const first = text.data();
  return text.size() >= start.size() &&
         std::char_traits<char>::compare(first, start.data(), start.size()) == 0;
}

inline bool starts_ignoring_case(std::string_view text, std::string_view start) {
  return equals_ignoring_case(text.substr(0, start.size()), start);
}

// Nothing but spaces, tabs and line ends.
inline bool is_blank(std::string_view text) {
  return text.find_first_not_of(" \t\r\n") == std::string_view::npos;
}

// Without the `spaces` at both ends.
inline std::string_view trimmed(std::string_view text, std::string_view spaces) {
  const std::size_t begin = text.find_first_not_of(spaces);
  if (begin == std::string_view::npos) return {};
  return text.substr(begin, text.find_last_not_of(spaces) - begin + 1);
}

// What is shown of a stranger's text in a message: all of it up to `bytes_max`, else its beginning
// and its end with "..." between. UTF-8 is cut between characters.
inline std::string abridged(std::string_view text, std::size_t bytes_max = 200) {
  if (text.size() <= bytes_max) return std::string(text);
  const auto inside = [&](std::size_t at) {
    return (static_cast<unsigned char>(text[at]) & 0xC0U) == 0x80U;
  };
  std::size_t end = bytes_max - bytes_max / 3, begin = text.size() - bytes_max / 3;
  while (end > 0 && inside(end)) --end;
  while (begin < text.size() && inside(begin)) ++begin;
  return std::string(text.substr(0, end)) + "..." + std::string(text.substr(begin));
}

// The items with `between` between them; leading empty ones leave no trace.
inline std::string joined(const std::vector<std::string>& items, std::string_view between) {
  std::string out;
  for (const std::string& item : items) {
    if (!out.empty()) out += between;
    out += item;
  }
  return out;
}

}  // namespace tophand

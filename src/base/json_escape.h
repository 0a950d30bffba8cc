// The escape \uXXXX in JSON text: a UTF-16 code unit, of which two make a character beyond U+FFFF.
#pragma once

#include <charconv>
#include <cstddef>
#include <optional>
#include <string_view>

namespace tophand {

inline constexpr std::size_t kUnitEscapeBytes = 6;

// The code unit of the escape at `at`; nothing where there is none, or no text.
inline std::optional<unsigned> escaped_unit(std::string_view json, std::size_t at) {
  if (at > json.size() || json.size() - at < kUnitEscapeBytes) return std::nullopt;
  const std::string_view escape = json.substr(at, kUnitEscapeBytes);
  if (!escape.starts_with("\\u")) return std::nullopt;
  const char* const end = escape.data() + escape.size();
  unsigned unit = 0;
  const bool whole = std::from_chars(escape.data() + 2, end, unit, 16).ptr == end;
  return whole ? std::optional(unit) : std::nullopt;
}

// Of a surrogate pair.
inline bool is_first_half(unsigned unit) {
  return (unit & 0xfc00U) == 0xd800U;
}
inline bool is_second_half(unsigned unit) {
  return (unit & 0xfc00U) == 0xdc00U;
}

}  // namespace tophand

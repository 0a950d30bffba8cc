#include "chat/pair_joiner.h"

#include <algorithm>
#include <charconv>
#include <cstdint>
#include <optional>

namespace tophand::chat {
namespace {

constexpr std::size_t kEscapeBytes = 6;

enum class Half : std::uint8_t { kNone, kFirst, kSecond };

// Which half the escape \uXXXX at `at` is; nothing where there is no such escape.
std::optional<Half> half_at(std::string_view json, std::size_t at) {
  const std::string_view escape = json.substr(std::min(at, json.size()), kEscapeBytes);
  if (escape.size() < kEscapeBytes || !escape.starts_with("\\u")) return std::nullopt;
  unsigned unit = 0;
  const char* end = escape.data() + kEscapeBytes;
  if (std::from_chars(escape.data() + 2, end, unit, 16).ptr != end) return std::nullopt;
  const unsigned kind = unit & 0xfc00U;
  return kind == 0xd800U ? Half::kFirst : kind == 0xdc00U ? Half::kSecond : Half::kNone;
}

}  // namespace

std::string_view PairJoiner::joined(std::string_view json) {
  changed_.clear();
  std::size_t from = 0;         // what lies before it has been copied
  std::size_t escape_ends = 0;  // the last one: a quote in front of that is no string's
  for (std::size_t at = json.find('\\'); at < json.size(); at = json.find('\\', at)) {
    const auto half = half_at(json, at);
    if (!half) {
      escape_ends = at += 2;
      continue;
    }
    const std::size_t behind = at + kEscapeBytes;
    const bool begins = at > 0 && json[at - 1] == '"' && escape_ends != at;
    const bool ends = behind < json.size() && json[behind] == '"';
    if (*half == Half::kFirst && half_at(json, behind) == Half::kSecond) {
      escape_ends = at = behind + kEscapeBytes;
      continue;
    }
    if (*half == Half::kSecond && begins && !first_half_.empty()) {
      changed_.append(json, from, at - from).append(first_half_);
      first_half_.clear();
      from = at;
    } else if (*half == Half::kFirst && ends) {
      changed_.append(json, from, at - from);
      first_half_ = json.substr(at, kEscapeBytes);
      from = behind;
    }
    escape_ends = at = behind;
  }
  if (from == 0) return json;
  return changed_.append(json, from);
}

}  // namespace tophand::chat

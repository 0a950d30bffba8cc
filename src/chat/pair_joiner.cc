#include "chat/pair_joiner.h"

#include <cstdint>
#include <optional>

#include "base/json_escape.h"

namespace tophand::chat {
namespace {

enum class Half : std::uint8_t { kNone, kFirst, kSecond };

// Which half the escape \uXXXX at `at` is; nothing where there is no such escape.
std::optional<Half> half_at(std::string_view json, std::size_t at) {
  const auto unit = escaped_unit(json, at);
  if (!unit) return std::nullopt;
  return is_first_half(*unit) ? Half::kFirst : is_second_half(*unit) ? Half::kSecond : Half::kNone;
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
    const std::size_t behind = at + kUnitEscapeBytes;
    const bool begins = at > 0 && json[at - 1] == '"' && escape_ends != at;
    const bool ends = behind < json.size() && json[behind] == '"';
    if (*half == Half::kFirst && half_at(json, behind) == Half::kSecond) {
      escape_ends = at = behind + kUnitEscapeBytes;
      continue;
    }
    if (*half == Half::kSecond && begins && !first_half_.empty()) {
      changed_.append(json, from, at - from).append(first_half_);
      first_half_.clear();
      from = at;
    } else if (*half == Half::kFirst && ends) {
      changed_.append(json, from, at - from);
      first_half_ = json.substr(at, kUnitEscapeBytes);
      from = behind;
    }
    escape_ends = at = behind;
  }
  if (from == 0) return json;
  return changed_.append(json, from);
}

}  // namespace tophand::chat

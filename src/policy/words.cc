#include "policy/words.h"

#include <cstddef>

namespace tophand::policy {

std::string_view priority_name(Priority priority) {
  return priority == Priority::kHigh ? "high" : "low";
}

// On a mismatch only the last '*' needs to take one byte more: an earlier one could not do better.
bool matches_glob(std::string_view pattern, std::string_view text) {
  std::size_t p = 0, t = 0, star = std::string_view::npos, resume = 0;
  while (t < text.size()) {
    if (p < pattern.size() && pattern[p] == '*') {
      star = p++;
      resume = t;
    } else if (p < pattern.size() && (pattern[p] == '?' || pattern[p] == text[t])) {
      ++p;
      ++t;
    } else if (star != std::string_view::npos) {
      p = star + 1;
      t = ++resume;
    } else {
      return false;
    }
  }
  while (p < pattern.size() && pattern[p] == '*') ++p;
  return p == pattern.size();
}

bool is_within(const Hours& hours, int minute) {
  const auto [from, until] = hours;
  if (from < until) return minute >= from && minute < until;
  return minute >= from || minute < until;  // over midnight; equal: always
}

}  // namespace tophand::policy

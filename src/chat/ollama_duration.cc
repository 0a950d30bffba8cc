#include "chat/ollama_duration.h"

#include <array>
#include <cmath>

namespace tophand::chat {
namespace {

struct Unit {
  std::string_view name;
  double ms;
};
// Longer names first where one begins another. U+00B5 and U+03BC are both written for micro.
constexpr std::array<Unit, 8> kUnits{
    Unit{"ns", 1e-6}, Unit{"us", 1e-3}, Unit{"\xC2\xB5s", 1e-3}, Unit{"\xCE\xBCs", 1e-3},
    Unit{"ms", 1},    Unit{"s", 1e3},   Unit{"m", 6e4},          Unit{"h", 3.6e6}};
constexpr double kMsMax = 9223372036854.0;  // Go's own bound: 2^63 ns

bool is_digit(char c) {
  return c >= '0' && c <= '9';
}

// "12.5" at the front of `text`, which it is cut off from. Needs a digit on one side of the point.
std::optional<double> take_number(std::string_view& text) {
  double value = 0, place = 1;
  bool digits = false;
  while (!text.empty() && is_digit(text.front())) {
    value = value * 10 + (text.front() - '0');
    digits = true;
    text.remove_prefix(1);
  }
  if (!text.empty() && text.front() == '.') {
    text.remove_prefix(1);
    while (!text.empty() && is_digit(text.front())) {
      place /= 10;
      value += place * (text.front() - '0');
      digits = true;
      text.remove_prefix(1);
    }
  }
  return digits ? std::optional(value) : std::nullopt;
}

}  // namespace

std::optional<std::int64_t> parse_go_duration_ms(std::string_view text) {
  bool negative = false;
  if (!text.empty() && (text.front() == '-' || text.front() == '+')) {
    negative = text.front() == '-';
    text.remove_prefix(1);
  }
  if (text == "0") return 0;
  if (text.empty()) return std::nullopt;
  double total = 0;
  while (!text.empty()) {
    const auto number = take_number(text);
    if (!number) return std::nullopt;
    const Unit* unit = nullptr;
    for (const Unit& candidate : kUnits)
      if (unit == nullptr && text.starts_with(candidate.name)) unit = &candidate;
    if (unit == nullptr) return std::nullopt;
    text.remove_prefix(unit->name.size());
    total += *number * unit->ms;
    if (!(total <= kMsMax)) return std::nullopt;
  }
  if (total == 0) return 0;
  if (negative) return -1;
  return total < 1 ? 1 : static_cast<std::int64_t>(std::llround(total));
}

}  // namespace tophand::chat

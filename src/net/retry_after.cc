#include "net/retry_after.h"

#include <algorithm>
#include <array>
#include <charconv>
#include <cmath>
#include <ctime>
#include <string>

namespace tophand::net {
namespace {

constexpr std::int64_t kMsMax = std::int64_t{365} * 86'400'000;
constexpr std::string_view kSeconds = "retry-after", kMilliseconds = "retry-after-ms";

// "12" or "1.5" of a unit of that many milliseconds, rounded up: earlier would be too early.
std::optional<std::int64_t> number(std::string_view text, std::int64_t unit_ms) {
  const bool plain =
      std::ranges::all_of(text, [](char c) { return (c >= '0' && c <= '9') || c == '.'; });
  double value = 0;
  const auto parsed = std::from_chars(text.data(), text.data() + text.size(), value);
  if (!plain || parsed.ec != std::errc() || parsed.ptr != text.data() + text.size())
    return std::nullopt;
  const double ms = std::ceil(value * static_cast<double>(unit_ms));
  if (!(ms <= static_cast<double>(kMsMax))) return std::nullopt;
  return static_cast<std::int64_t>(ms);
}

// The three forms that a date may have (RFC 9110, 5.6.7): that of today, RFC 850's, asctime()'s.
std::optional<std::int64_t> date_ms(const std::string& text) {
  constexpr std::array kForms{"%a, %d %b %Y %H:%M:%S GMT", "%A, %d-%b-%y %H:%M:%S GMT",
                              "%a %b %e %H:%M:%S %Y"};
  for (const char* form : kForms) {
    std::tm date{};
    const char* end = ::strptime(text.c_str(), form, &date);
    if (end == nullptr || *end != '\0') continue;
    return static_cast<std::int64_t>(::timegm(&date)) * 1000;
  }
  return std::nullopt;
}

std::optional<std::int64_t> seconds_or_date(std::string_view text, std::int64_t wall_ms) {
  if (const auto ms = number(text, 1000)) return ms;
  const auto at_ms = date_ms(std::string(text));
  if (!at_ms || *at_ms - wall_ms > kMsMax) return std::nullopt;
  return std::max<std::int64_t>(*at_ms - wall_ms, 0);
}

}  // namespace

std::optional<std::int64_t> retry_after_ms(const Headers& headers, std::int64_t wall_ms) {
  if (const auto ms = number(headers.get(kMilliseconds), 1)) return ms;
  return seconds_or_date(headers.get(kSeconds), wall_ms);
}

void pass_on_retry_after(const Headers& from, Headers& to) {
  if (const auto value = from.get(kMilliseconds); number(value, 1)) to.add(kMilliseconds, value);
  const std::string_view value = from.get(kSeconds);
  if (number(value, 1000) || date_ms(std::string(value))) to.add(kSeconds, value);
}

}  // namespace tophand::net

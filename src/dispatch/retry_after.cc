#include "dispatch/retry_after.h"

#include <algorithm>
#include <charconv>
#include <ctime>
#include <string>

namespace tophand::dispatch {
namespace {

constexpr std::int64_t kMsMax = std::int64_t{365} * 86'400'000;

std::optional<std::int64_t> whole_number(std::string_view text) {
  std::int64_t value = 0;
  const auto parsed = std::from_chars(text.data(), text.data() + text.size(), value);
  if (parsed.ec != std::errc() || parsed.ptr != text.data() + text.size()) return std::nullopt;
  return value;
}

}  // namespace

std::optional<std::int64_t> retry_after_ms(const net::Headers& headers, std::int64_t wall_ms) {
  if (const auto exact = whole_number(headers.get("retry-after-ms")); exact && *exact >= 0)
    return std::min(*exact, kMsMax);
  const std::string text(headers.get("retry-after"));
  if (const auto seconds = whole_number(text)) {
    if (*seconds < 0) return std::nullopt;
    return std::min(*seconds, kMsMax / 1000) * 1000;
  }
  std::tm date{};
  const char* end = ::strptime(text.c_str(), "%a, %d %b %Y %H:%M:%S GMT", &date);
  if (end == nullptr || *end != '\0') return std::nullopt;
  const std::int64_t at_ms = static_cast<std::int64_t>(::timegm(&date)) * 1000;
  return std::clamp<std::int64_t>(at_ms - wall_ms, 0, kMsMax);
}

bool is_spend_limit(const backend::Report& report) {
  return report.status == 429 &&
         report.raw_error.find("enforced_spend_limit_reached") != std::string::npos;
}

}  // namespace tophand::dispatch

#include "backend/provider_limits.h"

#include <algorithm>
#include <charconv>
#include <optional>
#include <string>
#include <string_view>

#include "base/ascii.h"

namespace tophand::backend {
namespace {

constexpr std::string_view kPrefix = "anthropic-ratelimit-unified-";
constexpr std::string_view kUtilization = "-utilization";
constexpr std::size_t kWindowsMax = 8, kWordBytesMax = 24;
constexpr std::int64_t kSecondsMax = 100'000'000'000;  // the year 5138
constexpr double kUsedMax = 100;

template <class Number>
std::optional<Number> read(std::string_view text, Number most) {
  Number number{};
  const auto parsed = std::from_chars(text.data(), text.data() + text.size(), number);
  const bool whole = parsed.ec == std::errc() && parsed.ptr == text.data() + text.size();
  // The comparison is false for what is not a number.
  return whole && number >= 0 && number <= most ? std::optional(number) : std::nullopt;
}

bool is_word(std::string_view text) {
  return !text.empty() && text.size() <= kWordBytesMax && std::ranges::all_of(text, [](char c) {
    return (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') || c == '_' || c == '-';
  });
}

}  // namespace

std::vector<policy::ProviderLimit> read_provider_limits(const net::Headers& headers) {
  std::vector<policy::ProviderLimit> limits;
  for (const net::Header& header : headers.all()) {
    const std::string name = lowered(header.name);
    if (!name.starts_with(kPrefix) || !name.ends_with(kUtilization) ||
        name.size() <= kPrefix.size() + kUtilization.size())
      continue;
    const std::string stem = name.substr(0, name.size() - kUtilization.size());
    const std::string window = stem.substr(kPrefix.size());
    const auto used = read<double>(header.value, kUsedMax);
    const auto reset = read<std::int64_t>(headers.get(stem + "-reset"), kSecondsMax);
    if (!is_word(window) || !used || !reset || limits.size() >= kWindowsMax) continue;
    const std::string status = lowered(headers.get(stem + "-status"));
    limits.push_back({.window = window,
                      .used = *used,
                      .reset_ms = *reset * 1000,
                      .status = is_word(status) ? status : ""});
  }
  return limits;
}

}  // namespace tophand::backend

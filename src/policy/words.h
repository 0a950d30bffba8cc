// Words that several parts of the rules share. Pure.
#pragma once

#include <cstdint>
#include <string_view>

namespace tophand::policy {

enum class Priority : std::uint8_t { kLow, kHigh };
std::string_view priority_name(Priority priority);  // "low", "high"

// Of the machine's time zone; whoever asks looks it up.
struct LocalTime {
  int minute = 0;   // of the day, 0 to 1439
  int weekday = 0;  // 0: Monday
};

// Minutes of the local day, from <= t < until; from > until goes over midnight. Equal: always.
struct Hours {
  int from_minute = 0, until_minute = 0;
};
bool is_within(const Hours& hours, int minute);

// `pattern` with '*' for any run of bytes and '?' for one, against all of `text`. Linear in the
// product of their lengths at worst.
bool matches_glob(std::string_view pattern, std::string_view text);

}  // namespace tophand::policy

// A zone file of any bytes: a fault, or a zone that answers for every moment.
#include <cstdint>
#include <initializer_list>
#include <string_view>

#include "base/calendar.h"
#include "base/posix_tz.h"
#include "base/time_zone.h"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const std::string_view text(reinterpret_cast<const char*>(data), size);
  if (const auto rule = tophand::parse_posix_tz(text))
    static_cast<void>(rule->offset_s(1'790'000'000));
  const auto zone = tophand::TimeZone::parse("fuzz", text);
  if (!zone) return 0;
  for (const std::int64_t at_s : {std::int64_t{0}, std::int64_t{1'790'000'000}, std::int64_t{-1}})
    static_cast<void>(zone->first_utc_s(at_s + zone->offset_s(at_s)));
  return 0;
}

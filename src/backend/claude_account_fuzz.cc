// Whatever comes as a report is either refused or gives counts that are no nonsense.
#include <cstddef>
#include <cstdint>
#include <string_view>

#include "backend/claude_account.h"
#include "base/assert.h"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace tophand::backend;
  const std::string_view text(reinterpret_cast<const char*>(data), size);
  if (const auto page = parse_usage_page(text))
    for (const DayUsage& usage : page->items)
      TOPHAND_ASSERT(usage.input >= 0 && usage.output >= 0 && usage.cache_read >= 0 &&
                     usage.cache_write_5m >= 0 && usage.cache_write_1h >= 0 &&
                     usage.day_ms % 86'400'000 == 0);
  static_cast<void>(parse_cost_page(text));
  return 0;
}

// Whatever comes as a report is either refused or gives counts that are no nonsense; an amount of
// any bytes is taken for what it says or not at all.
#include <cmath>
#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <string_view>

#include "backend/claude_account.h"
#include "base/assert.h"
#include "base/json.h"

namespace {

using namespace tophand;
using namespace tophand::backend;

constexpr std::int64_t kDayMs = 86'400'000;

void check_usage(std::string_view text) {
  const auto page = parse_usage_page(text);
  if (!page) return;
  for (const DayUsage& usage : page->items)
    TOPHAND_ASSERT(usage.input >= 0 && usage.output >= 0 && usage.cache_read >= 0 &&
                   usage.cache_write_5m >= 0 && usage.cache_write_1h >= 0 &&
                   usage.day_ms % kDayMs == 0 && usage.model.size() <= 200);
}

// A decimal number: "-12.50".
bool is_decimal(std::string_view text) {
  constexpr std::string_view kDigits = "0123456789";
  if (text.starts_with('-')) text.remove_prefix(1);
  const std::string_view whole = text.substr(0, text.find('.'));
  const bool has_point = whole.size() < text.size();
  const std::string_view part = text.substr(whole.size() + (has_point ? 1 : 0));
  return !whole.empty() && whole.find_first_not_of(kDigits) == whole.npos &&
         part.find_first_not_of(kDigits) == part.npos;
}

void check_amount(std::string_view text) {
  const Json item{{"currency", "USD"}, {"amount", std::string(text)}, {"model", "m"}};
  const Json bucket{{"starting_at", "2026-11-23T00:00:00Z"}, {"results", Json::array({item})}};
  const Json page{{"data", Json::array({bucket})}, {"has_more", false}};
  const auto read = parse_cost_page(dump_json(page));
  if (!read) {
    TOPHAND_ASSERT(!is_decimal(text) || text.size() > 11);  // what is refused is none, or too much
    return;
  }
  TOPHAND_ASSERT(is_decimal(text));
  const double cents = std::strtod(std::string(text).c_str(), nullptr);
  const auto nano = static_cast<double>(read->items.at(0).nano_usd);
  TOPHAND_ASSERT(std::abs(nano - 1e7 * cents) <= 1 + 1e-12 * std::abs(nano));
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const std::string_view text(reinterpret_cast<const char*>(data), size);
  check_usage(text);
  if (const auto page = parse_cost_page(text))
    for (const DayCost& cost : page->items) TOPHAND_ASSERT(cost.day_ms % kDayMs == 0);
  check_amount(text.substr(0, text.find('\n')));
  return 0;
}

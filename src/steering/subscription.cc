#include "steering/subscription.h"

#include <map>

namespace tophand::steering {
namespace {

constexpr std::int64_t kWeekLeastMs = 5 * 86'400'000LL;

std::int64_t length_ms(const WindowView& window) {
  return window.end_ms - window.start_ms;
}

}  // namespace

std::optional<SubscriptionShare> subscription_share(const SavingsSums& all,
                                                    const std::vector<WindowView>& windows) {
  std::map<std::string, const WindowView*> longest;  // by key; the first of equal ones, by name
  for (const WindowView& window : windows) {
    if (window.in_dollars || length_ms(window) < kWeekLeastMs) continue;
    const WindowView*& known = longest[window.key];
    if (known == nullptr || length_ms(window) > length_ms(*known)) known = &window;
  }
  if (longest.empty()) return std::nullopt;
  SubscriptionShare share;
  for (const auto& [key, window] : longest) {
    share.window = window->name;
    if (window->usd_unit <= 0) return SubscriptionShare{.window = window->name};
    share.usd_per_window += window->usd_unit;
  }
  const auto of = [&](ledger::NanoUsd saved) {
    return 1e-9 * static_cast<double>(saved) / share.usd_per_window;
  };
  share.saved = of(all.saved(all.expected));
  share.saved_floor = of(all.saved(all.floor));
  share.saved_ceiling = of(all.saved(all.ceiling));
  return share;
}

}  // namespace tophand::steering

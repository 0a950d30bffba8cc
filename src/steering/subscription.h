// What was saved as a part of what a Claude subscription allows in a week: on a subscription no
// dollars are paid, so that the limit that is spared says more. Pure.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "steering/budget_watch.h"
#include "steering/savings.h"

namespace tophand::steering {

struct SubscriptionShare {
  std::string window = {};    // the provider's name of it: "7d"
  double usd_per_window = 0;  // that all keys' windows hold, at list prices; 0: not known yet
  // Of one such window; 1.2: what 1.2 windows hold.
  double saved = 0, saved_floor = 0, saved_ceiling = 0;
};

// By the longest window (five days at least) that each key reports, and what its shares were seen
// to be worth. Absent without such a window: no subscription, or nothing has been asked yet.
std::optional<SubscriptionShare> subscription_share(const SavingsSums& all,
                                                    const std::vector<WindowView>& windows);

}  // namespace tophand::steering

// Where a request goes that local has failed: the budget is asked at that moment, not when the
// request came, for local may have tried for minutes. Pure. dispatch/ asks before it goes up.
#pragma once

#include <optional>
#include <string>

#include "policy/budget.h"
#include "policy/policy.h"

namespace tophand::policy {

struct WayUp {
  std::optional<Target> target = {};  // absent: there is none, for the reason given
  std::string reason = {};            // "budget: lambda 1.80, hard -> small"; "" when it stands
};

// Of decision.ways_up the tier that choose_tier takes when the local answer is worth nothing;
// decision.escalation where no budget is paced. Never refused but for what is kept for high
// priority.
WayUp way_up(const Decision& decision, const BudgetState& budget);

}  // namespace tophand::policy

// What a decision may know of the budget, and the choice it leads to: a call is sent to Claude when
// weight * uplift > lambda * cost, and a dear tier gives way to a cheaper one before anything is
// given up. Pure. policy/pacing.h makes the state; decide() calls choose_tier.
#pragma once

#include <cstdint>
#include <span>
#include <string>

#include "policy/tiers.h"

namespace tophand::policy {

// A snapshot of the window that presses most (the week, the five hours, ...).
struct BudgetState {
  bool has_cap = false;       // no cap and no provider's limit known: nothing below applies
  double lambda = 0;          // what a call of mean cost must be worth; 0: spend freely
  double used = 0;            // share of the window's budget, 0 to 1 and above
  std::int64_t left_ms = 0;   // until the window's reset
  bool reserve_only = false;  // what is left is kept for high priority
  // The reserve's window is a limit: low priority that no local model can answer is refused. Else
  // it is one to pace by, and such work gets the cheapest tier.
  bool reserve_refuses = true;
  std::string reserve_window = {};  // its name, where it is not `window`
  // What is left, over what high priority is expected to ask for until the reset; below 1, high
  // priority steps down the ladder to make it last.
  double high_cover = 1;
  double mean_cost_usd = 0;  // of a call, as asked for; 0: none seen yet
  std::string window = {};   // its name: "week", "5h", "7d"
  bool operator==(const BudgetState&) const = default;
};

// One tier that could answer. Costs in dollars, expected; p_success in 0..1.
struct TierCandidate {
  Tier tier = Tier::kLocal;
  double cost_usd = 0;
  double p_success = 0;
};

struct Worth {
  double weight = 1;   // of this request against others; an ordinary one is 1
  double p_local = 0;  // that the local answer will do; after the gate's verdict, where it gave one
  bool high_priority = false;
};

struct TierChoice {
  Tier tier = Tier::kLocal;
  bool refused = false;     // low priority, nothing but a limit's reserve, local cannot answer
  std::string reason = {};  // "budget: lambda 1.80, hard -> default"; "" when nothing was changed
};

// `candidates`: the tier asked for first, then those that may stand in for it, dearest first;
// kLocal last among them when a local answer is allowed. The one with the largest
// weight * (p_success - p_local) - lambda * cost / mean cost wins, the one asked for among equals.
// High priority gets the tier it asks for while what is left covers the high priority to come;
// then the largest value among those that cost no more than the covered share of that one, or the
// cheapest of Claude's. It is never sent to kLocal, unless that was asked for, and not refused:
// only the ledger's hard cap does that. Without a cap, or at lambda 0, the first candidate stands.
// The rule: Balseiro, Lu, Mirrokni, "The Best of Many Worlds: Dual Mirror Descent for Online
// Allocation Problems" (arXiv 2011.10124), section 3.
TierChoice choose_tier(std::span<const TierCandidate> candidates, const Worth& worth,
                       const BudgetState& budget);

// "the rest of the week is kept for high priority"
std::string kept_for_high(const BudgetState& budget);

}  // namespace tophand::policy

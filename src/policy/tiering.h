// The tier of a decision: what priority, class and rules say of it, and what the budget makes of
// that. For policy/ itself.
#pragma once

#include <string>
#include <vector>

#include "base/result.h"
#include "policy/plan.h"

namespace tophand::policy {

// The Claude model that answers on a tier above the local one: the one that was asked for where it
// is of that tier, else the tier's own.
std::string claude_model_at(const Plan& plan, Tier tier);
void set_tier(Plan& plan, Tier tier);

// The first of the rules that matches, carried out.
void apply_rules(Plan& plan);
// Priority, class and rule made into a tier.
void find_tier(Plan& plan);
// Where a request goes that no local model can answer: the model asked for, within the bounds (and
// if those say local, the small tier).
Tier tier_above_local(const Plan& plan);
// Claude's tiers from `most` down to the least that is allowed, the dearest first: expected costs
// in dollars and chances.
std::vector<TierCandidate> claude_candidates(const Plan& plan, Tier most);
// A dear tier gives way to a cheaper one when the budget presses. kBudget: nothing is left but what
// is kept for high priority, and no local model may answer.
Result<> spend(Plan& plan);

}  // namespace tophand::policy

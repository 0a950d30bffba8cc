#include "policy/way_up.h"

#include <algorithm>
#include <vector>

namespace tophand::policy {
namespace {

// The key or the persona may not be allowed every tier's model.
std::optional<Target> target_at(const Decision& decision, Tier tier) {
  if (decision.escalation && decision.escalation->tier == tier) return decision.escalation;
  const auto lower = std::ranges::find(decision.cheaper, tier, &Target::tier);
  return lower == decision.cheaper.end() ? std::nullopt : std::optional(*lower);
}

}  // namespace

WayUp way_up(const Decision& decision, const BudgetState& budget) {
  std::vector<TierCandidate> candidates;
  for (const TierCandidate& candidate : decision.ways_up)
    if (target_at(decision, candidate.tier)) candidates.push_back(candidate);
  if (candidates.empty()) return {.target = decision.escalation};
  TierChoice choice = choose_tier(
      candidates,
      {.weight = decision.weight, .high_priority = decision.priority == Priority::kHigh}, budget);
  if (choice.refused) return {.reason = std::move(choice.reason)};
  return {target_at(decision, choice.tier), std::move(choice.reason)};
}

}  // namespace tophand::policy

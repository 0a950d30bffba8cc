#include "policy/budget.h"

#include <algorithm>
#include <cstdio>

namespace tophand::policy {
namespace {

std::string shown(double number) {
  char text[32];
  std::snprintf(text, sizeof text, "%.2f", number);
  return text;
}

std::string reason_for(const BudgetState& budget, Tier from, Tier to) {
  const std::string why = budget.reserve_only
                              ? "the rest of the " + budget.window + " is kept for high priority"
                              : "lambda " + shown(budget.lambda);
  return "budget: " + why + ", " + std::string(tier_name(from)) + " -> " +
         std::string(tier_name(to));
}

double value(const TierCandidate& candidate, const Worth& worth, const BudgetState& budget) {
  if (candidate.tier == Tier::kLocal) return 0;
  const double relative_cost =
      budget.mean_cost_usd > 0 ? candidate.cost_usd / budget.mean_cost_usd : 1;
  return worth.weight * (candidate.p_success - worth.p_local) - budget.lambda * relative_cost;
}

}  // namespace

TierChoice choose_tier(std::span<const TierCandidate> candidates, const Worth& worth,
                       const BudgetState& budget) {
  if (candidates.empty()) return {};
  const TierCandidate& asked = candidates.front();
  if (!budget.has_cap || asked.tier == Tier::kLocal) return {.tier = asked.tier};
  if (budget.reserve_only && !worth.high_priority) {
    if (std::ranges::find(candidates, Tier::kLocal, &TierCandidate::tier) != candidates.end())
      return {.tier = Tier::kLocal, .reason = reason_for(budget, asked.tier, Tier::kLocal)};
    return {.tier = asked.tier,
            .refused = true,
            .reason = "budget: the rest of the " + budget.window + " is kept for high priority"};
  }
  if (budget.lambda <= 0) return {.tier = asked.tier};
  const TierCandidate* best = &asked;
  for (const TierCandidate& candidate : candidates) {
    if (worth.high_priority && candidate.tier == Tier::kLocal) continue;
    if (value(candidate, worth, budget) > value(*best, worth, budget)) best = &candidate;
  }
  if (best == &asked) return {.tier = asked.tier};
  return {.tier = best->tier, .reason = reason_for(budget, asked.tier, best->tier)};
}

}  // namespace tophand::policy

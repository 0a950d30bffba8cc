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

std::string reason_for(const BudgetState& budget, const Worth& worth, Tier from, Tier to) {
  std::string why = "lambda " + shown(budget.lambda);
  if (worth.high_priority && budget.high_cover < 1)
    why = "the " + budget.window + " covers " + shown(budget.high_cover) +
          " of the high priority to come";
  else if (!worth.high_priority && budget.reserve_only) why = kept_for_high(budget);
  return "budget: " + why + ", " + std::string(tier_name(from)) + " -> " +
         std::string(tier_name(to));
}

double value(const TierCandidate& candidate, const Worth& worth, const BudgetState& budget) {
  if (candidate.tier == Tier::kLocal) return 0;
  const double relative_cost =
      budget.mean_cost_usd > 0 ? candidate.cost_usd / budget.mean_cost_usd : 1;
  return worth.weight * (candidate.p_success - worth.p_local) - budget.lambda * relative_cost;
}

// What high priority may choose from: Claude's tiers, without the dear ones that what is left does
// not cover; the cheapest at least.
std::span<const TierCandidate> covered_cloud(std::span<const TierCandidate> candidates,
                                             const BudgetState& budget) {
  const double most_usd = candidates.front().cost_usd * std::max(0.0, budget.high_cover);
  if (candidates.size() > 1 && candidates.back().tier == Tier::kLocal)
    candidates = candidates.first(candidates.size() - 1);
  while (budget.high_cover < 1 && candidates.size() > 1 && candidates.front().cost_usd > most_usd)
    candidates = candidates.subspan(1);
  return candidates;
}

}  // namespace

std::string kept_for_high(const BudgetState& budget) {
  const std::string& window = budget.reserve_window.empty() ? budget.window : budget.reserve_window;
  return "the rest of the " + window + " is kept for high priority";
}

TierChoice choose_tier(std::span<const TierCandidate> candidates, const Worth& worth,
                       const BudgetState& budget) {
  if (candidates.empty()) return {};
  const TierCandidate& asked = candidates.front();
  if (!budget.has_cap || asked.tier == Tier::kLocal) return {.tier = asked.tier};
  if (budget.reserve_only && !worth.high_priority) {
    if (std::ranges::find(candidates, Tier::kLocal, &TierCandidate::tier) != candidates.end())
      return {.tier = Tier::kLocal, .reason = reason_for(budget, worth, asked.tier, Tier::kLocal)};
    if (budget.reserve_refuses)
      return {.tier = asked.tier, .refused = true, .reason = "budget: " + kept_for_high(budget)};
    const Tier cheapest = candidates.back().tier;
    if (cheapest == asked.tier) return {.tier = asked.tier};
    return {.tier = cheapest, .reason = reason_for(budget, worth, asked.tier, cheapest)};
  }
  // Whoever says high means the model that was asked for, as long as there is money for it.
  if (worth.high_priority && budget.high_cover >= 1) return {.tier = asked.tier};
  if (worth.high_priority) candidates = covered_cloud(candidates, budget);
  const TierCandidate* best = &candidates.front();
  for (const TierCandidate& candidate : candidates)
    if (value(candidate, worth, budget) > value(*best, worth, budget)) best = &candidate;
  if (best->tier == asked.tier) return {.tier = asked.tier};
  return {.tier = best->tier, .reason = reason_for(budget, worth, asked.tier, best->tier)};
}

}  // namespace tophand::policy

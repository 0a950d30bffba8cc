#include <cmath>
#include <utility>

#include "base/json.h"
#include "steering/savings.h"
#include "steering/subscription.h"

namespace tophand::steering {
namespace {

Json sums_json(const SavingsSums& sums) {
  return {{"requests", sums.requests},
          {"local_requests", sums.local},
          {"claude_requests", sums.claude},
          {"escalated", sums.escalated},
          {"redone", sums.redone},
          {"failed", sums.failed},
          {"running", sums.running},
          {"local_input_tokens", sums.local_input_tokens},
          {"local_output_tokens", sums.local_output_tokens},
          {"claude_input_tokens", sums.claude_input_tokens},
          {"claude_output_tokens", sums.claude_output_tokens},
          {"spent_nano_usd", sums.spent},
          {"router_nano_usd", sums.router},
          {"adjusted_nano_usd", sums.adjusted},
          {"outstanding_nano_usd", sums.outstanding},
          {"counterfactual_nano_usd", sums.expected},
          {"counterfactual_floor_nano_usd", sums.floor},
          {"counterfactual_ceiling_nano_usd", sums.ceiling},
          {"energy_nano_usd", sums.energy},
          {"energy_lost_nano_usd", sums.energy_lost},
          {"cache_damage_nano_usd", sums.cache_damage},
          {"saved_nano_usd", sums.saved(sums.expected)},
          {"saved_floor_nano_usd", sums.saved(sums.floor)},
          {"saved_ceiling_nano_usd", sums.saved(sums.ceiling)},
          {"saved_permille", sums.saved_permille(sums.expected)},
          {"saved_floor_permille", sums.saved_permille(sums.floor)},
          {"saved_ceiling_permille", sums.saved_permille(sums.ceiling)}};
}

Json groups_json(const char* name, const std::map<std::string, SavingsSums>& groups) {
  Json list = Json::array();
  for (const auto& [value, sums] : groups) {
    Json item{{name, value}};
    item.update(sums_json(sums));
    list.push_back(std::move(item));
  }
  return list;
}

Json error_json(const ledger::EstimateError& error) {
  Json out{{"n", error.n},
           {"counted_tokens", error.counted},
           {"estimated_tokens", error.estimated},
           {"corrected_tokens", error.corrected}};
  if (error.n == 0 || error.counted == 0) return out;
  const auto n = static_cast<double>(error.n), counted = static_cast<double>(error.counted);
  const auto bias = [&](std::int64_t tokens) { return static_cast<double>(tokens) / counted - 1; };
  out["mean_error"] = error.relative_error / n;
  out["mean_error_corrected"] = error.relative_error_corrected / n;
  out["bias"] = bias(error.estimated);
  out["bias_corrected"] = bias(error.corrected);
  return out;
}

Json interval_json(const std::optional<policy::Interval>& interval, double unit) {
  if (!interval) return nullptr;
  return {{"estimate", interval->estimate / unit},
          {"lower_95", interval->lower / unit},
          {"upper_95", interval->upper / unit}};
}

Json labels_json(const policy::Labels& labels) {
  return {{"n", labels.n}, {"good", labels.good}};
}

Json hold_out_json(const HoldOut& arms) {
  return {
      {"needed", policy::kArmMin},
      {"held_out", arms.held_out.n()},
      {"treated", arms.treated.n()},
      {"held_out_mean_nano_usd", std::llround(arms.held_out.mean())},
      {"treated_mean_nano_usd", std::llround(arms.treated.mean())},
      {"saved_usd_per_request",
       interval_json(policy::difference_of_means(arms.held_out, arms.treated), 1e9)},
      {"held_out_labels", labels_json(arms.held_out_labels)},
      {"treated_labels", labels_json(arms.treated_labels)},
      {"quality_difference",
       interval_json(policy::difference_of_rates(arms.treated_labels, arms.held_out_labels), 1)}};
}

}  // namespace

std::string savings_json(const SavingsReport& report, const std::vector<WindowView>& windows) {
  Json out{{"since_ms", report.since_ms}, {"until_ms", report.until_ms}};
  out.update(sums_json(report.all));
  Json estimate = error_json(report.estimate);
  estimate["classes"] = Json::object();
  for (const auto& [name, error] : report.estimate_by_class)
    estimate["classes"][name] = error_json(error);
  out["counterfactual_model"] = report.counterfactual_model;
  out["counterfactual_is_estimate"] = true;
  out["method"] = ledger::kBasisVersion;
  out["without_basis"] = report.without_basis;
  out["energy_known"] = report.energy_known;
  out["routine"] = sums_json(report.routine);
  out["hold_out"] = hold_out_json(report.hold_out);
  out["token_estimate"] = std::move(estimate);
  out["classes"] = groups_json("task_class", report.by_class);
  out["models"] = groups_json("model", report.by_model);
  out["price_version"] = report.price_version;
  if (const auto share = subscription_share(report.all, windows))
    out["subscription"] = {{"window", share->window},
                           {"usd_per_window", share->usd_per_window},
                           {"saved_share", share->saved},
                           {"saved_floor_share", share->saved_floor},
                           {"saved_ceiling_share", share->saved_ceiling}};
  return dump_json(out);
}

}  // namespace tophand::steering

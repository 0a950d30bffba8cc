#include <optional>

#include "policy/names.h"
#include "policy/policy.h"
#include "policy/priority.h"
#include "policy/targets.h"

namespace tophand::policy {

std::string_view priority_name(Priority priority) {
  return priority == Priority::kHigh ? "high" : "low";
}

std::string_view place_name(Place place) {
  return place == Place::kClaude ? "claude" : "local";
}

std::string backend_name(const Target& target) {
  return target.backend.empty() ? std::string(place_name(target.place)) : target.backend;
}

Result<Decision> decide(const Facts& facts, const Settings& settings) {
  auto asked = classify(facts, settings);
  if (!asked) return tl::unexpected(asked.error());
  Decision decision;
  auto declaration = declared_priority(facts, decision.reasons);
  if (!declaration) return tl::unexpected(declaration.error());
  const std::optional<Declared>& declared = *declaration;
  const Declared chosen = declared ? *declared : implied_priority(*asked, facts, settings);
  decision.priority = chosen.priority;
  decision.reasons.push_back(chosen.reason);
  decision.task_class = read_class(facts, decision.reasons);

  const bool local_only = chosen.local_only || asked->kind == AskedKind::kLocal ||
                          asked->kind == AskedKind::kLocalModel;
  const Choice choice{*asked, facts, settings, local_only};
  const auto made = chosen.priority == Priority::kHigh ? choose_high(choice, decision)
                                                       : choose_low(choice, decision);
  if (!made) return tl::unexpected(made.error());
  return decision;
}

}  // namespace tophand::policy

#include <optional>
#include <utility>

#include "policy/conversation.h"
#include "policy/deadline.h"
#include "policy/learned.h"
#include "policy/names.h"
#include "policy/plan.h"
#include "policy/policy.h"
#include "policy/priority.h"
#include "policy/targets.h"
#include "policy/tiering.h"

namespace tophand::policy {
namespace {

std::string or_open(std::string_view model) {
  return model.empty() ? "no model named" : "model " + printable(model);
}

// What the caller says of its request, and what follows from that.
Result<> read_declarations(Plan& plan) {
  Decision& decision = plan.decision;
  auto declared = declared_priority(plan.facts, decision.reasons);
  if (!declared) return tl::unexpected(std::move(declared).error());
  auto kept_by = declared_egress(plan.facts, decision.reasons);
  if (!kept_by) return tl::unexpected(std::move(kept_by).error());
  plan.kept_by = *std::move(kept_by);
  read_class(plan.facts, plan.settings, decision);
  const Declared chosen =
      *declared ? **declared : implied_priority(plan.asked, plan.facts, plan.settings, decision);
  decision.priority = chosen.priority;
  plan.nobody_said = chosen.by_default;
  plan.say("priority", chosen.reason);
  plan.trace("class", decision.task_class, !decision.task_class.empty(),
             decision.task_class.empty() ? "none declared or inferred" : decision.class_source);
  plan.stays = chosen.local_only || plan.asked.kind == AskedKind::kLocal ||
               plan.asked.kind == AskedKind::kLocalModel;
  return {};
}

// The operator's word on keys and personas, and local-only as the last word of all.
void keep_in_house(Plan& plan) {
  const auto* key = key_policy(plan.facts, plan.settings);
  const auto* persona = persona_policy(plan.facts, plan.settings);
  if (plan.kept_by.empty() && key != nullptr && key->local_only) plan.kept_by = "key";
  if (plan.kept_by.empty() && persona != nullptr && persona->local_only) plan.kept_by = "persona";
  plan.decision.local_only = !plan.kept_by.empty();
  if (!plan.decision.local_only) return plan.trace("egress", "", false, "it may leave");
  plan.say("egress", "local-only (" + plan.kept_by + ")");
  set_tier(plan, Tier::kLocal);
}

Result<> take_steps(Plan& plan) {
  plan.trace("names", "", true, or_open(plan.facts.model_asked));
  if (auto read = read_declarations(plan); !read) return read;
  apply_rules(plan);
  find_tier(plan);
  keep_in_house(plan);
  if (auto able = check_ability(plan); !able) return able;
  stay_with_model(plan);
  apply_learned(plan);
  if (auto spent = spend(plan); !spent) return spent;
  return choose_targets(plan);
}

}  // namespace

std::string_view place_name(Place place) {
  return place == Place::kClaude ? "claude" : "local";
}

std::string backend_name(const Target& target) {
  return target.backend.empty() ? std::string(place_name(target.place)) : target.backend;
}

Result<Decision> decide(const Facts& facts, const Settings& settings, Decision* so_far) {
  auto asked = classify(facts, settings);
  if (!asked) return tl::unexpected(std::move(asked).error());
  Plan plan{.facts = facts, .settings = settings, .asked = *std::move(asked)};
  if (auto taken = take_steps(plan); !taken) {
    if (so_far != nullptr) *so_far = std::move(plan.decision);
    return tl::unexpected(std::move(taken).error());
  }
  if (plan.decision.targets.front().place == Place::kLocal) plan.decision.beside.reset();
  price_switch(plan);
  if (auto read = find_deadline(plan); !read) return tl::unexpected(std::move(read).error());
  return std::move(plan.decision);
}

bool class_matters(const Facts& facts, const Settings& settings) {
  // What a client says of its own accord gives way to a guess.
  const bool hinted = !facts.header_client_class.empty() || !facts.header_client_purpose.empty();
  if (facts.explain || hinted || !settings.rules.empty() || !settings.classes.empty()) return true;
  const auto asked = classify(facts, settings);
  return asked && asked->kind != AskedKind::kLocal && asked->kind != AskedKind::kLocalModel;
}

void take_guess(const Guess& guess, Decision& decision) {
  decision.class_open = false;
  if (guess.task_class.empty()) return;
  decision.task_class = guess.task_class;
  decision.class_source = "inferred";
  decision.class_confidence = guess.confidence;
  decision.class_reason = inferred_reason(guess);
}

}  // namespace tophand::policy

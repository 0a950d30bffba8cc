#include "policy/learned.h"

#include <algorithm>
#include <string>

#include "policy/tiering.h"

namespace tophand::policy {
namespace {

constexpr std::string_view kStep = "learned";

const RouteState* state_of(const Plan& plan) {
  if (plan.facts.routes == nullptr || plan.local.empty()) return nullptr;
  const Target& first = plan.local.front();
  return plan.facts.routes->find(plan.decision.task_class, route_model(first.backend, first.model));
}

// It is of low priority, about to be answered locally, and nothing keeps it here.
bool may_move(const Plan& plan) {
  const Facts& facts = plan.facts;
  const Settings& settings = plan.settings;
  return plan.low() && plan.tier == Tier::kLocal && !plan.local.empty() && !plan.stays &&
         !plan.decision.local_only && !plan.tier_fixed && !facts.local_work &&
         !(facts.in_tool_loop && facts.session.known) && settings.has_claude_key &&
         settings.escalate != Escalate::kNever &&
         plan.bounds.at_most.value_or(Tier::kHard) > Tier::kLocal &&
         !(facts.budget.has_cap && facts.budget.reserve_only);
}

std::string class_of(const Plan& plan) {
  return plan.decision.task_class.empty() ? "this kind" : plan.decision.task_class;
}

void ask_small_tier(Plan& plan, const RouteState* state) {
  const bool fell = state != nullptr && state->stage == Stage::kDemoted;
  plan.say(kStep, fell ? "local answers of " + class_of(plan) + " have got worse, so Claude"
                       : "what local makes of " + class_of(plan) + " is not known yet, so Claude");
  plan.decision.beside = plan.local.front();
  set_tier(plan, std::max(plan.bounds.at_least.value_or(Tier::kSmall), Tier::kSmall));
}

}  // namespace

void apply_learned(Plan& plan) {
  if (plan.facts.routes == nullptr || !may_move(plan)) return;
  if (!plan.facts.request_id.empty() &&
      draws_holdout(plan.facts.request_id, plan.facts.sample_seed, plan.settings.shares)) {
    plan.say(kStep, "drawn for the hold-out, so Claude");
    plan.decision.arm = arm_name(Arm::kHoldout);
    set_tier(plan, tier_above_local(plan));
    plan.tier_fixed = true;  // what the lot has decided nothing else may
    return;
  }
  if (!plan.nobody_said || !plan.decision.rule.empty()) return;
  const RouteState* state = state_of(plan);
  const Stage stage = state == nullptr ? Stage::kShadow : state->stage;
  if (stage == Stage::kShadow || stage == Stage::kDemoted) return ask_small_tier(plan, state);
  plan.trace(kStep, stage_name(stage), true, "local answers of " + class_of(plan));
}

double blended(const RouteState* state, double guess) {
  if (state == nullptr) return guess;
  return (kGuessWeighs * guess + state->n * state->p_mean) / (kGuessWeighs + state->n);
}

double learned_local(const Plan& plan, double guess) {
  return blended(state_of(plan), guess);
}

double learned_claude(const Plan& plan, std::string_view model, double guess) {
  if (plan.facts.routes == nullptr) return guess;
  return blended(plan.facts.routes->find(plan.decision.task_class, route_model("claude", model)),
                 guess);
}

}  // namespace tophand::policy

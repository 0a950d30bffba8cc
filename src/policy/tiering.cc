#include "policy/tiering.h"

#include <algorithm>
#include <cmath>
#include <utility>
#include <vector>

#include "base/ascii.h"
#include "policy/conversation.h"
#include "policy/learned.h"

namespace tophand::policy {
namespace {

constexpr std::int64_t kOutputTokensTypical = 500;
constexpr std::string_view kRuleStep = "rules", kTierStep = "tier", kBudgetStep = "budget";

// The Claude model that was asked for, or that stands for all of them.
const std::string& wanted_model(const Plan& plan) {
  if (plan.asked.kind == AskedKind::kClaudeModel) return plan.asked.name;
  if (plan.asked.kind == AskedKind::kTier) return tier_model(plan.asked.tier, plan.settings.tiers);
  return plan.settings.claude_model;
}

Tier asked_tier(const Plan& plan) {
  return tier_of(wanted_model(plan), plan.settings.tiers);
}

RuleFacts rule_facts(const Plan& plan) {
  const Facts& facts = plan.facts;
  return {.key_id = facts.key_id,
          .key_name = facts.key_name,
          .agent = facts.agent,
          .agent_said = facts.agent_said,
          .persona = facts.persona,
          .task_class = plan.decision.task_class,
          .model = bare_model(facts.model_asked),
          .priority = plan.decision.priority,
          .has_tools = facts.has_tools,
          .has_images = facts.has_images,
          .context_tokens = estimated_tokens(facts),
          .time = facts.time,
          .budget_used = facts.budget.has_cap ? facts.budget.used : 0};
}

// What a rule does, in the words of its file.
std::string told(const Actions& then) {
  std::vector<std::string> out;
  const auto add = [&](std::string_view key, std::string_view value) {
    if (!value.empty()) out.push_back(std::string(key) + " " + std::string(value));
  };
  const auto tier = [](const std::optional<Tier>& bound) {
    return bound ? tier_name(*bound) : std::string_view();
  };
  add("priority", then.priority ? priority_name(*then.priority) : std::string_view());
  add("class", then.task_class);
  add("model", then.model);
  add("tier", tier(then.tier.exactly));
  add("tier at most", tier(then.tier.at_most));
  add("tier at least", tier(then.tier.at_least));
  add("egress", then.local_only ? "local-only" : "");
  if (then.defer || then.deadline_s > 0) out.emplace_back("may wait");
  return out.empty() ? "changes nothing" : joined(out, ", ");
}

void trace_rules(Plan& plan, const RuleFacts& seen, const Rule* applied) {
  for (const Rule& rule : plan.settings.rules) {
    if (&rule == applied) return plan.trace(kRuleStep, rule.name, true, told(rule.then));
    plan.trace(kRuleStep, rule.name, false, why_not(rule, seen));
  }
}

// A model that is named decides where the answer comes from, whatever the priority.
void take_model(Plan& plan, const Rule& rule) {
  const auto asked = classify_name(rule.then.model, plan.facts, plan.settings);
  if (!asked)
    return plan.say(kRuleStep,
                    "rule " + rule.name + ": no model " + rule.then.model + " now, passed over");
  plan.asked = *asked;
  const bool local = asked->kind == AskedKind::kLocal || asked->kind == AskedKind::kLocalModel ||
                     asked->kind == AskedKind::kLow;
  if (local) plan.bounds = {.exactly = Tier::kLocal};
  else if (asked->kind != AskedKind::kOpen) plan.bounds = {.exactly = asked_tier(plan)};
}

// Whoever speaks first says how long.
void let_wait(Plan& plan, bool defer, std::int64_t deadline_s, std::string by) {
  Decision& decision = plan.decision;
  if (decision.defer || (!defer && deadline_s == 0)) return;
  decision.defer = true;
  decision.deadline_s = deadline_s > 0 ? deadline_s : plan.settings.defer.deadline_s;
  plan.deadline_by = std::move(by);
}

void carry_out(Plan& plan, const Rule& rule) {
  Decision& decision = plan.decision;
  const Actions& then = rule.then;
  decision.rule = rule.name;
  decision.reasons.push_back("rule " + rule.name);
  if (then.priority) decision.priority = *then.priority;
  if (!then.task_class.empty()) {
    decision.task_class = then.task_class;
    decision.class_source = "rule";
    decision.class_confidence = 1;
  }
  if (then.tier.any()) plan.bounds = then.tier;
  if (!then.model.empty()) take_model(plan, rule);
  if (then.local_only && plan.kept_by.empty()) plan.kept_by = "rule " + rule.name;
  let_wait(plan, then.defer, then.deadline_s, "rule " + rule.name);
}

Tier within(const TierBounds& bounds, Tier tier) {
  if (bounds.exactly) return *bounds.exactly;
  if (bounds.at_least) tier = std::max(tier, *bounds.at_least);
  if (bounds.at_most) tier = std::min(tier, *bounds.at_most);
  return tier;
}

// What was only inferred of a request must not make it dearer.
TierBounds lowering(const TierBounds& bounds, Tier from) {
  TierBounds out{.at_most = bounds.at_most};
  if (bounds.exactly && *bounds.exactly < from) out.exactly = bounds.exactly;
  return out;
}

void take_class(Plan& plan, const ClassPolicy& own) {
  Decision& decision = plan.decision;
  decision.weight = own.weight;
  let_wait(plan, own.defer, own.deadline_s, "class " + decision.task_class);
  if (own.local_only && plan.kept_by.empty()) plan.kept_by = "class " + decision.task_class;
}

const BuiltInClass& guesses(const Plan& plan) {
  const BuiltInClass* known = built_in_class(plan.decision.task_class);
  return known != nullptr ? *known : kOtherClass;
}

double p_success(const BuiltInClass& guess, Tier tier) {
  switch (tier) {
    case Tier::kLocal:
      return guess.p_local;
    case Tier::kSmall:
      return guess.p_small;
    case Tier::kDefault:  // three quarters of the way to the hard tier
      return guess.p_small + (guess.p_hard - guess.p_small) * .75;
    case Tier::kHard:
      break;
  }
  return guess.p_hard;
}

double expected_cost_usd(const Plan& plan, std::string_view model) {
  const Rates* rates = rates_of(plan.settings, model);
  if (rates == nullptr) return 0;
  const SessionFacts& session = plan.facts.session;
  const std::int64_t prompt = estimated_tokens(plan.facts);
  const bool warm = lost_cache_usd(plan.facts, plan.settings) > 0 && session.last.model == model;
  const std::int64_t cached = warm ? std::min(prompt, session.cached_tokens) : 0;
  const std::int64_t output =
      std::min(plan.facts.max_tokens.value_or(kOutputTokensTypical), kOutputTokensTypical);
  return 1e-9 * (static_cast<double>(prompt - cached) * static_cast<double>(rates->input) +
                 static_cast<double>(cached) * static_cast<double>(rates->cache_read) +
                 static_cast<double>(output) * static_cast<double>(rates->output));
}

}  // namespace

std::string claude_model_at(const Plan& plan, Tier tier) {
  const std::string& wanted = wanted_model(plan);
  const TierModels& tiers = plan.settings.tiers;
  return tier_of(wanted, tiers) == tier ? wanted : tier_model(tier, tiers);
}

void set_tier(Plan& plan, Tier tier) {
  plan.tier = tier;
  plan.claude_model = tier == Tier::kLocal ? "" : claude_model_at(plan, tier);
}

void apply_rules(Plan& plan) {
  if (plan.settings.rules.empty() || plan.facts.local_work) return;
  const RuleFacts seen = rule_facts(plan);
  const Rule* rule = first_match(plan.settings.rules, seen);
  if (plan.facts.explain) trace_rules(plan, seen, rule);
  if (rule != nullptr) carry_out(plan, *rule);
}

void find_tier(Plan& plan) {
  const ClassPolicy own = class_policy(plan.decision.task_class, plan.settings.classes);
  take_class(plan, own);
  const Tier by_priority = plan.low() ? Tier::kLocal : asked_tier(plan);
  if (!plan.bounds.any() && !plan.facts.local_work)  // no rule has spoken
    plan.bounds =
        plan.decision.class_source == "inferred" ? lowering(own.tier, by_priority) : own.tier;
  const Tier tier = within(plan.bounds, by_priority);
  plan.tier_fixed = plan.bounds.exactly.has_value();
  if (tier != by_priority)
    plan.say(kTierStep, "tier " + std::string(tier_name(tier)) + " in place of " +
                            std::string(tier_name(by_priority)));
  else plan.trace(kTierStep, "", true, std::string(tier_name(tier)) + ", by priority");
  set_tier(plan, tier);
}

Tier tier_above_local(const Plan& plan) {
  return std::max(within(plan.bounds, asked_tier(plan)), Tier::kSmall);
}

std::vector<TierCandidate> claude_candidates(const Plan& plan, Tier most) {
  const BuiltInClass& guess = guesses(plan);
  const Tier least = plan.bounds.at_least.value_or(Tier::kLocal);
  std::vector<TierCandidate> candidates;
  for (const Tier tier : {Tier::kHard, Tier::kDefault, Tier::kSmall})
    if (tier <= most && tier >= least) {
      const std::string model = claude_model_at(plan, tier);
      candidates.push_back({tier, expected_cost_usd(plan, model),
                            learned_claude(plan, model, p_success(guess, tier))});
    }
  return candidates;
}

// How long, and what may be done about it: ", 97 % of the week are used and it ends in 2 d 3 h;
// ..."
std::string way_out(const BudgetState& budget) {
  const std::int64_t hours = (budget.left_ms + 3'599'999) / 3'600'000;
  const std::string left = hours >= 48 ? std::to_string(hours / 24) + " days"
                                       : std::to_string(hours) + (hours == 1 ? " hour" : " hours");
  return ", " + std::to_string(std::lround(100 * budget.used)) + " % of the " + budget.window +
         " are used and it ends within " + left +
         "; ask with high priority, ask a local model, or raise the cap ([budget] in the "
         "configuration)";
}

Result<> spend(Plan& plan) {
  const BudgetState& budget = plan.facts.budget;
  if (!budget.has_cap || plan.tier == Tier::kLocal) return {};
  plan.decision.asked_usd = expected_cost_usd(plan, plan.claude_model);
  if (plan.tier_fixed) return {};
  const Tier least = plan.bounds.at_least.value_or(Tier::kLocal);
  std::vector<TierCandidate> candidates = claude_candidates(plan, plan.tier);
  const bool may_be_local = least == Tier::kLocal && !plan.local.empty() &&
                            (plan.low() || plan.settings.allow_local_fallback);
  const double p_local = learned_local(plan, guesses(plan).p_local);
  if (may_be_local) candidates.push_back({Tier::kLocal, 0, p_local});
  if (candidates.empty()) return {};  // bounds that contradict each other
  const TierChoice choice = choose_tier(candidates,
                                        {.weight = plan.decision.weight,
                                         .p_local = may_be_local ? p_local : 0,
                                         .high_priority = !plan.low()},
                                        budget);
  if (choice.refused) return fail(Code::kBudget, choice.reason + way_out(budget));
  if (choice.tier == plan.tier) {
    plan.trace(kBudgetStep, budget.window, false, "the tier stands");
    return {};
  }
  set_tier(plan, choice.tier);
  plan.say(kBudgetStep, choice.reason);
  return {};
}

}  // namespace tophand::policy

#include "policy/targets.h"

#include <algorithm>

#include "base/ascii.h"
#include "policy/priority.h"
#include "policy/tiering.h"

namespace tophand::policy {
namespace {

constexpr std::string_view kStep = "content";
// Of a local model's token; more only in long runs of blanks. A prompt that is longer by this count
// than the context is surely too long, and closer ones are the engine's to count.
constexpr std::int64_t kBytesPerTokenMost = 8;

std::string join(const std::vector<std::string>& items) {
  std::string out;
  for (const std::string& item : items) (out += out.empty() ? "" : ", ") += printable(item);
  return out;
}

Error no_key() {
  return {Code::kUnavailable,
          "this request needs Claude and no Claude API key is set: set ANTHROPIC_API_KEY or "
          "[claude] key_file for `tophand serve`, or allow local answers with [claude] "
          "allow_local_fallback = true, or ask with priority low"};
}

// A local model that cannot be told an image may have a neighbour that can.
bool can_take(const Offer& offer, const std::vector<std::string>& unsupported) {
  return std::ranges::all_of(
      unsupported, [&](const std::string& what) { return what == "image" && offer.takes_images; });
}

bool holds(std::int64_t context_tokens, const Facts& facts) {
  return context_tokens == 0 || facts.prompt_bytes / kBytesPerTokenMost <= context_tokens;
}

bool serves(const Plan& plan, const Offer& offer) {
  const Asked& asked = plan.asked;
  if (plan.decision.local_only && offer.outside) return false;
  if (asked.kind != AskedKind::kLocalModel)
    return offer.stands_for_local || same_model(plan.settings.local_model, offer.model);
  return same_model(asked.name, offer.model) &&
         (asked.backend.empty() || asked.backend == offer.backend);
}

std::int64_t context_of(const Target& target, const Facts& facts) {
  if (target.backend.empty()) return facts.local_context_tokens;
  for (const Offer& offer : facts.offers)
    if (offer.backend == target.backend && offer.model == target.model) return offer.context_tokens;
  return 0;
}

// Which model could answer here, were it installed; the one that is configured may be.
std::string way_to_one(const Plan& plan) {
  const std::string& model = plan.settings.local_model;
  const auto is_it = [&](const std::string& name) { return same_model(model, name); };
  if (std::ranges::any_of(plan.facts.installed, is_it))
    return "`tophand status` says what is wrong with '" + model + "'";
  return "run `tophand pull " + model + "`";
}

Error not_installed(const Plan& plan) {
  const std::string& model = plan.settings.local_model;
  const std::string what = plan.facts.installed.empty()
                               ? "no local model is installed"
                               : "the local model '" + model + "' is not installed";
  return {Code::kNotFound, what + ": run `tophand pull " + model + "`", About::kModel};
}

bool may_leave(const Plan& plan) {
  return plan.settings.has_claude_key && !plan.stays && !plan.decision.local_only &&
         plan.settings.escalate != Escalate::kNever;
}

Error cannot_take(const Plan& plan, std::string_view what_to_do) {
  return {Code::kInvalid, "local models cannot take: " + join(plan.facts.unsupported) + "; " +
                              std::string(what_to_do)};
}

Error cannot_stay(const Plan& plan) {
  if (!plan.facts.unsupported.empty())
    return cannot_take(plan, "and this request must not leave (" + plan.kept_by + ")");
  const std::string said = "this request must not leave (" + plan.kept_by + ": local-only), and ";
  const bool is_outside = std::ranges::any_of(plan.facts.offers, [&](const Offer& offer) {
    return offer.outside && same_model(plan.asked.name, offer.model) &&
           (plan.asked.backend.empty() || plan.asked.backend == offer.backend);
  });
  if (plan.asked.kind == AskedKind::kLocalModel && is_outside)
    return {Code::kUnavailable,
            said + "'" + plan.asked.name +
                "' is on a backend outside the house: ask another model, or set in_house = "
                "\"yes\" for it if it is in your hands"};
  return {Code::kUnavailable, said + "no local model can answer now: " + way_to_one(plan) +
                                  ", or see `tophand backends`"};
}

// What no local model can take is Claude's, where that is allowed.
Result<> move_up(Plan& plan) {
  if (plan.stays)
    return tl::unexpected(cannot_take(plan, "leave it out, or ask without naming a local model"));
  if (!plan.settings.has_claude_key)
    return tl::unexpected(cannot_take(plan,
                                      "Claude would be asked, but no Claude API key is set "
                                      "(ANTHROPIC_API_KEY or [claude] key_file)"));
  if (plan.settings.escalate == Escalate::kNever)
    return tl::unexpected(
        cannot_take(plan, "Claude would be asked, but [routing] escalate is \"never\""));
  plan.say(kStep, "local models cannot take: " + join(plan.facts.unsupported) + ", so Claude");
  plan.beyond_local = true;
  set_tier(plan, tier_above_local(plan));
  return {};
}

bool surely_too_long(const Plan& plan) {
  return std::ranges::none_of(plan.local, [&](const Target& target) {
    return holds(context_of(target, plan.facts), plan.facts);
  });
}

Result<> check_local(Plan& plan) {
  if (plan.local.empty())
    return plan.facts.unsupported.empty() ? tl::unexpected(not_installed(plan)) : move_up(plan);
  if (!may_leave(plan) || !surely_too_long(plan)) return {};
  plan.say(kStep, "the prompt is longer than local models hold, so Claude");
  plan.beyond_local = true;
  set_tier(plan, tier_above_local(plan));
  return {};
}

// Claude was meant, and there is no key for it.
Result<> do_without_claude(Plan& plan) {
  const bool may_fall_back = plan.low() || plan.settings.allow_local_fallback;
  if (!may_fall_back || !plan.facts.unsupported.empty()) return tl::unexpected(no_key());
  if (plan.local.empty()) return tl::unexpected(not_installed(plan).within("no Claude API key"));
  plan.say(kStep, plan.low() ? "no Claude API key, so local"
                             : "no Claude API key, claude.allow_local_fallback");
  set_tier(plan, Tier::kLocal);
  return {};
}

// Where a request may go down to from `tier` when there is no money for that.
void fill_cheaper(Plan& plan, Tier tier) {
  if (plan.tier_fixed) return;
  const Tier least = std::max(plan.bounds.at_least.value_or(Tier::kSmall), Tier::kSmall);
  for (const Tier lower : {Tier::kDefault, Tier::kSmall})
    if (lower < tier && lower >= least)
      plan.decision.cheaper.push_back({Place::kClaude, claude_model_at(plan, lower), "", lower});
}

void fill_local(Plan& plan) {
  Decision& decision = plan.decision;
  decision.targets = plan.local;
  if (!may_leave(plan)) return;
  const BudgetState& budget = plan.facts.budget;
  if (budget.has_cap && budget.reserve_only && budget.reserve_refuses && plan.low())
    return plan.say("budget", kept_for_high(budget) + ", so no way up to Claude");
  const Tier tier = tier_above_local(plan);
  decision.escalation = Target{Place::kClaude, claude_model_at(plan, tier), "", tier};
  fill_cheaper(plan, tier);
  if (budget.has_cap && !plan.tier_fixed) decision.ways_up = claude_candidates(plan, tier);
  if (plan.settings.escalate == Escalate::kFailed) decision.targets.push_back(*decision.escalation);
}

void fill_claude(Plan& plan) {
  Decision& decision = plan.decision;
  decision.targets.push_back({Place::kClaude, plan.claude_model, "", plan.tier});
  fill_cheaper(plan, plan.tier);
  if (plan.low() || plan.settings.allow_local_fallback)
    decision.targets.insert(decision.targets.end(), plan.local.begin(), plan.local.end());
}

// The operator may have said which models a key or a persona may use.
Result<> keep_allowed(Plan& plan, const CallerPolicy* policy, std::string_view whose) {
  if (policy == nullptr || policy->models.empty()) return {};
  const auto refused = [&](const Target& target) {
    return std::ranges::none_of(policy->models, [&](const std::string& pattern) {
      return matches_glob(pattern, target.model);
    });
  };
  Decision& decision = plan.decision;
  std::erase_if(decision.targets, refused);
  std::erase_if(decision.cheaper, refused);
  if (decision.escalation && refused(*decision.escalation)) decision.escalation.reset();
  if (!decision.targets.empty()) return {};
  return fail(Code::kForbidden, "this " + std::string(whose) + " may use only " +
                                    joined(policy->models, ", ") +
                                    ", none of which can answer this request");
}

}  // namespace

std::vector<Target> local_targets(const Plan& plan) {
  const Asked& asked = plan.asked;
  const Facts& facts = plan.facts;
  const bool named = asked.kind == AskedKind::kLocalModel;
  std::vector<Target> targets;
  if (facts.unsupported.empty()) {
    const bool installed = named && asked.backend.empty() &&
                           std::ranges::find(facts.installed, asked.name) != facts.installed.end();
    if (installed) targets.push_back({Place::kLocal, asked.name});
    if (!named && !facts.local_default.empty())
      targets.push_back({Place::kLocal, facts.local_default});
  }
  for (const bool up : {true, false})
    for (const Offer& offer : facts.offers)
      if (offer.up == up && serves(plan, offer) && can_take(offer, facts.unsupported))
        targets.push_back({Place::kLocal, offer.model, offer.backend});
  return targets;
}

Result<> check_ability(Plan& plan) {
  plan.local = local_targets(plan);
  if (plan.decision.local_only)
    return plan.local.empty() ? tl::unexpected(cannot_stay(plan)) : Result<>();
  if (plan.tier == Tier::kLocal) return check_local(plan);
  return plan.settings.has_claude_key ? Result<>() : do_without_claude(plan);
}

Result<> choose_targets(Plan& plan) {
  if (plan.tier == Tier::kLocal) fill_local(plan);
  else fill_claude(plan);
  const Facts& facts = plan.facts;
  if (auto kept = keep_allowed(plan, key_policy(facts, plan.settings), "key"); !kept) return kept;
  return keep_allowed(plan, persona_policy(facts, plan.settings), "persona");
}

}  // namespace tophand::policy

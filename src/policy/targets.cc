#include "policy/targets.h"

#include <algorithm>
#include <iterator>

namespace tophand::policy {
namespace {

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

Target claude_target(const Asked& asked, const Settings& settings) {
  return {Place::kClaude,
          asked.kind == AskedKind::kClaudeModel ? asked.name : settings.claude_model};
}

// A local model that cannot be told an image may have a neighbour that can.
bool can_take(const Offer& offer, const std::vector<std::string>& unsupported) {
  return std::ranges::all_of(
      unsupported, [&](const std::string& what) { return what == "image" && offer.takes_images; });
}

// Every local backend that may answer: the own engine, then those that are up, then the rest.
std::vector<Target> local_targets(const Choice& choice) {
  const Asked& asked = choice.asked;
  const Facts& facts = choice.facts;
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
    for (const Offer& offer : facts.offers) {
      const bool serves =
          named ? same_model(asked.name, offer.model) &&
                      (asked.backend.empty() || asked.backend == offer.backend)
                : offer.stands_for_local || same_model(choice.settings.local_model, offer.model);
      if (offer.up == up && serves && can_take(offer, facts.unsupported))
        targets.push_back({Place::kLocal, offer.model, offer.backend});
    }
  return targets;
}

Error not_installed(const Choice& choice) {
  const std::string& model = choice.settings.local_model;
  const std::string what = choice.facts.installed.empty()
                               ? "no local model is installed"
                               : "the local model '" + model + "' is not installed";
  return {Code::kNotFound, what + ": run `tophand pull " + model + "`"};
}

bool may_escalate(const Choice& choice) {
  return choice.settings.has_claude_key && !choice.local_only &&
         choice.settings.escalate != Escalate::kNever;
}

Result<> choose_unable(const Choice& choice, Decision& decision) {
  const std::string what = join(choice.facts.unsupported);
  if (choice.local_only)
    return fail(Code::kInvalid, "local models cannot take: " + what +
                                    "; leave it out, or ask without naming a local model");
  if (!choice.settings.has_claude_key)
    return fail(Code::kInvalid, "local models cannot take: " + what +
                                    "; Claude can, but no Claude API key is set (ANTHROPIC_API_KEY "
                                    "or [claude] key_file)");
  if (choice.settings.escalate == Escalate::kNever)
    return fail(Code::kInvalid, "local models cannot take: " + what +
                                    "; Claude can, but [routing] escalate is \"never\"");
  decision.reasons.push_back("local models cannot take: " + what + ", so Claude");
  decision.targets.push_back(claude_target(choice.asked, choice.settings));
  return {};
}

}  // namespace

Result<> choose_low(const Choice& choice, Decision& decision) {
  decision.targets = local_targets(choice);
  if (decision.targets.empty())
    return choice.facts.unsupported.empty() ? tl::unexpected(not_installed(choice))
                                            : choose_unable(choice, decision);
  if (!may_escalate(choice)) return {};
  decision.escalation = claude_target(choice.asked, choice.settings);
  if (choice.settings.escalate == Escalate::kFailed)
    decision.targets.push_back(*decision.escalation);
  return {};
}

Result<> choose_high(const Choice& choice, Decision& decision) {
  const bool may_fall_back = choice.settings.allow_local_fallback;
  std::vector<Target> local = may_fall_back ? local_targets(choice) : std::vector<Target>();
  if (choice.settings.has_claude_key) {
    decision.targets.push_back(claude_target(choice.asked, choice.settings));
  } else if (!may_fall_back || !choice.facts.unsupported.empty()) {
    return tl::unexpected(no_key());
  } else if (local.empty()) {
    return tl::unexpected(not_installed(choice).within("no Claude API key"));
  } else {
    decision.reasons.push_back("no Claude API key, claude.allow_local_fallback");
  }
  decision.targets.insert(decision.targets.end(), std::make_move_iterator(local.begin()),
                          std::make_move_iterator(local.end()));
  return {};
}

}  // namespace tophand::policy

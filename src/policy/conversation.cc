#include "policy/conversation.h"

#include <algorithm>
#include <cstdio>

#include "policy/targets.h"
#include "policy/tiering.h"

namespace tophand::policy {
namespace {

constexpr std::int64_t kCacheMs = 300'000;  // the shorter life of Claude's prompt cache
constexpr std::string_view kStep = "session";

std::string dollars(double usd) {
  char text[32];
  std::snprintf(text, sizeof text, "$%.4f", usd);
  return text;
}

bool stay_local(Plan& plan, const Target& last) {
  if (plan.beyond_local) return false;
  const Asked before = plan.asked;
  plan.asked = {AskedKind::kLocalModel, last.model};
  std::vector<Target> same = local_targets(plan);
  if (same.empty()) {
    plan.asked = before;
    return false;
  }
  if (const auto found = std::ranges::find(same, last); found != same.end())
    std::rotate(same.begin(), found, found + 1);
  plan.local = std::move(same);
  set_tier(plan, Tier::kLocal);
  return true;
}

bool stay_with_claude(Plan& plan, const Target& last) {
  if (!plan.settings.has_claude_key || plan.decision.local_only) return false;
  plan.tier = tier_of(last.model, plan.settings.tiers);
  plan.claude_model = last.model;
  return true;
}

}  // namespace

const Rates* rates_of(const Settings& settings, std::string_view model) {
  constexpr std::size_t kDateBytes = 9;  // "-20251001"
  auto found = settings.rates.find(model);
  if (found == settings.rates.end() && model.size() > kDateBytes)
    found = settings.rates.find(model.substr(0, model.size() - kDateBytes));
  return found == settings.rates.end() ? nullptr : &found->second;
}

double lost_cache_usd(const Facts& facts, const Settings& settings) {
  const SessionFacts& session = facts.session;
  if (!session.known || session.last.place != Place::kClaude || session.age_ms >= kCacheMs)
    return 0;
  const Rates* rates = rates_of(settings, session.last.model);
  if (rates == nullptr) return 0;
  return 1e-9 * static_cast<double>(session.cached_tokens) *
         static_cast<double>(std::max<std::int64_t>(0, rates->cache_write - rates->cache_read));
}

void stay_with_model(Plan& plan) {
  const SessionFacts& session = plan.facts.session;
  if (!plan.facts.in_tool_loop || !session.known) return;
  if (session.model_asked != plan.facts.model_asked)
    return plan.trace(kStep, "tool loop", false, "the caller names another model than before");
  const bool local = session.last.place == Place::kLocal;
  const bool was_meant =
      local == (plan.tier == Tier::kLocal) && (local || plan.claude_model == session.last.model);
  if (!(local ? stay_local(plan, session.last) : stay_with_claude(plan, session.last)))
    return plan.trace(kStep, "tool loop", false, "the model that began it cannot go on");
  plan.tier_fixed = true;
  const std::string why = "in a tool loop, so it stays with " + printable(session.last.model);
  if (was_meant) plan.trace(kStep, "tool loop", true, why);
  else plan.say(kStep, why);
}

void price_switch(Plan& plan) {
  const double lost = lost_cache_usd(plan.facts, plan.settings);
  const SessionFacts& session = plan.facts.session;
  if (lost <= 0 || plan.decision.targets.front() == session.last) return;
  plan.say(kStep, "leaves " + printable(session.last.model) + ": " +
                      std::to_string(session.cached_tokens) + " cached tokens, " + dollars(lost) +
                      " to write again");
}

}  // namespace tophand::policy

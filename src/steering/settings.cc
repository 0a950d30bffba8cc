#include "steering/settings.h"

#include <algorithm>
#include <map>
#include <optional>
#include <utility>

#include "base/ascii.h"
#include "base/nearest.h"

namespace tophand::steering {
namespace {

constexpr std::string_view kLocalOnly = "local-only";

std::optional<policy::Priority> priority_of(const std::string& word) {
  if (word.empty()) return std::nullopt;
  return word == "high" ? policy::Priority::kHigh : policy::Priority::kLow;
}

policy::TierBounds bounds_of(const config::TierBoundsConfig& tier) {
  return {.exactly = policy::tier_named(tier.exactly),
          .at_most = policy::tier_named(tier.at_most),
          .at_least = policy::tier_named(tier.at_least)};
}

std::vector<std::string> lowered_all(std::vector<std::string> names) {
  for (std::string& name : names) name = lowered(name);
  return names;
}

policy::Conditions conditions_of(const config::WhenConfig& when) {
  policy::Conditions out{.keys = when.key.any_of,
                         .agents = when.agent.any_of,
                         .personas = lowered_all(when.persona.any_of),
                         .models = when.model.any_of,
                         .classes = when.task_class.any_of,
                         .priority = priority_of(when.priority),
                         .tools = when.tools,
                         .images = when.images,
                         .context_min = when.context_tokens_min,
                         .context_max = when.context_tokens_max};
  if (const auto hours = config::parse_hours(when.hours)) {
    out.from_minute = hours->from_minute;
    out.until_minute = hours->until_minute;
  }
  if (!when.days.any_of.empty()) {
    out.days = 0;
    for (const std::string& day : when.days.any_of)
      out.days = static_cast<std::uint8_t>(out.days | config::parse_day(day));
  }
  out.budget_min = when.budget_used_min.value_or(out.budget_min);
  out.budget_max = when.budget_used_max.value_or(out.budget_max);
  return out;
}

policy::Rule rule_of(const config::RuleConfig& rule) {
  return {.name = rule.name,
          .when = conditions_of(rule.when),
          .then = {.priority = priority_of(rule.priority),
                   .task_class = rule.task_class,
                   .model = rule.model,
                   .tier = bounds_of(rule.tier),
                   .local_only = rule.egress == kLocalOnly,
                   .defer = rule.defer,
                   .deadline_s = rule.deadline_s}};
}

policy::ClassPolicy class_of(const std::string& name, const config::ClassConfig& own) {
  return {.weight = own.weight.value_or(policy::class_policy(name, {}).weight),
          .priority = priority_of(own.priority),
          .tier = bounds_of(own.tier),
          .local_only = own.egress == kLocalOnly,
          .defer = own.defer,
          .deadline_s = own.deadline_s};
}

policy::CallerPolicy caller_of(const config::CallerConfig& caller) {
  return {.task_class = caller.task_class,
          .priority = priority_of(caller.priority),
          .local_only = caller.egress == kLocalOnly,
          .models = caller.models.any_of,
          .deadline_s = caller.deadline_s};
}

policy::DeferSettings defer_of(const config::DeferConfig& defer) {
  policy::DeferSettings out{.deadline_s = defer.deadline_s,
                            .hold_s = defer.hold_s,
                            .batch = defer.batch,
                            .batch_min_s = defer.batch_min_s};
  if (const auto night = config::parse_hours(defer.night))
    out.night = policy::Hours{night->from_minute, night->until_minute};
  return out;
}

Result<> check_class(const config::Config& config, const std::string& where,
                     const std::string& name) {
  if (name.empty() || config.classes.contains(name) || policy::is_known_class(name, {})) return {};
  std::vector<std::string_view> known;
  for (const policy::BuiltInClass& own : policy::kBuiltInClasses) known.push_back(own.name);
  for (const auto& [own, unused] : config.classes) known.push_back(own);
  known.insert(known.end(), policy::kClientClasses.begin(), policy::kClientClasses.end());
  const std::string near = nearest_name(name, known);
  return fail(Code::kConfig, where + ": there is no class '" + name.substr(0, 60) + "'" +
                                 (near.empty() ? "; a section [classes.NAME] makes one"
                                               : "; did you mean '" + near + "'?"));
}

// Names of models and personas mean the same in any case.
template <typename Map>
Result<> check_spellings(const std::string& where, const Map& named) {
  std::map<std::string, std::string> seen;
  for (const auto& [name, unused] : named)
    if (const auto [other, fresh] = seen.emplace(lowered(name), name); !fresh)
      return fail(Code::kConfig, where + ": '" + other->second + "' and '" + name +
                                     "' are one name, as case does not matter; keep one of them");
  return {};
}

}  // namespace

policy::Settings policy_settings(const config::Config& config, bool has_claude_key,
                                 const ledger::PriceBook* prices) {
  policy::Settings settings;
  settings.default_priority =
      config.routing.default_priority == "high" ? policy::Priority::kHigh : policy::Priority::kLow;
  settings.local_model = config.models.local;
  settings.claude_model = config.claude.model;
  settings.aliases.insert(config.models.aliases.begin(), config.models.aliases.end());
  settings.has_claude_key = has_claude_key;
  settings.escalate = config.routing.escalate == "never"    ? policy::Escalate::kNever
                      : config.routing.escalate == "failed" ? policy::Escalate::kFailed
                                                            : policy::Escalate::kUnable;
  settings.allow_local_fallback = config.claude.allow_local_fallback;
  settings.tiers = {config.tiers.small, config.tiers.standard, config.tiers.hard};
  for (const config::RuleConfig& rule : config.rules) settings.rules.push_back(rule_of(rule));
  for (const auto& [name, own] : config.classes) settings.classes[name] = class_of(name, own);
  for (const auto& [name, caller] : config.keys) settings.keys[name] = caller_of(caller);
  for (const auto& [name, caller] : config.personas) settings.personas[name] = caller_of(caller);
  settings.defer = defer_of(config.defer);
  settings.shares.holdout = static_cast<double>(config.learning.holdout_percent) / 100;
  if (prices != nullptr)
    for (const ledger::ModelPrice& model : prices->models())
      settings.rates[model.model] = {model.price.input, model.price.output,
                                     model.price.cache_write_5m, model.price.cache_read};
  return settings;
}

Result<> check_routing(const config::Config& config) {
  TOPHAND_CHECK("routing", check_spellings("models.aliases", config.models.aliases));
  TOPHAND_CHECK("routing", check_spellings("personas", config.personas));
  for (const config::RuleConfig& rule : config.rules) {
    for (const std::string& name : rule.when.task_class.any_of)
      TOPHAND_CHECK("routing", check_class(config, rule.where, name));
    TOPHAND_CHECK("routing", check_class(config, rule.where, rule.task_class));
  }
  for (const auto* callers : {&config.keys, &config.personas})
    for (const auto& [name, caller] : *callers)
      TOPHAND_CHECK("routing", check_class(config, caller.where, caller.task_class));
  return {};
}

std::vector<std::string> routing_warnings(const config::Config& config) {
  return policy::unreachable_rules(policy_settings(config, false).rules);
}

}  // namespace tophand::steering

// The keys of rules, classes, keys and personas; docs/routing.md explains them.
#include <array>

#include "config/schema.h"

namespace tophand::config {
namespace {

constexpr std::array<std::string_view, 2> kPriorities{"low", "high"};
constexpr std::array<std::string_view, 2> kEgress{"local-only", "any"};
constexpr std::array<std::string_view, 4> kTiers{"local", "small", "default", "hard"};
constexpr std::int64_t kTokensMax = 100'000'000;
constexpr std::string_view kTierHelp =
    "where it is answered, exactly: local, small, default or hard";

// clang-format off
constexpr WhenKey kWhenKeys[] = {
    {"rules.when", "key", [](WhenConfig& w) -> Place { return &w.key; },
     "name or id of the caller's key"},
    {"rules.when", "agent", [](WhenConfig& w) -> Place { return &w.agent; },
     "what the caller calls itself (header X-Tophand-Agent, metadata.agent)"},
    {"rules.when", "persona", [](WhenConfig& w) -> Place { return &w.persona; },
     "the profile or alias that was asked for"},
    {"rules.when", "class", [](WhenConfig& w) -> Place { return &w.task_class; }, "task class"},
    {"rules.when", "model", [](WhenConfig& w) -> Place { return &w.model; },
     "the model that was asked for"},
    {"rules.when", "priority", [](WhenConfig& w) -> Place { return &w.priority; },
     "low or high", {}, kPriorities},
    {"rules.when", "tools", [](WhenConfig& w) -> Place { return &w.tools; },
     "whether the request brings tools"},
    {"rules.when", "images", [](WhenConfig& w) -> Place { return &w.images; },
     "whether it has images"},
    {"rules.when", "context_tokens_min", [](WhenConfig& w) -> Place { return &w.context_tokens_min; },
     "its prompt has at least so many tokens, as estimated", {0, kTokensMax}},
    {"rules.when", "context_tokens_max", [](WhenConfig& w) -> Place { return &w.context_tokens_max; },
     "at most so many", {0, kTokensMax}},
    {"rules.when", "hours", [](WhenConfig& w) -> Place { return &w.hours; },
     "such as 22:00-06:00, in budget.time_zone, else this machine's time"},
    {"rules.when", "days", [](WhenConfig& w) -> Place { return &w.days; },
     "mon to sun, weekdays, weekend"},
    {"rules.when", "budget_used_min", [](WhenConfig& w) -> Place { return &w.budget_used_min; },
     "at least this share of the budget is used: 0.8"},
    {"rules.when", "budget_used_max", [](WhenConfig& w) -> Place { return &w.budget_used_max; },
     "at most this share"},
};

constexpr RuleKey kRuleKeys[] = {
    {"rules", "name", [](RuleConfig& r) -> Place { return &r.name; }, "shown in reasons"},
    {"rules", "priority", [](RuleConfig& r) -> Place { return &r.priority; },
     "makes it low or high", {}, kPriorities},
    {"rules", "class", [](RuleConfig& r) -> Place { return &r.task_class; }, "gives it this class"},
    {"rules", "tier", [](RuleConfig& r) -> Place { return &r.tier.exactly; }, kTierHelp, {}, kTiers},
    {"rules", "tier_at_most", [](RuleConfig& r) -> Place { return &r.tier.at_most; },
     "no dearer tier than this", {}, kTiers},
    {"rules", "tier_at_least", [](RuleConfig& r) -> Place { return &r.tier.at_least; },
     "no cheaper tier than this", {}, kTiers},
    {"rules", "model", [](RuleConfig& r) -> Place { return &r.model; },
     "answered by this model: one of Claude's, a local one, or an alias"},
    {"rules", "egress", [](RuleConfig& r) -> Place { return &r.egress; },
     "local-only: nothing of it leaves the house", {}, kEgress},
    {"rules", "defer", [](RuleConfig& r) -> Place { return &r.defer; },
     "it may wait for a better time"},
    {"rules", "deadline_s", [](RuleConfig& r) -> Place { return &r.deadline_s; },
     "so long, in seconds; 0: as [defer] deadline_s says", {0, 604'800}},
};

constexpr ClassKey kClassKeys[] = {
    {"classes", "weight", [](ClassConfig& c) -> Place { return &c.weight; },
     "what an answer is worth against an ordinary one"},
    {"classes", "priority", [](ClassConfig& c) -> Place { return &c.priority; },
     "of requests that declare none", {}, kPriorities},
    {"classes", "tier", [](ClassConfig& c) -> Place { return &c.tier.exactly; }, kTierHelp, {}, kTiers},
    {"classes", "tier_at_most", [](ClassConfig& c) -> Place { return &c.tier.at_most; },
     "no dearer tier than this", {}, kTiers},
    {"classes", "tier_at_least", [](ClassConfig& c) -> Place { return &c.tier.at_least; },
     "no cheaper tier than this", {}, kTiers},
    {"classes", "egress", [](ClassConfig& c) -> Place { return &c.egress; },
     "local-only: nothing of it leaves the house", {}, kEgress},
    {"classes", "defer", [](ClassConfig& c) -> Place { return &c.defer; },
     "it may wait for a better time"},
    {"classes", "deadline_s", [](ClassConfig& c) -> Place { return &c.deadline_s; },
     "so long, in seconds; 0: as [defer] deadline_s says", {0, 604'800}},
};

constexpr CallerKey kCallerKeys[] = {
    {"keys", "class", [](CallerConfig& k) -> Place { return &k.task_class; },
     "of requests that declare none"},
    {"keys", "priority", [](CallerConfig& k) -> Place { return &k.priority; },
     "of requests that declare none", {}, kPriorities},
    {"keys", "egress", [](CallerConfig& k) -> Place { return &k.egress; },
     "local-only: nothing of its requests leaves the house", {}, kEgress},
    {"keys", "models", [](CallerConfig& k) -> Place { return &k.models; },
     "only these may answer; empty: any"},
    {"keys", "deadline_s", [](CallerConfig& k) -> Place { return &k.deadline_s; },
     "its low-priority requests may wait so long, in seconds; 0: they do not", {0, 604'800}},
};
// clang-format on

}  // namespace

std::span<const RuleKey> rule_keys() {
  return kRuleKeys;
}

std::span<const WhenKey> when_keys() {
  return kWhenKeys;
}

std::span<const ClassKey> class_keys() {
  return kClassKeys;
}

std::span<const CallerKey> caller_keys() {
  return kCallerKeys;
}

}  // namespace tophand::config

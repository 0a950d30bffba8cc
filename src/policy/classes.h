// What kinds of work there are, and what the operator says of each. Pure data.
#pragma once

#include <array>
#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <string_view>

#include "policy/tiers.h"
#include "policy/words.h"

namespace tophand::policy {

// Where an answer may come from: one tier, or bounds.
struct TierBounds {
  std::optional<Tier> exactly = {}, at_most = {}, at_least = {};
  bool any() const { return exactly || at_most || at_least; }
};

struct ClassPolicy {
  double weight = 1;  // what an answer is worth against an ordinary one
  std::optional<Priority> priority = {};
  TierBounds tier = {};
  bool local_only = false;
  bool defer = false;           // may wait for a better time
  std::int64_t deadline_s = 0;  // how long; 0: as Settings::defer says
};

// First guesses, before anything has been learned, at how often an answer will do: a small local
// model's, the small Claude tier's, the hard one's.
struct BuiltInClass {
  std::string_view name;
  double weight;  // routine 1, more than that 2, what somebody waits for 5
  double p_local, p_small, p_hard;
};
// Weights and guesses follow the three kinds of work (routine, middling, hard) of the simulation
// behind the budget rule (docs/budget.md): .80, .45, .15 for local models, .95, .90, .80 for
// Claude.
inline constexpr std::array kBuiltInClasses{
    BuiltInClass{"git_commit", 1, .80, .93, .95},   BuiltInClass{"git_merge", 2, .45, .80, .90},
    BuiltInClass{"file_edit", 1, .60, .88, .95},    BuiltInClass{"doc_update", 1, .80, .93, .95},
    BuiltInClass{"coordination", 1, .80, .93, .95}, BuiltInClass{"qa", 1, .60, .90, .95},
    BuiltInClass{"review", 2, .45, .80, .90},       BuiltInClass{"tool_loop", 2, .30, .70, .90},
    BuiltInClass{"reasoning", 5, .15, .55, .80},    BuiltInClass{"customer", 5, .30, .65, .85},
};
inline constexpr BuiltInClass kOtherClass{"", 1, .45, .80, .90};
const BuiltInClass* built_in_class(std::string_view name);  // nullptr: there is none

// Names that clients give by themselves and that a rule may speak of: Claude Code's request classes
// and purposes, the OpenClaw plugin's, the commands'.
inline constexpr std::array<std::string_view, 18> kClientClasses{
    "main",
    "subagent",
    "workflow",
    "compaction",
    "auxiliary",
    "side_reply",
    "blocking-subagent",
    "background-task",
    "summary-extraction",
    "followup-generation",
    "user",
    "cron",
    "heartbeat",
    "utility",
    "git",
    "edit",
    "chat",
    "embedding",
};

using ClassPolicies = std::map<std::string, ClassPolicy, std::less<>>;
// Every name that a rule may use.
bool is_known_class(std::string_view name, const ClassPolicies& own);
// The operator's word on it, else the built-in weight, else an ordinary one.
ClassPolicy class_policy(std::string_view name, const ClassPolicies& own);

}  // namespace tophand::policy

// The operator's ordered rules, [[rules]] of the configuration: the first whose conditions all hold
// applies. Pure.
#pragma once

#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "policy/classes.h"
#include "policy/tiers.h"
#include "policy/words.h"

namespace tophand::policy {

// What is empty or absent holds for every request.
struct Conditions {
  std::vector<std::string> keys = {}, agents = {}, personas = {},
                           models = {};   // patterns (matches_glob)
  std::vector<std::string> classes = {};  // names
  std::optional<Priority> priority = {};
  std::optional<bool> tools = {}, images = {};
  std::int64_t context_min = 0, context_max = INT64_MAX;  // estimated tokens of the prompt
  // Minutes of the day, from <= t < until; from > until goes over midnight. Equal: always.
  int from_minute = 0, until_minute = 0;
  std::uint8_t days = 0x7f;                 // bit 0: Monday
  double budget_min = 0, budget_max = 1e9;  // share used of the window that presses most
};

struct Actions {
  std::optional<Priority> priority = {};
  std::string task_class = {}, model = {};  // "": as it was
  TierBounds tier = {};
  bool local_only = false;
  bool defer = false;
  std::int64_t deadline_s = 0;  // how long it may wait; 0: as Settings::defer says
};

struct Rule {
  std::string name;  // shown in reasons
  Conditions when = {};
  Actions then = {};
};

// What a rule may look at, as it stands before the rules are asked.
struct RuleFacts {
  std::string_view key_id = {}, key_name = {}, agent = {}, agent_said = {}, persona = {},
                   task_class = {}, model = {};
  Priority priority = Priority::kLow;
  bool has_tools = false, has_images = false;
  std::int64_t context_tokens = 0;
  LocalTime time = {};
  double budget_used = 0;  // 0 where there is no budget
};

// nullptr: none matches.
const Rule* first_match(std::span<const Rule> rules, const RuleFacts& facts);
// Why a rule does not match, by its first condition that does not hold; "" when it matches.
std::string why_not(const Rule& rule, const RuleFacts& facts);
// For each rule that can never apply, because an earlier one takes all it could match: "rule 'b':
// never reached, 'a' before it takes all of its requests". Finds the plain cases (each condition of
// the earlier one absent, equal, or wider), not those of several rules together.
std::vector<std::string> unreachable_rules(std::span<const Rule> rules);

}  // namespace tophand::policy

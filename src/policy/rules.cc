#include "policy/rules.h"

#include <algorithm>
#include <array>
#include <cstdio>

#include "base/ascii.h"

namespace tophand::policy {
namespace {

bool any_matches(const std::vector<std::string>& patterns, std::string_view text) {
  return patterns.empty() || std::ranges::any_of(patterns, [&](const std::string& pattern) {
           return matches_glob(pattern, text);
         });
}

bool has(const std::vector<std::string>& names, std::string_view name) {
  return names.empty() || std::ranges::find(names, name) != names.end();
}

bool in_hours(const Conditions& when, int minute) {
  return is_within({when.from_minute, when.until_minute}, minute);
}

std::string yes_no(bool value) {
  return value ? "yes" : "no";
}

std::string clock_text(int minute) {
  std::array<char, 16> text;
  std::snprintf(text.data(), text.size(), "%02d:%02d", minute / 60, minute % 60);
  return text.data();
}

std::string unlike(std::string_view what, std::string_view found,
                   const std::vector<std::string>& wanted) {
  return std::string(what) + " is " +
         (found.empty() ? "not given" : "'" + std::string(found) + "'") + ", not " +
         joined(wanted, " or ");
}

// Each condition: whether it holds, and what to say when it does not.
struct Condition {
  bool (*holds)(const Conditions&, const RuleFacts&);
  std::string (*says)(const Conditions&, const RuleFacts&);
};
using C = const Conditions&;
using F = const RuleFacts&;
constexpr std::array kConditions{
    Condition{
        [](C c, F f) {
          return c.keys.empty() || any_matches(c.keys, f.key_id) || any_matches(c.keys, f.key_name);
        },
        [](C c, F f) { return unlike("key", f.key_name.empty() ? f.key_id : f.key_name, c.keys); }},
    Condition{[](C c, F f) {
                return any_matches(c.agents, f.agent) ||
                       (!f.agent_said.empty() && any_matches(c.agents, f.agent_said));
              },
              [](C c, F f) {
                return unlike("agent", f.agent_said.empty() ? f.agent : f.agent_said, c.agents);
              }},
    Condition{
        [](C c, F f) { return c.personas.empty() || any_matches(c.personas, lowered(f.persona)); },
        [](C c, F f) { return unlike("persona", f.persona, c.personas); }},
    Condition{[](C c, F f) { return has(c.classes, f.task_class); },
              [](C c, F f) { return unlike("class", f.task_class, c.classes); }},
    Condition{[](C c, F f) { return any_matches(c.models, f.model); },
              [](C c, F f) { return unlike("model", f.model, c.models); }},
    Condition{[](C c, F f) { return !c.priority || *c.priority == f.priority; },
              [](C, F f) { return "priority is " + std::string(priority_name(f.priority)); }},
    Condition{[](C c, F f) { return !c.tools || *c.tools == f.has_tools; },
              [](C, F f) { return "tools: " + yes_no(f.has_tools); }},
    Condition{[](C c, F f) { return !c.images || *c.images == f.has_images; },
              [](C, F f) { return "images: " + yes_no(f.has_images); }},
    Condition{[](C c, F f) {
                return f.context_tokens >= c.context_min && f.context_tokens <= c.context_max;
              },
              [](C, F f) {
                return "the prompt has about " + std::to_string(f.context_tokens) + " tokens";
              }},
    Condition{[](C c, F f) { return in_hours(c, f.time.minute); },
              [](C, F f) { return "it is " + clock_text(f.time.minute); }},
    Condition{[](C c, F f) { return (c.days >> f.time.weekday & 1) != 0; },
              [](C, F) { return std::string("not on this day"); }},
    Condition{
        [](C c, F f) { return f.budget_used >= c.budget_min && f.budget_used <= c.budget_max; },
        [](C, F f) {
          return "of the budget " + std::to_string(static_cast<int>(f.budget_used * 100)) +
                 "% is used";
        }},
};

// --- which requests a rule takes from those after it ---------------------------------------------

// All that `narrow` matches, `wide` matches too.
bool covers(const std::vector<std::string>& wide, const std::vector<std::string>& narrow) {
  if (wide.empty()) return true;
  return !narrow.empty() && std::ranges::all_of(narrow, [&](const std::string& pattern) {
    // A '?' would also match the '*' of a pattern, which stands for more.
    return std::ranges::any_of(wide, [&](const std::string& other) {
      return other == pattern ||
             (other.find('?') == std::string::npos && matches_glob(other, pattern));
    });
  });
}

template <class T>
bool covers(const std::optional<T>& wide, const std::optional<T>& narrow) {
  return !wide || wide == narrow;
}

bool covers_hours(const Conditions& wide, const Conditions& narrow) {
  constexpr int kDay = 24 * 60;
  for (int minute = 0; minute < kDay; ++minute)
    if (in_hours(narrow, minute) && !in_hours(wide, minute)) return false;
  return true;
}

bool covers(const Conditions& wide, const Conditions& narrow) {
  return covers(wide.keys, narrow.keys) && covers(wide.agents, narrow.agents) &&
         covers(wide.personas, narrow.personas) && covers(wide.models, narrow.models) &&
         covers(wide.classes, narrow.classes) && covers(wide.priority, narrow.priority) &&
         covers(wide.tools, narrow.tools) && covers(wide.images, narrow.images) &&
         wide.context_min <= narrow.context_min && wide.context_max >= narrow.context_max &&
         (narrow.days & ~wide.days) == 0 && wide.budget_min <= narrow.budget_min &&
         wide.budget_max >= narrow.budget_max && covers_hours(wide, narrow);
}

bool matches(const Rule& rule, const RuleFacts& facts) {
  return std::ranges::all_of(
      kConditions, [&](const Condition& condition) { return condition.holds(rule.when, facts); });
}

}  // namespace

const Rule* first_match(std::span<const Rule> rules, const RuleFacts& facts) {
  for (const Rule& rule : rules)
    if (matches(rule, facts)) return &rule;
  return nullptr;
}

std::string why_not(const Rule& rule, const RuleFacts& facts) {
  for (const Condition& condition : kConditions)
    if (!condition.holds(rule.when, facts)) return condition.says(rule.when, facts);
  return "";
}

std::vector<std::string> unreachable_rules(std::span<const Rule> rules) {
  std::vector<std::string> out;
  for (std::size_t later = 1; later < rules.size(); ++later)
    for (std::size_t earlier = 0; earlier < later; ++earlier)
      if (covers(rules[earlier].when, rules[later].when)) {
        out.push_back("rule '" + rules[later].name + "': never reached, '" + rules[earlier].name +
                      "' before it takes all of its requests");
        break;
      }
  return out;
}

}  // namespace tophand::policy

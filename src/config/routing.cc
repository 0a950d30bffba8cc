// Rules, classes, keys and personas of the file: read and checked as far as this room can.
#include <algorithm>
#include <array>
#include <charconv>

#include "config/take.h"

namespace tophand::config {
namespace {

constexpr std::size_t kRulesMax = 500, kNamesMax = 500, kNameBytesMax = 60;

bool is_shown_well(std::string_view text) {
  return !text.empty() && text.size() <= kNameBytesMax &&
         std::ranges::all_of(text, [](char c) { return c >= ' ' && c < 0x7f && c != ';'; });
}

bool is_class_name(std::string_view text) {
  return !text.empty() && text.size() <= 40 && std::ranges::all_of(text, [](char c) {
    return (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') || c == '-' || c == '_' || c == '.';
  });
}

tl::unexpected<Error> wrong(const std::string& where, const std::string& what) {
  return fail(Code::kConfig, where + ": " + what);
}

int height(const std::string& tier) {
  constexpr std::array<std::string_view, 4> kTiers{"local", "small", "default", "hard"};
  return static_cast<int>(std::ranges::find(kTiers, tier) - kTiers.begin());
}

std::string problem_of(const TierBoundsConfig& tier) {
  const bool bounded = !tier.at_most.empty() || !tier.at_least.empty();
  if (!tier.exactly.empty() && bounded)
    return "`tier` says it exactly: leave out tier_at_most and tier_at_least";
  if (!tier.at_most.empty() && !tier.at_least.empty() &&
      height(tier.at_least) > height(tier.at_most))
    return "tier_at_least is above tier_at_most";
  return "";
}

std::string problem_of(const WhenConfig& when) {
  if (!when.hours.empty() && !parse_hours(when.hours))
    return "rules.when.hours: expected hours such as 22:00-06:00, found '" + when.hours + "'";
  for (const std::string& day : when.days.any_of)
    if (parse_day(day) == 0)
      return "rules.when.days: expected mon to sun, weekdays or weekend, found '" + day + "'";
  if (when.context_tokens_min > when.context_tokens_max)
    return "rules.when.context_tokens_min is above context_tokens_max";
  // More than all of it can be used; ten times that is meant as percent.
  for (const std::optional<double>& share : {when.budget_used_min, when.budget_used_max})
    if (share.value_or(0) > 10)
      return "rules.when.budget_used_min and budget_used_max are shares: 0.8 for 80 %";
  if (when.budget_used_min.value_or(0) > when.budget_used_max.value_or(1e9))
    return "rules.when.budget_used_min is above budget_used_max";
  return "";
}

std::string problem_of(const RuleConfig& rule, const std::vector<RuleConfig>& before) {
  if (!is_shown_well(rule.name))
    return "rules.name: expected at most 60 letters, digits and signs, without ';'";
  if (std::ranges::find(before, rule.name, &RuleConfig::name) != before.end())
    return "rules.name: there is a rule '" + rule.name + "' already";
  if (!rule.model.empty() && !(rule.tier.exactly + rule.tier.at_most + rule.tier.at_least).empty())
    return "`model` says it exactly: leave out the tier";
  const std::string tier = problem_of(rule.tier);
  return tier.empty() ? problem_of(rule.when) : tier;
}

Result<RuleConfig> read_rule(const toml::table& table, std::string_view origin) {
  RuleConfig rule;
  for (const auto& [key, value] : table) {
    if (key.str() != "when") {
      TOPHAND_CHECK("configuration", take(rule, rule_keys(), origin, "rules", key.str(), value));
      continue;
    }
    const toml::table* when = value.as_table();
    if (when == nullptr)
      return fail(Code::kConfig, at_line(origin, value) +
                                     "rules.when: expected conditions, as when.class = \"qa\"");
    for (const auto& [name, condition] : *when)
      TOPHAND_CHECK("configuration",
                    take(rule.when, when_keys(), origin, "rules.when", name.str(), condition));
  }
  return rule;
}

// "[classes.qa]" and the like: each entry of a table of tables.
template <class Each>
Result<> for_each_named(std::string_view section, const toml::node& node, std::string_view origin,
                        const Each& each) {
  const toml::table* table = node.as_table();
  const std::string expected =
      "expected sections [" + std::string(section) + ".NAME], one for each";
  if (table == nullptr || table->size() > kNamesMax)
    return fail(Code::kConfig, at_line(origin, node) + expected);
  for (const auto& [name, item] : *table) {
    const toml::table* entry = item.as_table();
    if (entry == nullptr) return fail(Code::kConfig, at_line(origin, item) + expected);
    TOPHAND_CHECK("configuration", each(std::string(name.str()), *entry));
  }
  return {};
}

std::string place_of(std::string_view origin, const toml::node& node) {
  std::string where = at_line(origin, node);
  where.resize(where.size() - 2);  // without ": "
  return where;
}

}  // namespace

std::optional<Hours> parse_hours(std::string_view text) {
  const auto number = [&](std::size_t at) -> int {
    int value = 0;
    const auto [end, error] = std::from_chars(text.data() + at, text.data() + at + 2, value);
    return error == std::errc() && end == text.data() + at + 2 && value >= 0 ? value : -1;
  };
  if (text.size() != 11 || text[2] != ':' || text[5] != '-' || text[8] != ':') return std::nullopt;
  const std::array<int, 4> numbers{number(0), number(3), number(6), number(9)};
  for (std::size_t i = 0; i < numbers.size(); i += 2)
    if (numbers[i] < 0 || numbers[i] > 24 || numbers[i + 1] < 0 || numbers[i + 1] > 59 ||
        (numbers[i] == 24 && numbers[i + 1] > 0))
      return std::nullopt;
  constexpr int kDay = 24 * 60;
  return Hours{(numbers[0] * 60 + numbers[1]) % kDay, (numbers[2] * 60 + numbers[3]) % kDay};
}

std::uint8_t parse_day(std::string_view text) {
  constexpr std::array<std::string_view, 7> kDays{"mon", "tue", "wed", "thu", "fri", "sat", "sun"};
  if (text == "weekdays") return 0x1f;
  if (text == "weekend") return 0x60;
  for (std::size_t day = 0; day < kDays.size(); ++day)
    if (text == kDays[day]) return static_cast<std::uint8_t>(1U << day);
  return 0;
}

Result<> read_rules(Config& config, const toml::node& node, std::string_view origin) {
  const toml::array* list = node.as_array();
  if (list == nullptr || (!list->empty() && !list->is_homogeneous<toml::table>()))
    return fail(Code::kConfig, at_line(origin, node) + "expected sections [[rules]], one for each");
  if (list->size() > kRulesMax)
    return fail(Code::kConfig, at_line(origin, node) + "more than 500 rules");
  for (const toml::node& item : *list) {
    auto rule = read_rule(*item.as_table(), origin);
    if (!rule) return tl::unexpected(std::move(rule).error());
    rule->where = place_of(origin, item);
    if (rule->name.empty()) rule->name = "rule " + std::to_string(config.rules.size() + 1);
    const std::string problem = problem_of(*rule, config.rules);
    if (!problem.empty()) return wrong(rule->where, problem);
    config.rules.push_back(*std::move(rule));
  }
  return {};
}

Result<> read_classes(Config& config, const toml::node& node, std::string_view origin) {
  return for_each_named(
      "classes", node, origin, [&](const std::string& name, const toml::table& entry) -> Result<> {
        ClassConfig own;
        for (const auto& [key, value] : entry)
          TOPHAND_CHECK("configuration",
                        take(own, class_keys(), origin, "classes", key.str(), value));
        const std::string where = place_of(origin, entry);
        if (!is_class_name(name))
          return wrong(where,
                       "a class's name has lower case letters, digits, -, _ and . (at most "
                       "40), found '" +
                           name.substr(0, kNameBytesMax) + "'");
        if (const auto problem = problem_of(own.tier); !problem.empty())
          return wrong(where, problem);
        config.classes.insert_or_assign(name, std::move(own));
        return {};
      });
}

Result<> read_callers(std::map<std::string, CallerConfig>& callers, std::string_view section,
                      const toml::node& node, std::string_view origin) {
  return for_each_named(
      section, node, origin, [&](const std::string& name, const toml::table& entry) -> Result<> {
        CallerConfig caller;
        caller.where = place_of(origin, entry);
        for (const auto& [key, value] : entry)
          TOPHAND_CHECK("configuration",
                        take(caller, caller_keys(), origin, "keys", key.str(), value));
        callers.insert_or_assign(name, std::move(caller));
        return {};
      });
}

}  // namespace tophand::config

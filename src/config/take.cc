#include "config/take.h"

#include <algorithm>
#include <cmath>

#include "base/nearest.h"

namespace tophand::config {

std::string at_line(std::string_view origin, const toml::node& node) {
  return std::string(origin) + " line " + std::to_string(node.source().begin.line) + ": ";
}

std::string full_name(std::string_view table, std::string_view name) {
  return table.empty() ? std::string(name) : std::string(table) + "." + std::string(name);
}

std::string known_near(std::string_view typed) {
  std::vector<std::string> names;
  for (const Key& key : keys()) names.push_back(full_name(key.table, key.name));
  const auto add = [&](const auto& more) {
    for (const auto& key : more) names.push_back(full_name(key.table, key.name));
  };
  add(backend_keys());
  add(cap_keys());
  add(rule_keys());
  add(when_keys());
  add(class_keys());
  add(caller_keys());
  add(claude_key_keys());
  const std::vector<std::string_view> views(names.begin(), names.end());
  const std::string near = nearest_name(typed, views);
  return near.empty() ? "; `tophand config init` writes a file with every key"
                      : "; did you mean `" + near + "`?";
}

std::string Taker::operator()(std::string* to) const {
  const auto text = node.value_exact<std::string>();
  if (!text) return "expected a text in quotes";
  if (!words.empty() && std::ranges::find(words, *text) == words.end()) {
    std::string list;
    for (const std::string_view word : words) (list += list.empty() ? "" : " or ") += word;
    return "expected " + list + ", found '" + *text + "'";
  }
  *to = *text;
  return "";
}

std::string Taker::operator()(std::int64_t* to) const {
  const auto number = node.value_exact<std::int64_t>();
  if (!number) return "expected a whole number";
  if (*number < range.min || *number > range.max)
    return "expected " + std::to_string(range.min) + " to " + std::to_string(range.max) +
           ", found " + std::to_string(*number);
  *to = *number;
  return "";
}

std::string Taker::operator()(bool* to) const {
  const auto flag = node.value_exact<bool>();
  if (!flag) return "expected true or false";
  *to = *flag;
  return "";
}

std::string Taker::operator()(double* to) const {
  const auto number = node.value<double>();
  // A billion dollars: far inside int64 nano-dollars.
  if (!number || !std::isfinite(*number) || *number < 0 || *number > 1e9)
    return "expected a number, 0 or more";
  *to = *number;
  return "";
}

std::string Taker::operator()(std::optional<double>* to) const {
  double number = 0;
  std::string wrong = (*this)(&number);
  if (wrong.empty()) *to = number;
  return wrong;
}

std::string Taker::operator()(std::vector<std::string>* to) const {
  const toml::array* list = node.as_array();
  if (list == nullptr) return "expected a list of texts";
  to->clear();
  for (const toml::node& item : *list) {
    const auto text = item.value_exact<std::string>();
    if (!text) return "expected a list of texts";
    to->push_back(*text);
  }
  return "";
}

std::string Taker::operator()(std::map<std::string, std::string>* to) const {
  const toml::table* table = node.as_table();
  if (table == nullptr) return "expected a table of names and models";
  for (const auto& [name, item] : *table) {
    const auto text = item.value_exact<std::string>();
    if (!text) return "expected a text for " + std::string(name.str());
    to->insert_or_assign(std::string(name.str()), *text);
  }
  return "";
}

std::string Taker::operator()(std::map<std::string, std::int64_t>* to) const {
  const toml::table* table = node.as_table();
  if (table == nullptr) return "expected a table of names and whole numbers";
  for (const auto& [name, item] : *table) {
    const std::string key(name.str());
    const std::string problem = Taker{range, words, item}(&(*to)[key]);
    if (!problem.empty()) return problem + " for " + key;
  }
  return "";
}

std::string Taker::operator()(std::optional<bool>* to) const {
  bool flag = false;
  std::string problem = (*this)(&flag);
  if (problem.empty()) *to = flag;
  return problem;
}

std::string Taker::operator()(Patterns* to) const {
  if (const auto text = node.value_exact<std::string>()) {
    to->any_of = {*text};
    return "";
  }
  std::string problem = (*this)(&to->any_of);
  return problem.empty() ? "" : "expected a text or a list of texts";
}

}  // namespace tophand::config

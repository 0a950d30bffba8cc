// toml++ is heavy and throws: it is included here only, and what it throws is caught here.
#include <toml++/toml.h>

#include <algorithm>
#include <cmath>

#include "base/nearest.h"
#include "config/checks.h"
#include "config/config.h"
#include "config/schema.h"

namespace tophand::config {
namespace {

template <class... Ts>
struct Overloaded : Ts... {
  using Ts::operator()...;
};

std::string at_line(std::string_view origin, const toml::node& node) {
  return std::string(origin) + " line " + std::to_string(node.source().begin.line) + ": ";
}

std::string full_name(std::string_view table, std::string_view name) {
  return table.empty() ? std::string(name) : std::string(table) + "." + std::string(name);
}

template <class Owner>
const KeyOf<Owner>* find_key(std::span<const KeyOf<Owner>> known, std::string_view table,
                             std::string_view name) {
  for (const KeyOf<Owner>& key : known)
    if (key.table == table && key.name == name) return &key;
  return nullptr;
}

std::string known_near(std::string_view typed) {
  std::vector<std::string> names;
  for (const Key& key : keys()) names.push_back(full_name(key.table, key.name));
  for (const BackendKey& key : backend_keys()) names.push_back(full_name(key.table, key.name));
  for (const CapKey& key : cap_keys()) names.push_back(full_name(key.table, key.name));
  const std::vector<std::string_view> views(names.begin(), names.end());
  const std::string near = nearest_name(typed, views);
  return near.empty() ? "; `tophand config init` writes a file with every key"
                      : "; did you mean `" + near + "`?";
}

// Takes a value into its place, or says what was expected.
struct Taker {
  Range range;
  std::span<const std::string_view> words;
  const toml::node& node;

  std::string operator()(std::string* to) const {
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
  std::string operator()(std::int64_t* to) const {
    const auto number = node.value_exact<std::int64_t>();
    if (!number) return "expected a whole number";
    if (*number < range.min || *number > range.max)
      return "expected " + std::to_string(range.min) + " to " + std::to_string(range.max) +
             ", found " + std::to_string(*number);
    *to = *number;
    return "";
  }
  std::string operator()(bool* to) const {
    const auto flag = node.value_exact<bool>();
    if (!flag) return "expected true or false";
    *to = *flag;
    return "";
  }
  std::string operator()(std::optional<double>* to) const {
    const auto number = node.value<double>();
    // A billion dollars: far inside int64 nano-dollars.
    if (!number || !std::isfinite(*number) || *number < 0 || *number > 1e9)
      return "expected a number of dollars, 0 or more";
    *to = number;
    return "";
  }
  std::string operator()(std::vector<std::string>* to) const {
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
  std::string operator()(std::map<std::string, std::string>* to) const {
    const toml::table* table = node.as_table();
    if (table == nullptr) return "expected a table of names and models";
    for (const auto& [name, item] : *table) {
      const auto text = item.value_exact<std::string>();
      if (!text) return "expected a text for " + std::string(name.str());
      to->insert_or_assign(std::string(name.str()), *text);
    }
    return "";
  }
};

template <class Owner>
Result<> take(Owner& owner, std::span<const KeyOf<Owner>> known, std::string_view origin,
              std::string_view table, std::string_view name, const toml::node& node) {
  const KeyOf<Owner>* key = find_key(known, table, name);
  const std::string full = full_name(table, name);
  if (key == nullptr)
    return fail(Code::kConfig,
                at_line(origin, node) + "unknown key `" + full + "`" + known_near(full));
  const std::string problem = std::visit(Taker{key->range, key->words, node}, key->place(owner));
  if (problem.empty()) return {};
  return fail(Code::kConfig, at_line(origin, node) + full + ": " + problem);
}

bool is_section(std::string_view name) {
  return std::ranges::any_of(keys(),
                             [&](const Key& key) { return !name.empty() && key.table == name; });
}

// The entries of a list of sections such as [[backends]], each checked beside those before it.
template <class Owner>
Result<> read_entries(std::vector<Owner>& entries, std::span<const KeyOf<Owner>> known,
                      Result<> (*check)(const Owner&, const std::vector<Owner>&),
                      const toml::node& node, std::string_view origin) {
  const std::string_view table = known.front().table;
  const toml::array* list = node.as_array();
  if (list == nullptr || !list->is_homogeneous<toml::table>())
    return fail(Code::kConfig, at_line(origin, node) + "expected sections [[" + std::string(table) +
                                   "]], one for each");
  for (const toml::node& item : *list) {
    Owner entry;
    for (const auto& [key, value] : *item.as_table())
      TOPHAND_CHECK("configuration", take(entry, known, origin, table, key.str(), value));
    const auto checked = check(entry, entries);
    if (!checked) return fail(Code::kConfig, at_line(origin, item) + checked.error().message);
    entries.push_back(std::move(entry));
  }
  return {};
}

Result<Config> read(const toml::table& root, std::string_view origin) {
  Config config;
  for (const auto& [name, node] : root) {
    const std::string_view section = name.str();
    if (section == "backends") {
      TOPHAND_CHECK("configuration",
                    read_entries(config.backends, backend_keys(), check_backend, node, origin));
      continue;
    }
    if (!is_section(section)) {
      TOPHAND_CHECK("configuration", take(config, keys(), origin, "", section, node));
      continue;
    }
    const toml::table* table = node.as_table();
    if (table == nullptr)
      return fail(Code::kConfig,
                  at_line(origin, node) + "expected a section [" + std::string(section) + "]");
    for (const auto& [key, value] : *table) {
      if (section == "budget" && key.str() == "caps")
        TOPHAND_CHECK("configuration",
                      read_entries(config.budget.caps, cap_keys(), check_cap, value, origin));
      else TOPHAND_CHECK("configuration", take(config, keys(), origin, section, key.str(), value));
    }
  }
  return config;
}

}  // namespace

Result<Config> parse_config(std::string_view text, std::string_view origin) {
  constexpr std::size_t kBytesMax = 1u << 20;
  if (text.size() > kBytesMax)
    return fail(Code::kConfig, std::string(origin) + " is larger than 1 MiB");
  try {
    return read(toml::parse(text), origin);
  } catch (const toml::parse_error& caught) {
    return fail(Code::kConfig, std::string(origin) + " line " +
                                   std::to_string(caught.source().begin.line) + ": " +
                                   std::string(caught.description()));
  } catch (const std::exception& caught) {
    return fail(Code::kConfig, std::string(origin) + ": " + caught.what());
  }
}

}  // namespace tophand::config

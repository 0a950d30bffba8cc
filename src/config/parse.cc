// What toml++ throws is caught here.
#include <algorithm>

#include "config/checks.h"
#include "config/nesting.h"
#include "config/take.h"

namespace tophand::config {
namespace {

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

Result<> read_routing(Config& config, std::string_view section, const toml::node& node,
                      std::string_view origin) {
  if (section == "rules") return read_rules(config, node, origin);
  if (section == "classes") return read_classes(config, node, origin);
  return read_callers(section == "keys" ? config.keys : config.personas, section, node, origin);
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
    if (section == "rules" || section == "classes" || section == "keys" || section == "personas") {
      TOPHAND_CHECK("configuration", read_routing(config, section, node, origin));
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
      Result<> taken;
      if (section == "budget" && key.str() == "caps")
        taken = read_entries(config.budget.caps, cap_keys(), check_cap, value, origin);
      else if (section == "claude" && key.str() == "keys")
        taken = read_entries(config.claude.limited_keys, claude_key_keys(), check_claude_key, value,
                             origin);
      else taken = take(config, keys(), origin, section, key.str(), value);
      TOPHAND_CHECK("configuration", std::move(taken));
    }
  }
  return config;
}

}  // namespace

std::string line_of_setting(std::string_view text, std::string_view setting) {
  const std::size_t dot = setting.find('.');
  if (!check_nesting(text, "")) return "";
  try {
    const toml::table root = toml::parse(text);
    const toml::node* node = root.get(setting.substr(0, dot));
    if (node != nullptr && dot != std::string_view::npos)
      node = node->is_table() ? node->as_table()->get(setting.substr(dot + 1)) : nullptr;
    return node == nullptr ? "" : " line " + std::to_string(node->source().begin.line);
  } catch (const std::exception&) {
    return "";
  }
}

Result<Config> parse_config(std::string_view text, std::string_view origin) {
  constexpr std::size_t kBytesMax = 1u << 20;
  if (text.size() > kBytesMax)
    return fail(Code::kConfig, std::string(origin) + " is larger than 1 MiB");
  if (auto shallow = check_nesting(text, origin); !shallow)
    return tl::unexpected(std::move(shallow).error());
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

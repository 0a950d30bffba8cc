#include "cli/config_checks.h"

#include <algorithm>

#include "kernels/cpu.h"
#include "ledger/prices.h"
#include "server/keys.h"

namespace tophand::cli {
namespace {

using Aliases = std::map<std::string, std::string>;

// "a -> b -> a" where going on from `name` leads back to it, else "".
std::string circle_from(const std::string& name, const Aliases& aliases) {
  std::string way = name;
  std::string at = name;
  for (std::size_t step = 0; step < aliases.size(); ++step) {
    const auto next = aliases.find(at);
    if (next == aliases.end()) return "";
    at = next->second;
    way += " -> " + at;
    if (at == name) return way;
  }
  return "";
}

Result<> check_kernel(const std::string& kernel) {
  kernels::Isa isa{};
  if (kernels::pick_isa(kernel, isa)) return {};
  std::string usable;
  for (const kernels::IsaInfo& set : kernels::instruction_sets())
    if (set.runs_here) (usable += usable.empty() ? "" : ", ") += set.name;
  return fail(Code::kConfig, "engine.kernel: '" + kernel + "' cannot run here; expected one of " +
                                 usable + ", or nothing for the fastest");
}

}  // namespace

Result<> check_usable(const config::Config& config) {
  if (auto prices = ledger::PriceBook::load(config.prices_file); !prices)
    return fail(Code::kConfig, "prices_file: " + prices.error().message);
  TOPHAND_CHECK("configuration", check_kernel(config.engine.kernel));
  for (const auto& [name, model] : config.models.aliases)
    if (const std::string circle = circle_from(name, config.models.aliases); !circle.empty())
      return fail(Code::kConfig, "models.aliases: they lead in a circle, " + circle +
                                     "; name the model that is meant");
  return {};
}

std::vector<std::string> alias_warnings(const config::Config& config) {
  std::vector<std::string> warnings;
  const Aliases& aliases = config.models.aliases;
  for (const auto& [name, model] : aliases) {
    if (!aliases.contains(model)) continue;
    std::string& warning = warnings.emplace_back("models.aliases: '");
    warning.append(name).append("' names '").append(model);
    warning += "', which is an alias, too: aliases are not followed further";
  }
  if (aliases.contains(config.models.local))
    warnings.push_back("models.local: '" + config.models.local +
                       "' is an alias; local work needs the model's own name");
  return warnings;
}

std::vector<std::string> price_warnings(const config::Config& config) {
  std::vector<std::string> warnings;
  const auto prices = ledger::PriceBook::load(config.prices_file);
  if (!prices) return warnings;
  const auto look = [&](const std::string& where, const std::string& model) {
    if (model.starts_with("claude-") && prices->find(model) == nullptr)
      warnings.push_back(where + ": '" + model +
                         "' has no price (tophand prices), and what has none is not asked for");
  };
  look("claude.model", config.claude.model);
  look("tiers.small", config.tiers.small);
  look("tiers.default", config.tiers.standard);
  look("tiers.hard", config.tiers.hard);
  for (const config::RuleConfig& rule : config.rules) look("rule '" + rule.name + "'", rule.model);
  for (const auto& [name, model] : config.models.aliases) look("models.aliases." + name, model);
  return warnings;
}

std::vector<std::string> key_warnings(const config::Config& config, const std::string& data_dir) {
  std::vector<std::string> warnings;
  server::KeyStore store(data_dir);
  const auto keys = store.list();
  if (!keys) return warnings;
  const auto look = [&](const std::string& where, const std::string& name) {
    const auto is_it = [&](const server::KeyInfo& key) { return key.is_called(name); };
    if (name != "*" && std::ranges::none_of(*keys, is_it))
      warnings.push_back(where + ": there is no key '" + name +
                         "' (tophand keys list), so it holds for nobody yet");
  };
  for (const auto& [name, unused] : config.keys) look("keys." + name, name);
  for (const config::CapConfig& cap : config.budget.caps)
    if (cap.scope == "key") look("budget.caps of key", cap.name);
  return warnings;
}

}  // namespace tophand::cli

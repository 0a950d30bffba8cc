#include "cli/config_checks.h"

#include "kernels/cpu.h"
#include "ledger/prices.h"

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

}  // namespace tophand::cli

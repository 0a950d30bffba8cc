#include "cli/config_checks.h"

#include <algorithm>
#include <iterator>

#include "kernels/cpu.h"
#include "ledger/prices.h"
#include "net/tls.h"
#include "server/gateway.h"
#include "server/keys.h"
#include "steering/settings.h"
#include "text/chat_template.h"
#include "text/pretokenizer.h"

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

// The worker takes these as they are, and a model whose worker refuses them never answers.
Result<> check_forced_names(const config::ModelsConfig& models) {
  for (const auto& [model, name] : models.templates)
    if (auto known = text::template_by_name(name); !known)
      return tl::unexpected(std::move(known).error().within("models.templates of " + model));
  for (const auto& [model, name] : models.pre_tokenizers)
    if (auto known = text::pre_tokenizer_by_name(name); !known)
      return tl::unexpected(std::move(known).error().within("models.pre_tokenizers of " + model));
  return {};
}

Result<> check_roots(const std::string& where, const std::string& ca_file) {
  if (ca_file.empty()) return {};
  if (const auto roots = net::TlsContext::create(ca_file); !roots)
    return fail(Code::kConfig, where + ": " + roots.error().message);
  return {};
}

Result<> check_all_roots(const config::Config& config) {
  auto checked = check_roots("claude.ca_file", config.claude.ca_file);
  for (const config::BackendConfig& backend : config.backends)
    if (checked) checked = check_roots("backends.ca_file of " + backend.name, backend.ca_file);
  return checked;
}

}  // namespace

Result<> check_usable(const config::Config& config) {
  if (auto listen = server::allowed_listen(config.server); !listen)
    return fail(Code::kConfig, "server.listen: " + listen.error().message);
  if (auto forced = check_forced_names(config.models); !forced)
    return fail(Code::kConfig, forced.error().message);
  if (auto roots = check_all_roots(config); !roots) return roots;
  if (auto prices = ledger::PriceBook::load(config.prices_file); !prices)
    return fail(Code::kConfig, "prices_file: " + prices.error().message);
  if (auto kernel = check_kernel(config.engine.kernel); !kernel) return kernel;
  for (const auto& [name, model] : config.models.aliases)
    if (const std::string circle = circle_from(name, config.models.aliases); !circle.empty())
      return fail(Code::kConfig, "models.aliases: they lead in a circle, " + circle +
                                     "; name the model that is meant");
  return {};
}

Result<config::Config> load_usable_config(const config::Paths& paths,
                                          const config::Environment& env) {
  auto loaded = config::load_config(paths, env);
  if (!loaded) return loaded;
  if (auto checked = steering::check_routing(*loaded); !checked)
    return tl::unexpected(std::move(checked).error());
  if (auto usable = check_usable(*loaded); !usable)
    return tl::unexpected(std::move(usable).error().within(
        paths.config_file + config::line_of(paths.config_file, usable.error().message)));
  return loaded;
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
  const auto look_at_claudes = [&](const std::string& where, const std::string& model) {
    if (model.empty())
      warnings.push_back(where + ": names no model, so what should go to it is refused");
    else if (prices->find(model) == nullptr)
      warnings.push_back(where + ": '" + model +
                         "' has no price (tophand prices), and what has none is not asked for");
  };
  const auto look = [&](const std::string& where, const std::string& model) {
    if (model.starts_with("claude-")) look_at_claudes(where, model);
  };
  // These are Claude's whatever they are called.
  look_at_claudes("claude.model", config.claude.model);
  look_at_claudes("tiers.small", config.tiers.small);
  look_at_claudes("tiers.standard", config.tiers.standard);
  look_at_claudes("tiers.hard", config.tiers.hard);
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

std::vector<std::string> config_warnings(const config::Config& config,
                                         const std::string& data_dir) {
  std::vector<std::string> warnings = steering::routing_warnings(config);
  std::ranges::move(alias_warnings(config), std::back_inserter(warnings));
  std::ranges::move(price_warnings(config), std::back_inserter(warnings));
  std::ranges::move(key_warnings(config, data_dir), std::back_inserter(warnings));
  return warnings;
}

}  // namespace tophand::cli

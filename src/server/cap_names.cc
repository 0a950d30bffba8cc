#include "server/cap_names.h"

#include <string>
#include <utility>
#include <vector>

#include "base/ascii.h"
#include "server/caller.h"
#include "steering/limits.h"

namespace tophand::server {
namespace {

std::vector<std::string> ids_of(const std::string& name, const std::vector<KeyInfo>& keys) {
  std::vector<std::string> ids;
  for (const KeyInfo& key : keys)
    if (key.is_called(name)) ids.push_back(key.id);
  if (ids.empty()) ids.push_back(name);
  return ids;
}

std::vector<std::string> ledger_names(const ledger::Cap& cap, const std::vector<KeyInfo>& keys) {
  switch (cap.scope) {
    case ledger::Scope::kKey:
      return ids_of(cap.name, keys);
    case ledger::Scope::kAgent:
      return {id_or_hash("a-", cap.name)};
    case ledger::Scope::kSession:
      return {id_or_hash("s-", cap.name)};
    case ledger::Scope::kPersona:
      return {lowered(cap.name)};
    case ledger::Scope::kModel:
      return {std::string(ledger::undated_model(cap.name))};
    case ledger::Scope::kTeam:
    case ledger::Scope::kProvider:
      break;
  }
  return {cap.name};
}

}  // namespace

ledger::Limits limits_of(const config::BudgetConfig& budget, KeyStore& keys) {
  ledger::Limits limits = steering::limits_of(budget);
  const std::vector<KeyInfo> known = keys.list().value_or(std::vector<KeyInfo>());
  std::vector<ledger::Cap> caps;
  for (const ledger::Cap& cap : limits.caps)
    for (std::string& name : ledger_names(cap, known)) {
      ledger::Cap& own = caps.emplace_back(cap);
      if (name != cap.name) own.label = cap.name;
      own.name = std::move(name);
    }
  limits.caps = std::move(caps);
  return limits;
}

}  // namespace tophand::server

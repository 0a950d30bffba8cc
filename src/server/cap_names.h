// Whom the caps of the configuration mean: people write a key's name, an agent as it calls itself,
// a persona or a model in any spelling, and the ledger counts by ids.
#pragma once

#include "config/config.h"
#include "ledger/scopes.h"
#include "server/keys.h"

namespace tophand::server {

// A cap on a key's name becomes one for each key of that name; of a name that no key has (yet) it
// stays as it is, and binds nobody.
ledger::Limits limits_of(const config::BudgetConfig& budget, KeyStore& keys);

}  // namespace tophand::server

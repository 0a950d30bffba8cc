// What the configuration says to the ledger's caps.
#pragma once

#include "config/config.h"
#include "ledger/scopes.h"

namespace tophand::steering {

// A checked configuration: its scopes, windows and time zone are known ones.
ledger::Limits limits_of(const config::BudgetConfig& budget);

}  // namespace tophand::steering

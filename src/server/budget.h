// The budget for people and programs: windows, caps, and what was moved because of them. Used by
// the gateway and by `tophand budget`.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "base/result.h"
#include "ledger/ledger.h"
#include "steering/budget_watch.h"

namespace tophand::server {

struct BudgetSource {
  ledger::Ledger& ledger;
  std::vector<steering::WindowView> windows;
  std::int64_t now_ms = 0;
  bool live = true;          // a gateway runs; else the figures are those of the file
  std::int64_t waiting = 0;  // deferred requests, now
};

// JSON, as docs/budget.md shows it.
Result<std::string> budget_json(const BudgetSource& source);

}  // namespace tophand::server

// The budget for people and programs: windows, caps, and what was moved because of them. Used by
// the gateway and by `tophand budget`.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
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

// What the budget did to an attempt, by its row's reasons: "hard -> default" from the first step to
// the last; "" where it did nothing.
std::string moved_by_budget(std::string_view reasons);

// JSON, as docs/budget.md shows it.
Result<std::string> budget_json(const BudgetSource& source);

}  // namespace tophand::server

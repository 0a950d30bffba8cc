// What `tophand savings` prints: the JSON of GET /tophand/v1/savings, as a table for people.
#pragma once

#include <cstdint>
#include <iosfwd>
#include <string>
#include <string_view>

#include "base/result.h"
#include "ledger/ledger.h"

namespace tophand::cli {

struct Savings {
  std::int64_t since_ms = 0, until_ms = 0;
  ledger::Totals totals;
  std::string model;  // whose list prices the estimate uses
  std::string price_version;

  // Saved of what would have been spent, in tenths of a percent; 0 when nothing was.
  std::int64_t share_permille() const;
};

// kUpstream when it is not that JSON.
Result<Savings> parse_savings(std::string_view json);
std::string savings_json(const Savings& savings);
void print_savings(const Savings& savings, std::ostream& out);

std::string moment(std::int64_t wall_ms);  // "2026-11-23 00:00 UTC"

// "all", "week" (since Monday 00:00 UTC), or a number of hours or days: "12h", "7d". The moment it
// means, in milliseconds; kInvalid for anything else.
Result<std::int64_t> parse_since(std::string_view text, std::int64_t now_ms);

}  // namespace tophand::cli

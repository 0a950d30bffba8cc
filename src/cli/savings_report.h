// What `tophand savings` prints: the JSON of GET /tophand/v1/savings, as tables for people and as
// CSV. docs/savings.md says what its figures are.
#pragma once

#include <cstdint>
#include <iosfwd>
#include <string>
#include <string_view>

#include "base/calendar.h"
#include "base/result.h"

namespace tophand::cli {

// kUpstream when it is not that JSON.
Result<> print_savings(std::string_view json, std::ostream& out);
// A line a class and one for all of them; money in nano-dollars.
Result<> print_savings_csv(std::string_view json, std::ostream& out);

std::string moment(std::int64_t wall_ms);  // "2026-11-23 00:00 UTC"

// "all", "week" (the calendar's that now lies in), or a number of hours or days: "12h", "7d". The
// moment it means, in milliseconds; kInvalid for anything else.
Result<std::int64_t> parse_since(std::string_view text, std::int64_t now_ms,
                                 const Calendar& calendar = {});

}  // namespace tophand::cli

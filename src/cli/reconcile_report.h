// What `tophand ledger reconcile` prints: the JSON of GET /tophand/v1/reconcile, as a table.
#pragma once

#include <iosfwd>
#include <string_view>

#include "base/result.h"

namespace tophand::cli {

// kUpstream when it is not that JSON.
Result<> print_reconciliation(std::string_view json, std::ostream& out);

}  // namespace tophand::cli

// What the ledger says of one request, for people. Private to cli/; explain_cmd.cc and its test
// call it.
#pragma once

#include <iosfwd>
#include <string_view>

#include "base/result.h"

namespace tophand::cli {

// Prints the gateway's answer to GET /tophand/v1/requests/ID: what was asked and what came of it,
// then each attempt with the reasons that led to it. kUpstream when `json` is no such answer.
Result<> print_explanation(std::string_view json, std::ostream& out);
// Prints the answer to POST /tophand/v1/decide: where a request would go, and every step and rule
// ('+' it applied, '-' it did not) that led there.
Result<> print_decision(std::string_view json, std::ostream& out);

}  // namespace tophand::cli

// What `tophand routes` prints: the JSON of GET /tophand/v1/routes, as a table for people.
#pragma once

#include <iosfwd>
#include <string_view>

#include "base/result.h"

namespace tophand::cli {

// kUpstream when it is not that JSON.
Result<> print_routes(std::string_view json, std::ostream& out);

}  // namespace tophand::cli

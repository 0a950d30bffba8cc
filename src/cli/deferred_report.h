// What `tophand deferred` prints: the JSON of GET /tophand/v1/deferred, as a table for people.
#pragma once

#include <iosfwd>
#include <string_view>

#include "base/result.h"

namespace tophand::cli {

// kUpstream when it is not that JSON.
Result<> print_deferred(std::string_view json, std::ostream& out);

}  // namespace tophand::cli

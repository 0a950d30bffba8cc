// What `tophand budget` prints: the JSON of GET /tophand/v1/budget, for people.
#pragma once

#include <iosfwd>
#include <string_view>

#include "base/result.h"

namespace tophand::cli {

// kUpstream when it is not that JSON; nothing is printed then.
Result<> print_budget(std::string_view json, std::ostream& out);

}  // namespace tophand::cli

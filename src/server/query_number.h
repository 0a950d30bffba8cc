// Numbers in the query of an endpoint of the gateway's own.
#pragma once

#include <cstdint>
#include <optional>
#include <string>

#include "base/result.h"
#include "server/routes.h"

namespace tophand::server {

// The number behind `name=`, nothing when it is not given. kInvalid where it is given, and is no
// number from `lowest` to `highest`.
Result<std::optional<std::int64_t>> number_in(const Exchange& exchange, const std::string& name,
                                              std::int64_t lowest, std::int64_t highest);

}  // namespace tophand::server

// Reads a Claude subscription's own account of its windows from the headers of an answer.
#pragma once

#include <vector>

#include "net/http.h"
#include "policy/provider_limit.h"

namespace tophand::backend {

// anthropic-ratelimit-unified-WINDOW-{utilization,reset,status}, as subscription tokens get them
// (API keys do not). Windows without a readable utilisation and reset (seconds since 1970) are left
// out, as are more than eight.
std::vector<policy::ProviderLimit> read_provider_limits(const net::Headers& headers);

}  // namespace tophand::backend

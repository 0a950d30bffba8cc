// How many requests each backend gets at once, from the configuration.
#pragma once

#include "config/config.h"
#include "dispatch/limiter.h"
#include "policy/policy.h"

namespace tophand::server {

// The own engine answers one request at a time; what waits for it waits here, where it may still go
// elsewhere. Claude's limits are Anthropic's to tell, but for those that the operator sets: on the
// hard tier, and on every key (then on all of them together).
dispatch::Places places_for(const config::Config& config, const policy::Target& target);

// Claude's hard tier, where the operator has limited it.
bool is_scarce(const config::Config& config, const policy::Target& target);

}  // namespace tophand::server

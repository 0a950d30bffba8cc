// Which settings a running gateway takes from a changed file, and which only a restart brings.
#pragma once

#include <string>
#include <vector>

#include "config/config.h"

namespace tophand::config {

// The keys ("server.listen", "backends") that differ and that a reload does not bring into force.
std::vector<std::string> needs_restart(const Config& before, const Config& after);

}  // namespace tophand::config

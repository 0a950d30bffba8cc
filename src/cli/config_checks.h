// What of a configuration that reads well stops the gateway all the same, or its models: what only
// the rooms know that the settings are for. `tophand config check` asks; files are read, nothing is
// written.
#pragma once

#include <string>
#include <vector>

#include "base/result.h"
#include "config/config.h"

namespace tophand::cli {

// kConfig, beginning with the setting: the price file cannot be read, the kernel does not run on
// this machine, aliases lead in a circle.
Result<> check_usable(const config::Config& config);

// What is allowed and surely not meant: an alias that is not followed where it stands.
std::vector<std::string> alias_warnings(const config::Config& config);

// A model of Claude's that has no price is not asked for.
std::vector<std::string> price_warnings(const config::Config& config);
// Sections and caps that mean a key by a name or id that no key in `data_dir` has.
std::vector<std::string> key_warnings(const config::Config& config, const std::string& data_dir);

}  // namespace tophand::cli

// What of a configuration that reads well stops the gateway all the same, or its models: what only
// the rooms know that the settings are for. `tophand config check` asks; files are read, nothing is
// written.
#pragma once

#include <string>
#include <vector>

#include "base/result.h"
#include "config/config.h"

namespace tophand::cli {

// kConfig, beginning with the setting: listening for other machines is not allowed, a chat template
// or pre-tokenizer has no such name, a file of roots or prices cannot be read, the kernel does not
// run on this machine, aliases lead in a circle.
Result<> check_usable(const config::Config& config);

// The configuration, read and looked at as a whole: its syntax, its routing, check_usable().
Result<config::Config> load_usable_config(const config::Paths& paths,
                                          const config::Environment& env);

// What is allowed and surely not meant: an alias that is not followed where it stands.
std::vector<std::string> alias_warnings(const config::Config& config);

// A model of Claude's that has no price is not asked for, and what goes to a tier without a model
// is refused.
std::vector<std::string> price_warnings(const config::Config& config);
// Sections and caps that mean a key by a name or id that no key in `data_dir` has.
std::vector<std::string> key_warnings(const config::Config& config, const std::string& data_dir);

// All of these, and rules that are never reached.
std::vector<std::string> config_warnings(const config::Config& config, const std::string& data_dir);

}  // namespace tophand::cli

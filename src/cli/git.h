// Runs git in a repository.
#pragma once

#include <string>
#include <vector>

#include "base/result.h"

namespace tophand::cli {

// What git printed. `repository` "": the current folder. kInvalid with git's own words when it
// fails, kNotFound when there is no git.
Result<std::string> git(const std::string& repository, std::vector<std::string> arguments,
                        std::string input = "");

}  // namespace tophand::cli

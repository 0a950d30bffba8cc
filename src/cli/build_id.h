// Which sources this program was built from: figures are worth nothing without it.
#pragma once

#include <string_view>

namespace tophand::cli {

// "4d82568a1b2c", with "-dirty" after it when files were changed; "unknown" outside a repository.
// As of the last time CMake ran, which scripts/build.sh makes it do before each build.
std::string_view build_commit();

}  // namespace tophand::cli

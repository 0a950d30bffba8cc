// Whole files as text, with a bound.
#pragma once

#include <string>

#include "base/result.h"

namespace tophand::cli {

// path "-" is standard input. kNotFound, kIo, or kTooLarge over 64 MiB.
Result<std::string> read_text_file(const std::string& path);

}  // namespace tophand::cli

// The price file that is built into the program, byte for byte, so that it works from anywhere.
// The definition is generated from prices/anthropic.json, which stays the only source.
#pragma once

#include <string_view>

namespace tophand::ledger {

std::string_view default_prices();  // JSON; lives for the whole process

}  // namespace tophand::ledger

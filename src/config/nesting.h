// How deep a TOML text nests, found before it is parsed. toml++ 3.3 bounds arrays and inline tables
// (256) but not the parts of a key: each makes a table within a table, and taking a tree of 100,000
// apart recurses until the stack ends, with the gateway when it was a reload. Pure. Private to
// config/.
#pragma once

#include <string_view>

#include "base/result.h"

namespace tophand::config {

// Ours go to three: [personas."x"] and a table within. Both bounds together keep a tree, and the
// recursion over it, below (1 + kBracketsMax) * kKeyPartsMax + kKeyPartsMax levels.
inline constexpr int kKeyPartsMax = 16;
inline constexpr int kBracketsMax = 16;  // of arrays, inline tables and section headers

// kConfig with the line when a key has more parts or a value is deeper. What is no TOML is left to
// the parser.
Result<> check_nesting(std::string_view text, std::string_view origin);

}  // namespace tophand::config

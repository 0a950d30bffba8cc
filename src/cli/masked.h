// A text for the screen without the secrets in it. Pure.
#pragma once

#include <string>
#include <string_view>

namespace tophand::cli {

// Lines of JSON, JSON5 or TOML with "..." in place of what looks like a secret: the quoted value
// of a member with such a name (API_KEY, apiKey, Authorization, ...), and whatever looks like a key
// (sk-..., th-..., a long run of letters and digits) or like a password in a URL, wherever it is.
// Of a key its kind stays ("sk-..."). Rather too much than too little.
std::string masked(std::string_view text);

}  // namespace tophand::cli

// Names of models as Ollama's clients write them. Pure.
#pragma once

#include <string>
#include <string_view>

#include "base/result.h"

namespace tophand::models {

// Ollama's grammar: [HOST/][NAMESPACE/]MODEL[:TAG]; a part begins with a letter, a digit or '_' and
// goes on with these, '-' and '.' (no '.' in a namespace), at most 80 characters, a host 350.
// Returns the name as the store keeps it: without Ollama's default host and namespace and without
// ":latest". Such a name leads nowhere as a path: it has no "..", no empty part, no leading '/'.
// kInvalid.
Result<std::string> parse_name(std::string_view text);

// "mario" is "mario:latest" to Ollama's clients.
std::string with_tag(std::string_view name);

// Names match whatever their case, and with or without ":latest".
bool same_name(std::string_view a, std::string_view b);

}  // namespace tophand::models

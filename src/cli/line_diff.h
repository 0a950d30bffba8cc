// The lines that differ between two texts, for people.
#pragma once

#include <string>
#include <string_view>

namespace tophand::cli {

// Lines of `before` that are gone with "- ", new ones of `after` with "+ ", in their order; "" when
// nothing differs. Finds the fewest where the changed region is short, else shows all of it.
std::string line_diff(std::string_view before, std::string_view after);

}  // namespace tophand::cli

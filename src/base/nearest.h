// The known name closest to a mistyped one, for "did you mean".
#pragma once

#include <span>
#include <string>
#include <string_view>

namespace tophand {

// By edit distance; "" when nothing is near (more than a third of the letters, at least 2, differ).
std::string nearest_name(std::string_view typed, std::span<const std::string_view> known);

}  // namespace tophand

// Base64 of RFC 4648, section 4, with its padding. Pure.
#pragma once

#include <optional>
#include <string>
#include <string_view>

namespace tophand {

// The bytes that `text` stands for. Nothing when it is not base64: a length that is no multiple of
// four, a character outside the alphabet (white space too), padding elsewhere than at the end, or
// bits behind the last byte that are not zero, so that one value has one spelling.
std::optional<std::string> base64_decoded(std::string_view text);

}  // namespace tophand

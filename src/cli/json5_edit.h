// Changes one member of a JSON5 text (JSON and JSON with comments are JSON5 too) and leaves every
// other byte as it is: comments, order, quotes, spacing. For the configuration files of other
// programs; the values put in are JSON texts of ours. Pure. JSON5: https://spec.json5.org
#pragma once

#include <cstddef>
#include <optional>
#include <span>
#include <string>
#include <string_view>

#include "base/result.h"

namespace tophand::cli {

inline constexpr std::size_t kJson5BytesMax = 4u << 20;
inline constexpr int kJson5DepthMax = 64;

// Member names from the outermost object inwards: {"agents", "defaults", "model"}.
using MemberPath = std::span<const std::string>;

// The text of the member's value, of `text`; nothing when there is no such member. kInvalid with
// the line when the text is not JSON5, kTooLarge when it is longer or deeper than the limits.
Result<std::optional<std::string_view>> find_member(std::string_view text, MemberPath path);

// The text with the member set to `value` (JSON, its lines after the first not indented). Objects
// on the way that are missing are made; a text of nothing but spaces and comments becomes an
// object. kConflict when something on the way is not an object.
Result<std::string> set_member(std::string_view text, MemberPath path, std::string_view value);

// The text without the member, which undoes set_member() of one that was not there; unchanged when
// there is no such member.
Result<std::string> remove_member(std::string_view text, MemberPath path);

}  // namespace tophand::cli

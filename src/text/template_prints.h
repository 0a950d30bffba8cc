// What a Jinja template can print, without running it. Internal to text/ (template_check.h).
#pragma once

#include <set>
#include <string>
#include <string_view>

namespace tophand::text {

// Holes in a print: any expression, and one that names a role.
inline constexpr char kHole = '\x01', kRoleHole = '\x03';

// What eos_token counts as: it is that in the only family whose renderer prints it, Falcon3.
inline constexpr std::string_view kEndOfText = "<|endoftext|>";

// The text between tags, and the expressions of {{ }} and {% set %}: strings that + and ~ join,
// with a hole for everything else; both sides of `a if b else c`. White space is trimmed as
// transformers has it set (trim_blocks, lstrip_blocks). What follows a tag or string that does not
// close is left out.
std::set<std::string> template_prints(std::string_view jinja);

}  // namespace tophand::text

// Whether a file's Jinja template prints what a family's renderer prints: the proof behind
// recognise_template(), whose marks alone would take a template's relatives for it. The template is
// read, not run: its {{ }} and {% set %} tags and the text between tags give its prints, strings
// with a hole for every expression. Internal to text/.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "text/chat_template.h"

namespace tophand::text {

// The longest of those that llama.cpp has been taught has 23 KiB.
inline constexpr std::size_t kTemplateBytesMax = std::size_t{64} << 10;

// True when
// - no string that the template may print is foreign to what the renderer prints,
// - what the renderer makes of a few conversations can be laid out with the template's prints, each
//   whole, so that none of its turns is missing or has a line break too few,
// - it trims what people say as the renderer does.
// In which order, and when, a template prints is not looked at. False for texts that cannot be
// followed. `jinja`: of kTemplateBytesMax at most.
bool prints_what_we_do(TemplateKind kind, std::string_view jinja);

}  // namespace tophand::text

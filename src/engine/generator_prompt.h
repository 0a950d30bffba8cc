// From the conversation type of the APIs to the turns and tools of a chat template. Pure.
#pragma once

#include <string>
#include <vector>

#include "base/result.h"
#include "chat/conversation.h"
#include "text/chat_template.h"

namespace tophand::engine {

// System blocks at the beginning become one system turn; a tool result is a turn of its own.
// Images and blocks that only their vendor understands are left out (the gateway refuses them).
std::vector<text::Turn> turns_of(const chat::Request& request);

// The tools to offer: none for tool_choice none, one for a named tool. Empty, too, for families
// whose template has no tools. kInvalid when the named tool is not among them.
Result<std::vector<text::Tool>> tools_of(const chat::Request& request, text::TemplateKind kind);

// The thinking that was asked for. A forced tool call leaves no room for thoughts.
text::RenderOptions render_options_of(const chat::Request& request, text::TemplateKind kind);

// How an answer has to begin when tool_choice calls for a tool; empty when the model may choose.
// Marks that are tokens are trusted, the tool's name is not.
std::vector<text::Segment> forced_beginning(const chat::Request& request, text::TemplateKind kind);

}  // namespace tophand::engine

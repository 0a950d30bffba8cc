// What the tool calls of agents write into files, recognised by their arguments: the tools' names
// differ between agents, and what they take is nearly the same. Pure.
#pragma once

#include <optional>
#include <string_view>
#include <vector>

#include "chat/conversation.h"
#include "steering/edit_memory.h"

namespace tophand::server {

// Of a call's arguments: {path, old text, new text}, {path, content} or {path, edits: [...]}, as
// Claude Code, Anthropic's text editor, opencode and OpenClaw name them. Empty for anything else.
std::vector<steering::FileEdit> file_edits(std::string_view input_json);

// The last answer in a conversation: where it begins, and the edits in it that were carried out.
struct LastAnswer {
  std::size_t messages = 0;  // before it
  std::vector<steering::FileEdit> edits;
  bool person_speaks = false;  // after it, and no tool
};
std::optional<LastAnswer> last_answer(const chat::Request& request);

}  // namespace tophand::server

// Who asks and in which conversation, from a request's headers and body: for the rules and for the
// ledger. Pure.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

#include "chat/conversation.h"
#include "net/http.h"
#include "steering/session_book.h"

namespace tophand::server {

// Texts are short and printable; what may name a person is a hash ("u-" and 16 hexadecimal digits).
struct Caller {
  std::string agent = {};       // "" where nothing says it
  std::string agent_said = {};  // as it calls itself, where that is kept as a hash: for rules only
  std::string session = {};  // as the client names it, or by how the conversation began ("c-...")
  steering::ConversationId conversation = {};
  bool in_tool_loop = false;  // what follows the model's last word brings what a tool said
  bool has_images = false;
  std::int64_t prompt_bytes = 0;  // of texts, tool calls and tools; not of images
};

// As the ledger has the name of an agent ("a-") or a session ("s-"): as it is, where it looks like
// an id; anything else as its hash behind `kind`.
std::string id_or_hash(std::string_view kind, std::string_view text);

Caller caller_of(std::string_view key_id, const net::Headers& headers,
                 const chat::Request& request);

}  // namespace tophand::server

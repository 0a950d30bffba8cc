// Leaving out the oldest turns of a conversation that is too long for a model, where somebody has
// asked for that. Pure.
#pragma once

#include <cstdint>

#include "chat/conversation.h"

namespace tophand::chat {

struct LeftOut {
  std::int64_t messages = 0;
  std::int64_t bytes = 0;  // of their text
};

// Bytes of text, images and tool calls in the messages; tools are not counted.
std::int64_t conversation_bytes(const Request& request);

// Takes whole turns out of the request, the oldest first, until `bytes` or more are gone. A turn
// begins with a message of the user's own. System text stays where it is; so does everything from
// the last turn's beginning on, so that tool results keep their calls. No messages: nothing more
// can be left out.
LeftOut leave_out_oldest(Request& request, std::int64_t bytes);

}  // namespace tophand::chat

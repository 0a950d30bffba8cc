// Where images and files of a conversation stand. Models take them in a user's turn only; clients
// also put them into system text and into what the assistant said. Pure; internal to this room.
#pragma once

#include "chat/conversation.h"

namespace tophand::chat {

// Moves the images and files of system messages and of the assistant's turns into the user's turn
// that follows: of the leading system messages the first one of the conversation. Where no turn of
// the user's follows they make one, in front of an assistant's turn that is the last (the model
// goes on with that one) and else behind. Texts stay where they are, and what has moved keeps its
// order.
void move_media_to_user_turns(Request& request);

}  // namespace tophand::chat

// What a conversation shows of the class of work it is. Pure.
#pragma once

#include "chat/conversation.h"
#include "policy/class_features.h"

namespace tophand::server {

// The views live as long as the request.
policy::ClassFacts class_facts(const chat::Request& request);

}  // namespace tophand::server

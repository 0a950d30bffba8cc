// Errors of the programs that serve models: OpenAI-compatible servers and Ollama. Pure.
#pragma once

#include <string_view>

#include "chat/events.h"

namespace tophand::chat {

// An error body with its HTTP status (0: it came inside a stream) to our error. Reads
// {"error":{"message","type","code"}}, {"error":"text"}, {"object":"error","message"} and
// {"detail":...}; anything else becomes a message that names the status. A prompt that is too long
// for the model, whatever the status, is kPromptTooLong; refusals of our own key are kConfig.
Failed read_server_error(int status, std::string_view body);

}  // namespace tophand::chat

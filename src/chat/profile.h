// A named profile over a model (a persona): what it puts over a request, whatever its dialect.
// Pure.
#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"
#include "chat/conversation.h"

namespace tophand::chat {

struct Profile {
  std::string system;
  std::vector<Message> messages;
  Sampling sampling;
  std::optional<std::int64_t> max_tokens;
  std::vector<std::string> stop;
};

// The parts as Ollama's create has them: `parameters_json` an object of options, `messages_json` an
// array of messages. kInvalid in the words of a chat request with the same fault.
struct ProfileText {
  std::string_view system = {}, parameters_json = "{}", messages_json = "[]";
};
Result<Profile> parse_profile(const ProfileText& text);

// The system prompt comes first, unless the request has one of its own; the profile's messages come
// before the request's; parameters count where the request gives none.
void apply_profile(const Profile& profile, Request& request);

}  // namespace tophand::chat

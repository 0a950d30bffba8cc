// What a refusal of a prompt says about sizes, whoever refused it. Pure; written anew in each
// dialect's words (error_body.cc), read where a conversation is shortened (dispatch).
#pragma once

#include <cstdint>
#include <optional>
#include <string_view>

namespace tophand::chat {

struct PromptSize {
  std::int64_t tokens = 0, max = 0;
};

// Of "prompt is too long: N tokens > M maximum", the engine's words and Claude's, and of what other
// servers say in its place. nullopt when there are no such words, or N is not above M.
std::optional<PromptSize> told_prompt_size(std::string_view message);

}  // namespace tophand::chat

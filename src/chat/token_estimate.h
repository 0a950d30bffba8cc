// How many tokens Claude would count, without asking it: a linear function of nine features of the
// text (text_features.h). Used for what a locally answered task would have cost, and for
// count_tokens of Claude models when no key is set. An estimate, and to be labelled as one. Pure.
//
// Fitted on 447 texts (source code, Markdown, JSON, diffs, commit messages, English); leaving one
// class of text out, the mean absolute error is 5.4 % (kV3) and 5.8 % (kV5). On recorded counts of
// code in 22 languages (four of them are in tests/conformance/tokens/) it is 5.2 % and 6.1 %, with
// a bias of -4 % and -6 %.
#pragma once

#include <cstdint>
#include <string_view>

#include "chat/conversation.h"
#include "chat/text_features.h"

namespace tophand::chat {

// Claude's tokenizers: kV3 up to Claude 4.6; kV47 and kV5 since Opus 4.7 count text alike but frame
// a message differently.
enum class TokenFamily : std::uint8_t { kV3, kV47, kV5 };

// By the version in the name ("claude-sonnet-4-5", "claude-3-5-haiku-20241022"). A name without one
// is taken as the newest, which counts the most.
TokenFamily claude_token_family(std::string_view model);

// Tokens of bare text.
std::int64_t estimate_tokens(TokenFamily family, std::string_view text);

// Tokens of a whole request: system text, messages with their frames, tools. An image counts as the
// API's usual maximum (1600), as its size is not looked at.
std::int64_t estimate_tokens(TokenFamily family, const Request& request);

}  // namespace tophand::chat

// What requests to OpenAI-compatible servers and to Ollama have in common. Internal to this room.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "base/json_view.h"
#include "base/result.h"
#include "chat/conversation.h"

namespace tophand::chat {

std::string string_member(JsonView object, std::string_view key);  // "" when it is no string

// One event, line or body of another program. Servers in Python write NaN and Infinity for numbers
// that are none, mostly among log probabilities: they are read as null.
Result<JsonDocument> parse_answer_json(std::string_view text);

// Whether the member "error" tells one. Some servers say in every chunk that there is none: null,
// "", false, {}.
bool tells_error(JsonView holder);

// The arguments of a call: the text itself, or from some servers the object; anything else as its
// JSON, so that it is found out to be no object. "" where there are none.
std::string stated_arguments(JsonView function);

// The calls of a list; some servers send one call instead.
std::vector<JsonView> list_of_calls(JsonView calls);

// A count of tokens as another program states it; `fallback` where it states none, or more than any
// context holds: counts go into sums and are multiplied by prices. Never below 0.
inline constexpr std::int64_t kStatedTokensMax = 1'000'000'000;
std::int64_t stated_tokens(JsonView object, std::string_view key, std::int64_t fallback);

// Where a dialect gives no tool names (Anthropic), a result's comes from the call that it answers.
std::vector<Message> with_tool_names(std::vector<Message> messages);

// The text blocks of a message, a line each.
std::string text_of(const Message& message);
// The thinking of a message that a local model wrote: what carries a signature is Claude's.
std::string local_thinking_of(const Message& message);
// Neither wire has a place for is_error; the model reads it in the text.
std::string tool_result_text(const ToolResultBlock& result);
std::string_view role_name(Role role);
// How much the client wants a model to think, in a word that most servers know ("xhigh" few do).
std::string_view usual_effort(const Request& request);

// What tells a model in words that JSON is wanted, for a request that wants some.
std::string json_instruction(const Request& request);

// {"type":"function","function":{...}} for each tool the model may call: all, or the one named.
Json function_tools(const std::vector<Tool>& tools, const ToolChoice& choice);

}  // namespace tophand::chat

// Tool calls as models write them: JSON objects and lists (Hermes, Llama 3, Mistral), Qwen3.5's
// XML, Llama 3.1's `name.call(...)`. Internal to text/; every bound is that of base/json.h's
// parser.
#pragma once

#include <optional>
#include <string_view>
#include <vector>

#include "text/chat_template.h"

namespace tophand::text {

// The calls in the body of a <tool_call> or [TOOL_CALLS]; empty when it is none.
std::vector<ToolCall> read_call_body(std::string_view body, const std::vector<Tool>& offered);

// Whether an object, or each of a list, has a name and arguments and nothing that a call has not.
bool is_only_calls(std::string_view body);

// The calls that a whole Llama 3 answer is; empty when it is not only calls.
std::vector<ToolCall> read_llama3_calls(std::string_view answer);

inline constexpr std::string_view kPythonTag = "<|python_tag|>";

}  // namespace tophand::text

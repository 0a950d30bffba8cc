// What the tests of the request parsers share.
#pragma once

#include <gtest/gtest.h>

#include <string>
#include <string_view>
#include <vector>

#include "chat/dialect.h"

namespace tophand::chat {

// A conversation on one line, so that a table can say what came out:
// "user: text | assistant: call f#id {..} | user: result f#id text".
inline std::string shown(const Block& block) {
  if (const auto* text = std::get_if<TextBlock>(&block)) return "'" + text->text + "'";
  if (const auto* tool = std::get_if<ToolUseBlock>(&block))
    return "call " + tool->name + "#" + tool->id + tool->input_json;
  if (const auto* result = std::get_if<ToolResultBlock>(&block))
    return (result->is_error ? "failure " : "result ") + result->tool_name + "#" +
           result->tool_use_id + "'" + result->text + "'";
  if (const auto* image = std::get_if<ImageBlock>(&block))
    return "image " + image->media_type + "," + image->base64 + image->url;
  if (const auto* thinking = std::get_if<ThinkingBlock>(&block))
    return "thinking " + thinking->thinking + "," + thinking->signature;
  return "opaque " + std::get<OpaqueBlock>(block).type;
}

inline std::string shown(const std::vector<Message>& messages) {
  std::string out;
  for (const Message& message : messages) {
    if (!out.empty()) out += " | ";
    out += message.role == Role::kSystem ? "system:"
           : message.role == Role::kUser ? "user:"
                                         : "assistant:";
    for (const Block& block : message.blocks) out += " " + shown(block);
  }
  return out;
}

inline Request parsed(Dialect dialect, std::string_view body) {
  auto result = parse_request(dialect, body);
  EXPECT_TRUE(result.has_value()) << result.error().message;
  return result ? *result : Request{};
}

}  // namespace tophand::chat

#include "server/class_facts.h"

#include <algorithm>
#include <variant>

namespace tophand::server {
namespace {

constexpr std::size_t kBlocksMax = 64;  // of one message that are looked at
constexpr std::int64_t kBytesPerToken = 3;

// Claude Code puts what it tells the model on its own account before the user's words.
bool is_reminder(std::string_view text) {
  return text.starts_with("<system-reminder>");
}

std::vector<std::string_view> texts_of(const chat::Message& message) {
  std::vector<std::string_view> out;
  for (const chat::Block& block : message.blocks) {
    const auto* text = std::get_if<chat::TextBlock>(&block);
    if (text == nullptr || text->text.empty() || is_reminder(text->text)) continue;
    out.push_back(text->text);
    if (out.size() == kBlocksMax) break;
  }
  return out;
}

bool has_tool_result(const chat::Message& message) {
  return std::ranges::any_of(message.blocks, [](const chat::Block& block) {
    return std::holds_alternative<chat::ToolResultBlock>(block);
  });
}

std::int64_t bytes_of(const chat::Message& message) {
  std::int64_t bytes = 0;
  for (const chat::Block& block : message.blocks) {
    if (const auto* text = std::get_if<chat::TextBlock>(&block))
      bytes += static_cast<std::int64_t>(text->text.size());
    if (const auto* result = std::get_if<chat::ToolResultBlock>(&block))
      bytes += static_cast<std::int64_t>(result->text.size());
  }
  return bytes;
}

}  // namespace

policy::ClassFacts class_facts(const chat::Request& request) {
  policy::ClassFacts facts;
  facts.answer_schema = request.json_schema;
  for (const chat::Tool& tool : request.tools) facts.tools.push_back(tool.name);
  std::int64_t bytes = 0;
  for (const chat::Message& message : request.messages) {
    bytes += bytes_of(message);
    if (message.role != chat::Role::kSystem) ++facts.messages;
    else if (facts.system.empty() && !message.blocks.empty())
      if (const auto texts = texts_of(message); !texts.empty()) facts.system = texts.front();
  }
  facts.prompt_tokens = bytes / kBytesPerToken;
  // From the end: OpenClaw puts a text of its own behind a tool's result.
  for (auto at = request.messages.rbegin(); at != request.messages.rend(); ++at) {
    if (at->role == chat::Role::kAssistant) break;
    if (at->role != chat::Role::kUser) continue;
    facts.tool_result_last = facts.tool_result_last || has_tool_result(*at);
    if (facts.user.empty()) facts.user = texts_of(*at);
  }
  return facts;
}

}  // namespace tophand::server

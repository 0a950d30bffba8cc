#include "chat/shorten.h"

#include <algorithm>

namespace tophand::chat {
namespace {

struct Size {
  std::size_t operator()(const TextBlock& block) const { return block.text.size(); }
  std::size_t operator()(const ImageBlock& block) const { return block.base64.size(); }
  std::size_t operator()(const ToolUseBlock& block) const {
    return block.name.size() + block.input_json.size();
  }
  std::size_t operator()(const ToolResultBlock& block) const { return block.text.size(); }
  std::size_t operator()(const ThinkingBlock& block) const { return block.thinking.size(); }
  std::size_t operator()(const OpaqueBlock& block) const { return block.json.size(); }
};

std::int64_t bytes_of(const Message& message) {
  std::size_t bytes = 0;
  for (const Block& block : message.blocks) bytes += std::visit(Size{}, block);
  return static_cast<std::int64_t>(bytes);
}

bool begins_turn(const Message& message) {
  return message.role == Role::kUser &&
         std::ranges::none_of(message.blocks, [](const Block& block) {
           return std::holds_alternative<ToolResultBlock>(block);
         });
}

// The first turn that is there, as far as it is not the last one: its beginning, and the next's.
struct Turn {
  std::vector<Message>::iterator begin, end;
};
Turn oldest_turn(std::vector<Message>& messages) {
  const auto is_said = [](const Message& message) { return message.role != Role::kSystem; };
  const auto begin = std::ranges::find_if(messages, is_said);
  if (begin == messages.end()) return {begin, begin};
  const auto end = std::find_if(std::next(begin), messages.end(), begins_turn);
  return end == messages.end() ? Turn{begin, begin} : Turn{begin, end};
}

}  // namespace

std::int64_t conversation_bytes(const Request& request) {
  std::int64_t bytes = 0;
  for (const Message& message : request.messages) bytes += bytes_of(message);
  return bytes;
}

LeftOut leave_out_oldest(Request& request, std::int64_t bytes) {
  LeftOut out;
  while (out.bytes < bytes || out.messages == 0) {
    const Turn turn = oldest_turn(request.messages);
    if (turn.begin == turn.end) break;
    const auto goes = [](const Message& message) {  // system text between the turns is kept
      return message.role != Role::kSystem;
    };
    std::for_each(turn.begin, turn.end, [&](const Message& message) {
      if (!goes(message)) return;
      out.bytes += bytes_of(message);
      ++out.messages;
    });
    request.messages.erase(std::remove_if(turn.begin, turn.end, goes), turn.end);
  }
  return out;
}

}  // namespace tophand::chat

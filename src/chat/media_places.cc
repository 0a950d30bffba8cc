#include "chat/media_places.h"

#include <algorithm>
#include <iterator>
#include <utility>
#include <vector>

namespace tophand::chat {
namespace {

bool is_media(const Block& block) {
  if (std::holds_alternative<ImageBlock>(block)) return true;
  const auto* opaque = std::get_if<OpaqueBlock>(&block);
  return opaque != nullptr &&
         (opaque->type == "document" || opaque->type == "image" || opaque->type == "search_result");
}

bool is_misplaced(const Message& message) {
  return message.role != Role::kUser && std::ranges::any_of(message.blocks, is_media);
}

void append(std::vector<Block>& blocks, std::vector<Block>& to) {
  std::ranges::move(blocks, std::back_inserter(to));
  blocks.clear();
}

// In front of what the user says, but behind the results of tools: those answer the turn before.
void put_first(std::vector<Block>& media, std::vector<Block>& content) {
  const auto at = std::ranges::find_if_not(
      content, [](const Block& block) { return std::holds_alternative<ToolResultBlock>(block); });
  content.insert(at, std::move_iterator(media.begin()), std::move_iterator(media.end()));
  media.clear();
}

// The media of a message that is not the user's; the rest stays in it.
std::vector<Block> take_media(Message& message) {
  std::vector<Block> media, rest;
  for (Block& block : message.blocks) (is_media(block) ? media : rest).push_back(std::move(block));
  message.blocks = std::move(rest);
  return media;
}

class Mover {
 public:
  void add(Message message, bool is_last) {
    if (message.role == Role::kUser) {
      put_first(waiting_, message.blocks);
      leading_ = false;
      out_.push_back(std::move(message));
      return;
    }
    // Leading system messages stay together: a turn between them would end what leads.
    leading_ = leading_ && message.role == Role::kSystem;
    if (!leading_) tell_waiting();
    std::vector<Block> media = take_media(message);
    if (message.role == Role::kAssistant && is_last) {
      append(media, waiting_);
      tell_waiting();
    }
    if (!message.blocks.empty()) out_.push_back(std::move(message));
    append(media, waiting_);
  }

  std::vector<Message> take() {
    tell_waiting();
    return std::move(out_);
  }

 private:
  void tell_waiting() {
    if (waiting_.empty()) return;
    if (out_.empty() || out_.back().role != Role::kUser) out_.push_back({Role::kUser, {}});
    append(waiting_, out_.back().blocks);
  }

  std::vector<Message> out_;
  std::vector<Block> waiting_;  // for the user's next turn
  bool leading_ = true;         // nothing but system messages so far
};

}  // namespace

void move_media_to_user_turns(Request& request) {
  if (std::ranges::none_of(request.messages, is_misplaced)) return;
  Mover mover;
  for (Message& message : request.messages) {
    const bool is_last = &message == &request.messages.back();
    mover.add(std::move(message), is_last);
  }
  request.messages = mover.take();
}

}  // namespace tophand::chat

#include <algorithm>

#include "base/json.h"
#include "chat/conversation.h"
#include "chat/document_text.h"
#include "chat/request_parsers.h"
#include "chat/upstream_parts.h"

namespace tophand::chat {
namespace {

constexpr std::string_view kBillingHeader = "x-anthropic-billing-header:";
constexpr std::string_view kTotalOpen = "<total_tokens>", kTotalClose = "</total_tokens>";

// Removes every <total_tokens>...</total_tokens> in one pass. One that is never closed stays.
void erase_token_markers(std::string& text) {
  std::size_t open = text.find(kTotalOpen);
  if (open == std::string::npos) return;
  std::string kept;
  std::size_t from = 0;
  while (open != std::string::npos) {
    const std::size_t close = text.find(kTotalClose, open + kTotalOpen.size());
    if (close == std::string::npos) break;
    kept.append(text, from, open - from);
    from = close + kTotalClose.size();
    open = text.find(kTotalOpen, from);
  }
  kept.append(text, from, std::string::npos);
  text = std::move(kept);
}

std::optional<std::string> read_document(const OpaqueBlock& block) {
  if (block.type != "document" && block.type != "search_result") return std::nullopt;
  const auto json = parse_json(block.json);
  return json ? document_text(*json) : std::nullopt;
}

// What of a block a model elsewhere cannot take. Some can take images: those whose bytes or address
// they are told, not those that lie with Claude.
std::string_view lacking_for(const OpaqueBlock& block) {
  return block.type == "image" ? "image_file_id" : std::string_view(block.type);
}

// False when nothing of the block is left for a local model.
bool keep_block(Block& block, Role role, Request& request) {
  if (auto* text = std::get_if<TextBlock>(&block)) {
    if (role == Role::kSystem && text->text.starts_with(kBillingHeader)) return false;
    const bool was_empty = text->text.empty();
    erase_token_markers(text->text);
    return was_empty || !text->text.empty();
  }
  if (auto* result = std::get_if<ToolResultBlock>(&block)) erase_token_markers(result->text);
  else if (std::holds_alternative<ImageBlock>(block)) note_unsupported(request, "image");
  else if (const auto* opaque = std::get_if<OpaqueBlock>(&block)) {
    // Thoughts that only Claude can read: like its signed ones, nothing that an answer needs.
    if (opaque->type == "redacted_thinking") return false;
    if (auto text = read_document(*opaque)) block = TextBlock{*std::move(text)};
    else note_unsupported(request, lacking_for(*opaque));
  }
  return true;
}

// What keep_block() would leave as it is.
bool is_plain(const Block& block, Role role) {
  if (const auto* text = std::get_if<TextBlock>(&block))
    return text->text.find(kTotalOpen) == std::string::npos &&
           !(role == Role::kSystem && text->text.starts_with(kBillingHeader));
  if (const auto* result = std::get_if<ToolResultBlock>(&block))
    return result->text.find(kTotalOpen) == std::string::npos;
  return !std::holds_alternative<ImageBlock>(block) && !std::holds_alternative<OpaqueBlock>(block);
}

bool is_plain(const Message& message) {
  return !message.blocks.empty() && std::ranges::all_of(message.blocks, [&](const Block& block) {
    return is_plain(block, message.role);
  });
}

bool wants_json(const Request& request) {
  return !request.raw_prompt && (request.json_object || !request.json_schema.empty());
}

// A model knows of a format only what its prompt says. The text stands at the end of the system
// message, where it is the same in every turn of the conversation.
void ask_for_json(Request& request) {
  if (!wants_json(request)) return;
  std::string text = json_instruction(request);
  auto& messages = request.messages;
  if (messages.empty()) return;
  if (messages.front().role != Role::kSystem)
    messages.insert(messages.begin(), Message{Role::kSystem, {}});
  auto& blocks = messages.front().blocks;
  const auto* last = blocks.empty() ? nullptr : std::get_if<TextBlock>(&blocks.back());
  if (last == nullptr || last->text != text) blocks.emplace_back(TextBlock{std::move(text)});
}

}  // namespace

void prepare_for_local(Request& request) {
  for (Message& message : request.messages)
    std::erase_if(message.blocks,
                  [&](Block& block) { return !keep_block(block, message.role, request); });
  std::erase_if(request.messages, [](const Message& message) { return message.blocks.empty(); });
  ask_for_json(request);
}

std::optional<Request> readied_for_local(const Request& request) {
  const auto plain = [](const Message& message) { return is_plain(message); };
  if (!wants_json(request) && std::ranges::all_of(request.messages, plain)) return std::nullopt;
  std::optional<Request> out = request;
  prepare_for_local(*out);
  return out;
}

}  // namespace tophand::chat

// The conversation of a Responses request. docs/protocols/openai-responses.md says what is
// accepted.
#include <array>

#include "base/json.h"
#include "chat/prompt_cache.h"
#include "chat/request_parsers.h"

namespace tophand::chat {
namespace {

void add_text(std::string text, std::vector<Block>& blocks) {
  if (!text.empty()) blocks.emplace_back(TextBlock{std::move(text)});
}

Result<> parse_part(const Field& part, std::vector<Block>& blocks, Request& request) {
  if (!part.is_object()) return part.expected("an object");
  const Field type = part["type"];
  TOPHAND_FIELD(kind, type.string());
  const std::size_t before = blocks.size();
  if (kind == "input_text" || kind == "output_text" || kind == "text") {
    TOPHAND_FIELD(text, part["text"].string());
    add_text(std::move(text), blocks);
  } else if (kind == "refusal") {
    TOPHAND_FIELD(text, part["refusal"].string());
    add_text(std::move(text), blocks);
  } else if (kind == "input_image") {
    const Field address = part["image_url"];
    if (address.absent()) return address.refused("only images given by address or inline");
    TOPHAND_FIELD(image, parse_image_address(address));
    note_detail(part, image);
    blocks.push_back(std::move(image));
  } else if (kind == "input_file") {
    TOPHAND_FIELD(file, parse_file(part));
    blocks.push_back(std::move(file));
  } else {
    return type.refused("content parts of type '" + kind + "' are not supported");
  }
  if (blocks.size() > before) take_cache_mark(part.view(), blocks.back(), request);
  return {};
}

Result<std::vector<Block>> parse_content(const Field& content, Request& request) {
  std::vector<Block> blocks;
  if (content.is_string()) {
    TOPHAND_FIELD(text, content.string());
    add_text(std::move(text), blocks);
    return blocks;
  }
  if (!content.is_array()) return content.expected("a string or an array");
  for (std::size_t i = 0; i < content.size(); ++i)
    TOPHAND_FIELD_CHECK(parse_part(content.at(i), blocks, request));
  return blocks;
}

// What one assistant turn said, thought and called comes as several items in a row.
void append_to_assistant(Request& request, Block block) {
  auto& messages = request.messages;
  if (messages.empty() || messages.back().role != Role::kAssistant)
    messages.push_back({Role::kAssistant, {}});
  messages.back().blocks.push_back(std::move(block));
}

Result<> parse_message(const Field& item, Request& request) {
  const Field role = item["role"];
  TOPHAND_FIELD(name, role.string());
  TOPHAND_FIELD(blocks, parse_content(item["content"], request));
  if (!blocks.empty()) take_cache_mark(item.view(), blocks.back(), request);
  if (name == "assistant") {
    for (Block& block : blocks) append_to_assistant(request, std::move(block));
    return {};
  }
  Message message{Role::kUser, std::move(blocks)};
  if (name == "system" || name == "developer") message.role = Role::kSystem;
  else if (name != "user")
    return role.refused("expected 'user', 'assistant', 'system' or 'developer', found '" + name +
                        "'");
  if (!message.blocks.empty()) request.messages.push_back(std::move(message));
  return {};
}

// custom_tool_call carries free text; the conversation type knows objects only.
Result<> parse_call(const Field& item, bool custom, Request& request) {
  TOPHAND_FIELD(id, item["call_id"].string());
  TOPHAND_FIELD(name, item["name"].string());
  TOPHAND_FIELD(arguments, item[custom ? "input" : "arguments"].string_or(""));
  if (custom) {
    Json wrapped = Json::object();
    wrapped["input"] = std::move(arguments);
    arguments = dump_json(wrapped);
  }
  append_to_assistant(request, ToolUseBlock{id, name, arguments_as_object(arguments),
                                            take_cache_mark(item.view(), request)});
  return {};
}

Result<> parse_result(const Field& item, Request& request) {
  TOPHAND_FIELD(id, item["call_id"].string());
  std::vector<Block> blocks;
  if (const Field output = item["output"]; !output.absent()) {
    TOPHAND_FIELD(parts, parse_content(output, request));
    blocks = std::move(parts);
  }
  add_tool_result({id, {}, {}, false, take_cache_mark(item.view(), request)}, std::move(blocks),
                  request);
  return {};
}

// Thoughts of a model that shows them. Encrypted ones are their vendor's, summaries are no
// thoughts.
Result<> parse_reasoning(const Field& item, Request& request) {
  const Field content = item["content"];
  if (!content.is_array()) return {};
  std::string thoughts;
  for (std::size_t i = 0; i < content.size(); ++i) {
    TOPHAND_FIELD(text, content.at(i)["text"].string_or(""));
    thoughts += text;
  }
  if (!thoughts.empty()) append_to_assistant(request, ThinkingBlock{std::move(thoughts), {}});
  return {};
}

Result<> parse_item(const Field& item, Request& request) {
  if (!item.is_object()) return item.expected("an object");
  const Field type = item["type"];
  TOPHAND_FIELD(kind, type.string_or("message"));
  if (kind == "message") return parse_message(item, request);
  if (kind == "function_call") return parse_call(item, false, request);
  if (kind == "custom_tool_call") return parse_call(item, true, request);
  if (kind == "function_call_output" || kind == "custom_tool_call_output")
    return parse_result(item, request);
  if (kind == "reasoning") return parse_reasoning(item, request);
  leave_out(request, kind);
  return {};
}

Result<> parse_items(const Field& items, Request& request) {
  for (std::size_t i = 0; i < items.size(); ++i)
    TOPHAND_FIELD_CHECK(parse_item(items.at(i), request));
  return {};
}

// System text, or items in front of the input's: the form in which answers repeat them.
Result<> parse_instructions(const Field& instructions, Request& request) {
  if (instructions.is_array()) return parse_items(instructions, request);
  if (!instructions.absent() && !instructions.is_string())
    return instructions.expected("a string or an array");
  TOPHAND_FIELD(text, instructions.string_or(""));
  if (!text.empty()) request.messages.push_back({Role::kSystem, {TextBlock{std::move(text)}}});
  return {};
}

// What was said before, by the client and by the model; not its instructions (the API does not
// carry them over).
Result<> parse_earlier(const Field& previous, Memory* memory, Request& request) {
  TOPHAND_FIELD(earlier, stored_conversation(previous, memory));
  for (const Json& items : earlier)
    TOPHAND_FIELD_CHECK(parse_items(Field(items, PathStyle::kBrackets), request));
  if (!previous.absent()) request.continues = std::string(previous.view().string());
  return {};
}

std::size_t blocks_of(const Request& request) {
  std::size_t count = 0;
  for (const Message& message : request.messages) count += message.blocks.size();
  return count;
}

}  // namespace

Result<> parse_responses_input(const Field& root, Memory* memory, Request& request) {
  TOPHAND_FIELD_CHECK(parse_instructions(root["instructions"], request));
  TOPHAND_FIELD_CHECK(parse_earlier(root["previous_response_id"], memory, request));
  const Field input = root["input"];
  if (input.is_string()) {
    TOPHAND_FIELD(text, input.string());
    request.load_only = text.empty();  // how clients warm a model up
    if (!text.empty()) request.messages.push_back({Role::kUser, {TextBlock{std::move(text)}}});
    return {};
  }
  if (!input.is_array()) return input.expected("a string or an array");
  const std::size_t before = blocks_of(request);
  TOPHAND_FIELD(whole, with_stored_items(input, memory));
  if (whole.is_null()) {
    TOPHAND_FIELD_CHECK(parse_items(input, request));
  } else {
    request.whole_input_json = dump_json(whole);
    Json holder = Json::object();  // so that complaints name the field
    holder["input"] = std::move(whole);
    const Field named(holder, PathStyle::kBrackets);
    TOPHAND_FIELD_CHECK(parse_items(named["input"], request));
  }
  if (blocks_of(request) == before)
    return input.refused("expected at least one item with content, found none");
  return {};
}

}  // namespace tophand::chat

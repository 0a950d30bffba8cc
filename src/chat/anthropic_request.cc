// Requests of the Anthropic Messages API. docs/protocols/anthropic-messages.md says what is
// accepted.
#include <algorithm>
#include <iterator>

#include "base/json.h"
#include "chat/document_text.h"
#include "chat/request_parsers.h"
#include "chat/tool_id.h"

namespace tophand::chat {
namespace {

constexpr std::string_view kEmptyText = "text content blocks must be non-empty";

Result<Block> parse_image(const Field& block) {
  const Field source = block["source"];
  if (!source.is_object()) return source.expected("an object");
  TOPHAND_FIELD(type, source["type"].string());
  if (type == "base64") {
    TOPHAND_FIELD(media_type, source["media_type"].string());
    TOPHAND_FIELD(data, source["data"].string());
    // Claude is sent the bytes as they came, and judges the label; others are told what it is.
    return Block(ImageBlock{image_type(data, media_type), data, {}});
  }
  if (type == "url") {
    TOPHAND_FIELD(url, source["url"].string());
    return Block(ImageBlock{{}, {}, url});
  }
  return Block(OpaqueBlock{"image", dump_json(block.tree())});  // {"type":"file","file_id":...}
}

// A tool result, and behind it the images that were in it: the conversation type keeps results as
// text. Names what else a model elsewhere cannot read.
Result<> parse_tool_result(const Field& block, Request& request, std::vector<Block>& blocks) {
  TOPHAND_FIELD(id, block["tool_use_id"].string());
  TOPHAND_FIELD(is_error, block["is_error"].bool_or(false));
  ToolResultBlock result{tool_id_from_wire(id), {}, {}, is_error};
  std::vector<Block> images;
  const Field content = block["content"];
  if (content.is_string()) {
    TOPHAND_FIELD(text, content.string());
    result.text = std::move(text);
  } else if (!content.absent() && !content.is_array()) {
    return content.expected("a string or an array");
  }
  for (std::size_t i = 0; content.is_array() && i < content.size(); ++i) {
    const Field part = content.at(i);
    if (!part.is_object()) return part.expected("an object");
    TOPHAND_FIELD(type, part["type"].string());
    if (type == "image") {
      TOPHAND_FIELD(image, parse_image(part));
      images.push_back(std::move(image));
    } else if (type == "text") {
      TOPHAND_FIELD(text, part["text"].string());
      if (!result.text.empty() && !text.empty()) result.text += '\n';
      result.text += text;
    } else if (type == "tool_reference") {  // found by a search over tools, all of which are sent
      TOPHAND_FIELD(name, part["tool_name"].string());
      if (!result.text.empty()) result.text += '\n';
      result.text += "The tool " + name + " can be called.";
    } else if (const auto text = document_text(part.view())) {
      if (!result.text.empty()) result.text += '\n';
      result.text += *text;
    } else {
      note_unsupported(request, type);
    }
  }
  blocks.emplace_back(std::move(result));
  std::ranges::move(images, std::back_inserter(blocks));
  return {};
}

Result<Block> parse_block(const Field& block) {
  if (!block.is_object()) return block.expected("an object");
  TOPHAND_FIELD(type, block["type"].string());
  if (type == "text") {
    TOPHAND_FIELD(text, block["text"].string());
    if (text.empty()) return block.refused(kEmptyText);
    return Block(TextBlock{text});
  }
  if (type == "image") return parse_image(block);
  if (type == "tool_use") {
    TOPHAND_FIELD(id, block["id"].string());
    TOPHAND_FIELD(name, block["name"].string());
    const Field input = block["input"];
    if (!input.is_object()) return input.expected("an object");
    return Block(ToolUseBlock{tool_id_from_wire(id), name, dump_json(input.tree())});
  }
  if (type == "thinking") {
    TOPHAND_FIELD(thinking, block["thinking"].string());
    TOPHAND_FIELD(signature, block["signature"].string_or(""));
    return Block(ThinkingBlock{thinking, signature});
  }
  return Block(OpaqueBlock{type, dump_json(block.tree())});
}

Result<std::vector<Block>> parse_content(const Field& content, Request& request) {
  std::vector<Block> blocks;
  if (content.is_string()) {
    TOPHAND_FIELD(text, content.string());
    if (!text.empty()) blocks.emplace_back(TextBlock{text});
    return blocks;
  }
  if (!content.is_array()) return content.expected("a string or an array");
  for (std::size_t i = 0; i < content.size(); ++i) {
    const Field part = content.at(i);
    if (string_or(part.view(), "type", "") == "tool_result") {
      TOPHAND_FIELD_CHECK(parse_tool_result(part, request, blocks));
      continue;
    }
    TOPHAND_FIELD(block, parse_block(part));
    blocks.push_back(std::move(block));
  }
  return blocks;
}

Result<> parse_system(const Field& system, Request& request) {
  if (system.absent()) return {};
  TOPHAND_FIELD(blocks, parse_content(system, request));
  for (const Block& block : blocks)
    if (!std::holds_alternative<TextBlock>(block))
      return system.refused("only text blocks can be system text");
  if (!blocks.empty()) request.messages.push_back({Role::kSystem, std::move(blocks)});
  return {};
}

Result<> parse_messages(const Field& messages, Request& request) {
  if (!messages.is_array()) return messages.expected("an array");
  if (messages.size() == 0) return messages.refused("at least one message is required");
  for (std::size_t i = 0; i < messages.size(); ++i) {
    const Field message = messages.at(i);
    if (!message.is_object()) return message.expected("an object");
    const Field role = message["role"];
    TOPHAND_FIELD(name, role.string());
    Message parsed;
    if (name == "user") parsed.role = Role::kUser;
    else if (name == "assistant") parsed.role = Role::kAssistant;
    else if (name == "system") parsed.role = Role::kSystem;
    else return role.refused("expected 'user', 'assistant' or 'system', found '" + name + "'");
    TOPHAND_FIELD(blocks, parse_content(message["content"], request));
    const bool last_assistant = i + 1 == messages.size() && parsed.role == Role::kAssistant;
    // Claude Code --bare sends a system message that is only there for its `output_config`.
    const bool may_be_empty = last_assistant || parsed.role == Role::kSystem;
    if (blocks.empty() && !may_be_empty)
      return message.refused(
          "all messages must have non-empty content except for the optional final assistant "
          "message");
    parsed.blocks = std::move(blocks);
    if (!parsed.blocks.empty()) request.messages.push_back(std::move(parsed));
  }
  return {};
}

// A tool of the client has an input_schema and no type, or "custom"; any other type is one that the
// vendor's servers run ("web_search_20250305").
Result<> parse_tools(const Field& tools, Request& request) {
  if (tools.absent()) return {};
  if (!tools.is_array()) return tools.expected("an array");
  for (std::size_t i = 0; i < tools.size(); ++i) {
    const Field tool = tools.at(i);
    if (!tool.is_object()) return tool.expected("an object");
    TOPHAND_FIELD(type, tool["type"].string_or("custom"));
    if (type != "custom") {
      leave_out(request, type);
      continue;
    }
    TOPHAND_FIELD(name, tool["name"].string());
    if (name.empty()) return tool["name"].refused("must not be empty");
    TOPHAND_FIELD(description, tool["description"].string_or(""));
    const Field schema = tool["input_schema"];
    if (!schema.is_object()) return schema.expected("an object");
    request.tools.push_back({name, description, dump_json(schema.tree())});
  }
  if (request.tools.empty() && !request.left_out.empty()) note_unsupported(request, "server_tool");
  return {};
}

Result<> parse_tool_choice(const Field& choice, Request& request) {
  if (choice.absent()) return {};
  if (!choice.is_object()) return choice.expected("an object");
  const Field type = choice["type"];
  TOPHAND_FIELD(kind, type.string());
  if (kind == "auto") request.tool_choice.kind = ToolChoice::Kind::kAuto;
  else if (kind == "any") request.tool_choice.kind = ToolChoice::Kind::kAny;
  else if (kind == "none") request.tool_choice.kind = ToolChoice::Kind::kNone;
  else if (kind == "tool") {
    request.tool_choice.kind = ToolChoice::Kind::kNamed;
    TOPHAND_FIELD(name, choice["name"].string());
    request.tool_choice.name = name;
    const bool known =
        std::ranges::any_of(request.tools, [&](const Tool& tool) { return tool.name == name; });
    if (!known && !request.left_out.empty()) note_unsupported(request, "server_tool");
  } else {
    return type.refused("expected 'auto', 'any', 'tool' or 'none', found '" + kind + "'");
  }
  TOPHAND_FIELD(serial, choice["disable_parallel_tool_use"].bool_or(false));
  request.tool_choice.parallel = !serial;
  return {};
}

Result<> parse_sampling(const Field& root, Request& request) {
  TOPHAND_FIELD(temperature, root["temperature"].number_within(0, 1));
  TOPHAND_FIELD(top_p, root["top_p"].number_within(0, 1));
  TOPHAND_FIELD(top_k, root["top_k"].integer_within(0, INT64_MAX));
  request.sampling.temperature = temperature;
  request.sampling.top_p = top_p;
  request.sampling.top_k = top_k;
  return {};
}

// {"type":"enabled", ...}, "adaptive" or "disabled"; anything else is Claude's to judge.
void parse_thinking(const Field& thinking, Request& request) {
  const Field type = thinking["type"];
  if (!type.is_string()) return;
  if (type.view().string() == "disabled") request.think = false;
  if (type.view().string() == "enabled" || type.view().string() == "adaptive") request.think = true;
}

// output_config.format = {"type":"json_schema","schema":{...}}
Result<> parse_output_format(const Field& root, Request& request) {
  const Field config = root["output_config"];
  const Field format = config["format"];
  if (!format.is_object() || !format["schema"].is_object()) return {};
  request.json_schema = dump_json(format["schema"].tree());
  return {};
}

// Conversations that the server holds (beta message-threads). None are held here: what begins one
// is answered like any request, what continues one learns that it is lost. The vendor's SDKs send
// the whole conversation then. It could not be left to Claude: a local model would see the last
// message alone, and the budget the price of that.
Result<> check_thread(const Field& thread) {
  if (thread.absent()) return {};
  if (!thread.is_object()) return thread.expected("an object");
  const Field type = thread["type"];
  TOPHAND_FIELD(kind, type.string());
  if (kind == "create") return {};
  if (kind != "continue")
    return type.refused("expected 'create' or 'continue', found '" + kind + "'");
  return lost_conversation(thread["previous_message_id"]);
}

}  // namespace

Result<> parse_anthropic_request(const Field& root, Request& request) {
  TOPHAND_FIELD_CHECK(check_thread(root["thread"]));
  TOPHAND_FIELD(model, root["model"].string());
  if (model.empty()) return root["model"].refused("must not be empty");
  request.model = std::move(model);
  const Field max_tokens_field = root["max_tokens"];
  if (max_tokens_field.absent()) return max_tokens_field.refused("Field required");
  TOPHAND_FIELD(max_tokens, max_tokens_field.integer_within(0, INT64_MAX));
  request.max_tokens = max_tokens;
  if (max_tokens == 0) note_unsupported(request, "max_tokens_0");  // fills Claude's cache only
  TOPHAND_FIELD_CHECK(parse_system(root["system"], request));
  TOPHAND_FIELD_CHECK(parse_messages(root["messages"], request));
  TOPHAND_FIELD_CHECK(parse_tools(root["tools"], request));
  TOPHAND_FIELD_CHECK(parse_tool_choice(root["tool_choice"], request));
  TOPHAND_FIELD_CHECK(parse_sampling(root, request));
  TOPHAND_FIELD(stop, root["stop_sequences"].strings());
  request.stop = std::move(stop);
  TOPHAND_FIELD(stream, root["stream"].bool_or(false));
  request.stream = stream;
  TOPHAND_FIELD_CHECK(parse_output_format(root, request));
  // Asks for a summary in place of an answer, in a form that only its vendor reads.
  if (!root["compaction"].absent()) note_unsupported(request, "compaction");
  parse_thinking(root["thinking"], request);
  parse_own_words(root, request);
  request.billing = read_anthropic_billing(root.view());
  return {};
}

}  // namespace tophand::chat

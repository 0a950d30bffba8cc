// Requests of OpenAI's Chat Completions API. docs/protocols/openai-chat.md says what is accepted.
#include <algorithm>
#include <string>
#include <unordered_map>
#include <vector>

#include "base/json.h"
#include "chat/prompt_cache.h"
#include "chat/request_parsers.h"

namespace tophand::chat {
namespace {

Result<std::vector<Block>> parse_parts(const Field& content, Request& request) {
  std::vector<Block> blocks;
  for (std::size_t i = 0; i < content.size(); ++i) {
    const Field part = content.at(i);
    if (!part.is_object()) return part.expected("an object");
    const Field type = part["type"];
    TOPHAND_FIELD(kind, type.string());
    const std::size_t before = blocks.size();
    if (kind == "text" || kind == "refusal") {
      TOPHAND_FIELD(text, part[kind].string());
      if (!text.empty()) blocks.emplace_back(TextBlock{text});
    } else if (kind == "image_url") {
      const Field image_url = part["image_url"];
      // Some clients send the address itself instead of {"url": ...}.
      const bool bare = image_url.is_string();
      TOPHAND_FIELD(image, parse_image_address(bare ? image_url : image_url["url"]));
      if (!bare) note_detail(image_url, image);
      blocks.push_back(std::move(image));
    } else if (kind == "file") {
      const Field inline_file = part["file"];
      if (!inline_file.is_object()) return inline_file.expected("an object");
      TOPHAND_FIELD(file, parse_file(inline_file));
      blocks.push_back(std::move(file));
    } else {
      return type.refused("content parts of type '" + kind + "' are not supported");
    }
    if (blocks.size() > before) take_cache_mark(part.view(), blocks.back(), request);
  }
  return blocks;
}

enum class NullContent : std::uint8_t { kRefused, kAllowed };

Result<std::vector<Block>> parse_content(const Field& content, NullContent null_content,
                                         Request& request) {
  if (content.absent() && null_content == NullContent::kAllowed) return std::vector<Block>();
  if (content.is_string()) {
    TOPHAND_FIELD(text, content.string());
    std::vector<Block> blocks;
    if (!text.empty()) blocks.emplace_back(TextBlock{text});
    return blocks;
  }
  if (!content.is_array()) return content.expected("a string or an array");
  return parse_parts(content, request);
}

Result<std::string> parse_arguments(const Field& arguments) {
  if (arguments.is_object()) return dump_json(arguments.tree());
  TOPHAND_FIELD(text, arguments.string_or(""));
  return arguments_as_object(text);
}

Result<> parse_tool_calls(const Field& calls, std::vector<Block>& blocks) {
  if (calls.absent()) return {};
  if (!calls.is_array()) return calls.expected("an array");
  for (std::size_t i = 0; i < calls.size(); ++i) {
    const Field call = calls.at(i);
    if (!call.is_object()) return call.expected("an object");
    TOPHAND_FIELD(id, call["id"].string_or(""));
    const Field custom = call["custom"];  // a call whose input is free text
    if (custom.is_object()) {
      TOPHAND_FIELD(name, custom["name"].string());
      TOPHAND_FIELD(input, custom["input"].string_or(""));
      Json wrapped = Json::object();
      wrapped["input"] = std::move(input);
      blocks.emplace_back(ToolUseBlock{id, name, dump_json(wrapped)});
      continue;
    }
    const Field function = call["function"];
    if (!function.is_object()) return function.expected("an object");
    TOPHAND_FIELD(name, function["name"].string());
    TOPHAND_FIELD(arguments, parse_arguments(function["arguments"]));
    blocks.emplace_back(ToolUseBlock{id, name, std::move(arguments)});
  }
  return {};
}

// What came before tool_calls: one call without an id. Its result, a message of the role
// `function`, has only its name, so the id is made of the place of the call in the conversation.
Result<> parse_function_call(const Field& call, Request& request, std::vector<Block>& blocks) {
  if (call.absent()) return {};
  if (!call.is_object()) return call.expected("an object");
  TOPHAND_FIELD(name, call["name"].string());
  TOPHAND_FIELD(arguments, parse_arguments(call["arguments"]));
  blocks.emplace_back(ToolUseBlock{"function_call_" + std::to_string(request.messages.size()), name,
                                   std::move(arguments)});
  return {};
}

using CallIds = std::unordered_map<std::string, std::string>;  // of the last call of each name

void note_calls(const std::vector<Block>& blocks, CallIds& ids) {
  for (const Block& block : blocks)
    if (const auto* call = std::get_if<ToolUseBlock>(&block)) ids[call->name] = call->id;
}

Result<> parse_tool_message(const Field& message, Request& request) {
  TOPHAND_FIELD(id, message["tool_call_id"].string());
  TOPHAND_FIELD(name, message["name"].string_or(""));
  TOPHAND_FIELD(blocks, parse_content(message["content"], NullContent::kAllowed, request));
  if (!blocks.empty()) take_cache_mark(message.view(), blocks.back(), request);
  add_tool_result({id, name, {}, false}, std::move(blocks), request);
  return {};
}

// A result without a call stays one, as other clients' do.
Result<> parse_function_message(const Field& message, const CallIds& calls, Request& request) {
  TOPHAND_FIELD(name, message["name"].string());
  TOPHAND_FIELD(blocks, parse_content(message["content"], NullContent::kAllowed, request));
  const auto call = calls.find(name);
  const std::string id = call == calls.end() ? "function_call" : call->second;
  add_tool_result({id, name, {}, false}, std::move(blocks), request);
  return {};
}

// What an assistant's turn thought, under the two names in which servers tell it.
std::string thoughts_of(const Field& message) {
  for (const char* name : {"reasoning_content", "reasoning"})
    if (const Field said = message[name]; said.is_string())
      return std::string(said.view().string());
  return {};
}

Result<> parse_message(const Field& message, CallIds& calls, Request& request) {
  if (!message.is_object()) return message.expected("an object");
  const Field role = message["role"];
  TOPHAND_FIELD(name, role.string());
  if (name == "tool") return parse_tool_message(message, request);
  if (name == "function") return parse_function_message(message, calls, request);
  Message parsed;
  if (name == "system" || name == "developer") parsed.role = Role::kSystem;
  else if (name == "user") parsed.role = Role::kUser;
  else if (name == "assistant") parsed.role = Role::kAssistant;
  else
    return role.refused(
        "expected 'developer', 'system', 'user', 'assistant', 'tool' or 'function', found '" +
        name + "'");
  const bool assistant = parsed.role == Role::kAssistant;
  TOPHAND_FIELD(blocks,
                parse_content(message["content"],
                              assistant ? NullContent::kAllowed : NullContent::kRefused, request));
  parsed.blocks = std::move(blocks);
  if (const Field speaker = message["name"]; speaker.is_string())
    parsed.name = std::string(speaker.view().string());
  if (assistant) {
    if (std::string thoughts = thoughts_of(message); !thoughts.empty())
      parsed.blocks.insert(parsed.blocks.begin(), ThinkingBlock{std::move(thoughts), {}});
    TOPHAND_FIELD(refusal, message["refusal"].string_or(""));  // stands beside the content
    if (!refusal.empty()) parsed.blocks.emplace_back(TextBlock{std::move(refusal)});
    TOPHAND_FIELD_CHECK(parse_tool_calls(message["tool_calls"], parsed.blocks));
    TOPHAND_FIELD_CHECK(parse_function_call(message["function_call"], request, parsed.blocks));
    note_calls(parsed.blocks, calls);
  }
  if (parsed.blocks.empty()) return {};
  take_cache_mark(message.view(), parsed.blocks.back(), request);
  request.messages.push_back(std::move(parsed));
  return {};
}

Result<> parse_messages(const Field& messages, Request& request) {
  if (!messages.is_array()) return messages.expected("an array");
  if (messages.size() == 0) return messages.refused("expected at least one message, found none");
  CallIds calls;
  for (std::size_t i = 0; i < messages.size(); ++i)
    TOPHAND_FIELD_CHECK(parse_message(messages.at(i), calls, request));
  if (request.messages.empty()) return messages.refused("every message is empty");
  return {};
}

Result<> parse_tool_choice(const Field& root, Request& request) {
  const Field choice = root["tool_choice"];
  auto& out = request.tool_choice;
  TOPHAND_FIELD(parallel, root["parallel_tool_calls"].bool_or(true));
  out.parallel = parallel;
  if (choice.absent()) return {};
  if (choice.is_string()) return parse_tool_mode(choice, request);
  if (!choice.is_object()) return choice.expected("a string or an object");
  const Field type = choice["type"];
  TOPHAND_FIELD(kind, type.string());
  if (kind == "allowed_tools") return parse_allowed_tools(choice, request);
  if (kind != "function")
    return type.refused("expected 'function' or 'allowed_tools', found '" + kind + "'");
  const Field function = choice["function"];
  const bool is_flat =
      function.absent() && !choice["name"].absent();  // as the Responses API has it
  TOPHAND_FIELD(name, (is_flat ? choice["name"] : function["name"]).string());
  out.kind = ToolChoice::Kind::kNamed;
  out.name = name;
  return {};
}

// -1 is what clients of LM Studio and llama-server send for none.
Result<std::optional<std::int64_t>> parse_limit(const Field& limit) {
  if (limit.is_number() && limit.view().number(0) == -1) return std::optional<std::int64_t>();
  return limit.integer_within(1, INT64_MAX);
}

// What came before tools, and is answered in its own form: one call at a time.
Result<> parse_old_functions(const Field& root, Request& request) {
  const Field functions = root["functions"], choice = root["function_call"];
  if (!functions.absent() && !functions.is_array()) return functions.expected("an array");
  if (functions.size() == 0) {
    if (choice.is_object()) return choice.refused("there are no `functions`");
    return {};
  }
  if (!request.tools.empty()) return functions.refused("expected these or `tools`, found both");
  for (std::size_t i = 0; i < functions.size(); ++i)
    TOPHAND_FIELD_CHECK(parse_function(functions.at(i), request));
  request.old_functions = true;
  auto& out = request.tool_choice;
  out = {.parallel = false};
  if (choice.absent()) return {};
  if (choice.is_object()) {
    TOPHAND_FIELD(name, choice["name"].string());
    out.kind = ToolChoice::Kind::kNamed;
    out.name = std::move(name);
    return {};
  }
  TOPHAND_FIELD(mode, choice.string());
  if (mode != "auto" && mode != "none")
    return choice.refused("expected 'auto', 'none' or a function's name in an object, found '" +
                          mode + "'");
  if (mode == "none") out.kind = ToolChoice::Kind::kNone;
  return {};
}

Result<> parse_limits(const Field& root, Request& request) {
  TOPHAND_FIELD(old_limit, parse_limit(root["max_tokens"]));
  TOPHAND_FIELD(limit, parse_limit(root["max_completion_tokens"]));
  request.max_tokens = limit ? limit : old_limit;
  return parse_openai_stop(root["stop"], request);
}

Result<> parse_response_format(const Field& format, Request& request) {
  if (format.absent()) return {};
  if (!format.is_object()) return format.expected("an object");
  const Field wrapper = format["json_schema"];
  const bool is_schema = string_or(format.view(), "type", "") == "json_schema";
  if (is_schema && wrapper.is_object() && wrapper["schema"].absent()) {  // it need not be there
    request.json_object = true;
    return {};
  }
  return parse_output_schema(format, wrapper, request);
}

// Who asks for speech has no use for an answer without it.
Result<> check_modalities(const Field& modalities) {
  TOPHAND_FIELD(wanted, modalities.strings());
  if (std::ranges::find(wanted, "audio") == wanted.end()) return {};
  return modalities.refused("audio is not supported, only text");
}

Result<> parse_output_options(const Field& root, Request& request) {
  TOPHAND_FIELD_CHECK(check_modalities(root["modalities"]));
  TOPHAND_FIELD(logprobs, root["logprobs"].bool_or(false));
  if (logprobs) leave_out(request, "logprobs");
  leave_out_logit_bias(root["logit_bias"], request);
  TOPHAND_FIELD_CHECK(parse_openai_stream(root, request));
  TOPHAND_FIELD_CHECK(parse_openai_answers(root, 1, request));
  parse_effort(root["reasoning_effort"], request);
  return parse_response_format(root["response_format"], request);
}

}  // namespace

Result<> parse_openai_request(const Field& root, Request& request) {
  TOPHAND_FIELD(model, root["model"].string());
  if (model.empty()) return root["model"].refused("must not be empty");
  request.model = std::move(model);
  TOPHAND_FIELD_CHECK(parse_messages(root["messages"], request));
  TOPHAND_FIELD_CHECK(parse_function_tools(root["tools"], request));
  TOPHAND_FIELD_CHECK(parse_tool_choice(root, request));
  TOPHAND_FIELD_CHECK(parse_old_functions(root, request));
  TOPHAND_FIELD_CHECK(parse_openai_sampling(root, request));
  TOPHAND_FIELD_CHECK(parse_limits(root, request));
  TOPHAND_FIELD_CHECK(parse_output_options(root, request));
  request.cache_ends = read_cache_mark(root.view());
  parse_own_words(root, request);
  return {};
}

}  // namespace tophand::chat

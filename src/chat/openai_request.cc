// Requests of OpenAI's Chat Completions API. docs/protocols/openai-chat.md says what is accepted.
#include "base/json.h"
#include "chat/request_parsers.h"

namespace tophand::chat {
namespace {

Result<Block> parse_image_part(const Field& part) {
  const Field image = part["image_url"];
  // Some clients send the address itself instead of {"url": ...}.
  const Field address = image.is_string() ? image : image["url"];
  TOPHAND_FIELD(url, address.string());
  if (auto data = parse_data_uri(url))
    return Block(ImageBlock{std::move(data->media_type), std::move(data->base64), {}});
  if (url.starts_with("data:")) return address.refused("expected a base64 data URI");
  return Block(ImageBlock{{}, {}, url});
}

// A PDF given inline becomes the Claude API's document block, which is what could read it.
Result<Block> parse_file_part(const Field& part) {
  const Field file = part["file"];
  if (!file.is_object()) return file.expected("an object");
  TOPHAND_FIELD(file_data, file["file_data"].string_or(""));
  const auto data = parse_data_uri(file_data);
  if (!data || data->media_type != "application/pdf")
    return part.refused("only files given inline as a base64 PDF data URI are supported");
  Json document = Json::object();
  document["type"] = "document";
  document["source"] = {
      {"type", "base64"}, {"media_type", data->media_type}, {"data", data->base64}};
  return Block(OpaqueBlock{"document", dump_json(document)});
}

Result<std::vector<Block>> parse_parts(const Field& content) {
  std::vector<Block> blocks;
  for (std::size_t i = 0; i < content.size(); ++i) {
    const Field part = content.at(i);
    if (!part.is_object()) return part.expected("an object");
    const Field type = part["type"];
    TOPHAND_FIELD(kind, type.string());
    if (kind == "text" || kind == "refusal") {
      TOPHAND_FIELD(text, part[kind].string());
      if (!text.empty()) blocks.emplace_back(TextBlock{text});
    } else if (kind == "image_url") {
      TOPHAND_FIELD(image, parse_image_part(part));
      blocks.push_back(std::move(image));
    } else if (kind == "file") {
      TOPHAND_FIELD(file, parse_file_part(part));
      blocks.push_back(std::move(file));
    } else {
      return type.refused("content parts of type '" + kind + "' are not supported");
    }
  }
  return blocks;
}

enum class NullContent : std::uint8_t { kRefused, kAllowed };

Result<std::vector<Block>> parse_content(const Field& content, NullContent null_content) {
  if (content.absent() && null_content == NullContent::kAllowed) return std::vector<Block>();
  if (content.is_string()) {
    TOPHAND_FIELD(text, content.string());
    std::vector<Block> blocks;
    if (!text.empty()) blocks.emplace_back(TextBlock{text});
    return blocks;
  }
  if (!content.is_array()) return content.expected("a string or an array");
  return parse_parts(content);
}

Result<> parse_tool_calls(const Field& calls, std::vector<Block>& blocks) {
  if (calls.absent()) return {};
  if (!calls.is_array()) return calls.expected("an array");
  for (std::size_t i = 0; i < calls.size(); ++i) {
    const Field call = calls.at(i);
    if (!call.is_object()) return call.expected("an object");
    TOPHAND_FIELD(id, call["id"].string_or(""));
    const Field function = call["function"];
    if (!function.is_object()) return function.expected("an object");
    TOPHAND_FIELD(name, function["name"].string());
    const Field arguments = function["arguments"];
    if (arguments.is_object()) {
      blocks.emplace_back(ToolUseBlock{id, name, dump_json(arguments.json())});
      continue;
    }
    TOPHAND_FIELD(text, arguments.string_or(""));
    blocks.emplace_back(ToolUseBlock{id, name, arguments_as_object(text)});
  }
  return {};
}

std::string joined_text(const std::vector<Block>& blocks) {
  std::string out;
  for (const Block& block : blocks) {
    const auto* text = std::get_if<TextBlock>(&block);
    if (text == nullptr) continue;
    if (!out.empty()) out += '\n';
    out += text->text;
  }
  return out;
}

// Several tool messages in a row answer one assistant turn: one user message here.
Result<> parse_tool_message(const Field& message, Request& request) {
  TOPHAND_FIELD(id, message["tool_call_id"].string());
  TOPHAND_FIELD(name, message["name"].string_or(""));
  TOPHAND_FIELD(blocks, parse_content(message["content"], NullContent::kAllowed));
  for (const Block& block : blocks)
    if (!std::holds_alternative<TextBlock>(block))
      return message["content"].refused("tool messages can hold text only");
  auto& messages = request.messages;
  const bool continues = !messages.empty() && messages.back().role == Role::kUser &&
                         std::holds_alternative<ToolResultBlock>(messages.back().blocks.front());
  if (!continues) messages.push_back({Role::kUser, {}});
  messages.back().blocks.emplace_back(ToolResultBlock{id, name, joined_text(blocks), false});
  return {};
}

Result<> parse_message(const Field& message, Request& request) {
  if (!message.is_object()) return message.expected("an object");
  const Field role = message["role"];
  TOPHAND_FIELD(name, role.string());
  if (name == "tool") return parse_tool_message(message, request);
  Message parsed;
  if (name == "system" || name == "developer") parsed.role = Role::kSystem;
  else if (name == "user") parsed.role = Role::kUser;
  else if (name == "assistant") parsed.role = Role::kAssistant;
  else
    return role.refused("expected 'developer', 'system', 'user', 'assistant' or 'tool', found '" +
                        name + "'");
  const bool assistant = parsed.role == Role::kAssistant;
  TOPHAND_FIELD(blocks, parse_content(message["content"],
                                      assistant ? NullContent::kAllowed : NullContent::kRefused));
  parsed.blocks = std::move(blocks);
  if (assistant) TOPHAND_FIELD_CHECK(parse_tool_calls(message["tool_calls"], parsed.blocks));
  if (!parsed.blocks.empty()) request.messages.push_back(std::move(parsed));
  return {};
}

Result<> parse_messages(const Field& messages, Request& request) {
  if (!messages.is_array()) return messages.expected("an array");
  if (messages.size() == 0) return messages.refused("expected at least one message, found none");
  for (std::size_t i = 0; i < messages.size(); ++i)
    TOPHAND_FIELD_CHECK(parse_message(messages.at(i), request));
  if (request.messages.empty()) return messages.refused("every message is empty");
  return {};
}

Result<> parse_tool_choice(const Field& root, Request& request) {
  const Field choice = root["tool_choice"];
  auto& out = request.tool_choice;
  TOPHAND_FIELD(parallel, root["parallel_tool_calls"].bool_or(true));
  out.parallel = parallel;
  if (choice.absent()) return {};
  if (choice.is_string()) {
    TOPHAND_FIELD(kind, choice.string());
    if (kind == "auto") out.kind = ToolChoice::Kind::kAuto;
    else if (kind == "none") out.kind = ToolChoice::Kind::kNone;
    else if (kind == "required") out.kind = ToolChoice::Kind::kAny;
    else return choice.refused("expected 'none', 'auto' or 'required', found '" + kind + "'");
    return {};
  }
  if (!choice.is_object()) return choice.expected("a string or an object");
  const Field type = choice["type"];
  TOPHAND_FIELD(kind, type.string());
  if (kind != "function") return type.refused("expected 'function', found '" + kind + "'");
  const Field function = choice["function"];
  TOPHAND_FIELD(name, function["name"].string());
  out.kind = ToolChoice::Kind::kNamed;
  out.name = name;
  return {};
}

// top_k, min_p and repetition_penalty are not OpenAI's, but local servers all take them.
Result<> parse_sampling(const Field& root, Request& request) {
  auto& out = request.sampling;
  TOPHAND_FIELD(temperature, root["temperature"].number_within(0, 2));
  TOPHAND_FIELD(top_p, root["top_p"].number_within(0, 1));
  TOPHAND_FIELD(min_p, root["min_p"].number_within(0, 1));
  TOPHAND_FIELD(top_k, root["top_k"].optional_integer());
  TOPHAND_FIELD(seed, root["seed"].optional_integer());
  TOPHAND_FIELD(presence, root["presence_penalty"].number_within(-2, 2));
  TOPHAND_FIELD(frequency, root["frequency_penalty"].number_within(-2, 2));
  TOPHAND_FIELD(repetition, root["repetition_penalty"].number_within(0, 10));
  out = {.temperature = temperature,
         .top_p = top_p,
         .min_p = min_p,
         .repeat_penalty = repetition,
         .presence_penalty = presence,
         .frequency_penalty = frequency,
         .top_k = top_k,
         .seed = seed};
  return {};
}

Result<> parse_limits(const Field& root, Request& request) {
  TOPHAND_FIELD(old_limit, root["max_tokens"].integer_within(1, INT64_MAX));
  TOPHAND_FIELD(limit, root["max_completion_tokens"].integer_within(1, INT64_MAX));
  request.max_tokens = limit ? limit : old_limit;
  const Field stop = root["stop"];
  if (stop.is_string()) {
    request.stop = {stop.json().get<std::string>()};
    return {};
  }
  if (!stop.absent() && !stop.is_array()) return stop.expected("a string or an array of strings");
  TOPHAND_FIELD(stops, stop.strings());
  request.stop = std::move(stops);
  return {};
}

Result<> parse_response_format(const Field& format, Request& request) {
  if (format.absent()) return {};
  if (!format.is_object()) return format.expected("an object");
  const Field type = format["type"];
  TOPHAND_FIELD(kind, type.string());
  if (kind == "text") return {};
  if (kind == "json_object") {
    request.json_object = true;
    return {};
  }
  if (kind != "json_schema")
    return type.refused("expected 'text', 'json_object' or 'json_schema', found '" + kind + "'");
  const Field wrapper = format["json_schema"];
  const Field schema = wrapper["schema"];
  if (!schema.is_object()) return schema.expected("an object");
  request.json_schema = dump_json(schema.json());
  return {};
}

Result<> parse_output_options(const Field& root, Request& request) {
  TOPHAND_FIELD(n, root["n"].optional_integer());
  if (n && *n != 1) return root["n"].refused("only 1 answer a request is supported");
  TOPHAND_FIELD(logprobs, root["logprobs"].bool_or(false));
  if (logprobs) return root["logprobs"].refused("log probabilities are not supported");
  TOPHAND_FIELD(stream, root["stream"].bool_or(false));
  request.stream = stream;
  const Field options = root["stream_options"];
  if (!options.absent() && !options.is_object()) return options.expected("an object");
  TOPHAND_FIELD(include_usage, options["include_usage"].bool_or(false));
  request.include_usage = include_usage;
  // Efforts are words for reasoning models; a local one knows only thinking and not thinking.
  const Field effort = root["reasoning_effort"];
  if (effort.is_string()) request.think = effort.json() != "none" && effort.json() != "minimal";
  return parse_response_format(root["response_format"], request);
}

}  // namespace

Result<Request> parse_openai_request(const Field& root) {
  Request request;
  TOPHAND_FIELD(model, root["model"].string());
  if (model.empty()) return root["model"].refused("must not be empty");
  request.model = std::move(model);
  TOPHAND_FIELD_CHECK(parse_messages(root["messages"], request));
  TOPHAND_FIELD_CHECK(parse_function_tools(root["tools"], request));
  TOPHAND_FIELD_CHECK(parse_tool_choice(root, request));
  TOPHAND_FIELD_CHECK(parse_sampling(root, request));
  TOPHAND_FIELD_CHECK(parse_limits(root, request));
  TOPHAND_FIELD_CHECK(parse_output_options(root, request));
  parse_own_metadata(root["metadata"], request);
  return request;
}

}  // namespace tophand::chat

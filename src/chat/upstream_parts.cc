#include "chat/upstream_parts.h"

#include <algorithm>
#include <array>
#include <optional>
#include <unordered_map>
#include <utility>

#include "base/json.h"

namespace tophand::chat {

std::string string_member(JsonView object, std::string_view key) {
  return std::string(string_or(object, key, ""));
}

namespace {

// `text` with null for the words that are no JSON; nothing when there are none. Inside strings they
// are text.
std::optional<std::string> without_words(std::string_view text) {
  constexpr std::array<std::string_view, 3> kWords{"NaN", "-Infinity", "Infinity"};
  std::string out;
  std::size_t from = 0;
  bool in_string = false;
  for (std::size_t at = 0; at < text.size(); ++at) {
    if (text[at] == '"') in_string = !in_string;
    if (text[at] == '\\') ++at;  // only strings hold one
    if (in_string) continue;
    for (const std::string_view word : kWords) {
      if (!text.substr(at).starts_with(word)) continue;
      out.append(text, from, at - from).append("null");
      from = at + word.size();
      at = from - 1;
      break;
    }
  }
  if (from == 0) return std::nullopt;
  return out.append(text, from);
}

}  // namespace

Result<JsonDocument> parse_answer_json(std::string_view text) {
  auto parsed = JsonDocument::parse(text);
  if (parsed) return parsed;
  const auto mended = without_words(text);
  return mended ? JsonDocument::parse(*mended) : std::move(parsed);
}

bool tells_error(JsonView holder) {
  const JsonView error = holder["error"];
  switch (error.kind()) {
    case JsonView::Kind::kNull:
      return false;
    case JsonView::Kind::kBoolean:
      return error.boolean(false);
    case JsonView::Kind::kString:
      return !error.string().empty();
    case JsonView::Kind::kObject:
    case JsonView::Kind::kArray:
      return error.size() > 0;
    default:
      return true;  // a number
  }
}

std::string stated_arguments(JsonView function) {
  const JsonView arguments = function["arguments"];
  if (arguments.is_null()) return "";
  return arguments.is_string() ? std::string(arguments.string()) : dump_json(arguments.tree());
}

std::string_view usual_effort(const Request& request) {
  return request.effort == "xhigh" ? std::string_view("high") : std::string_view(request.effort);
}

std::vector<JsonView> list_of_calls(JsonView calls) {
  if (calls.is_object()) return {calls};
  std::vector<JsonView> out;
  for (const JsonView call : calls) out.push_back(call);
  return out;
}

std::int64_t stated_tokens(JsonView object, std::string_view key, std::int64_t fallback) {
  const std::int64_t stated = int_or(object, key, fallback);
  return stated > kStatedTokensMax ? fallback : std::max<std::int64_t>(0, stated);
}

std::vector<Message> with_tool_names(std::vector<Message> messages) {
  std::unordered_map<std::string, std::string> names;  // by call id
  for (Message& message : messages)
    for (Block& block : message.blocks) {
      if (const auto* tool = std::get_if<ToolUseBlock>(&block)) {
        names[tool->id] = tool->name;
        continue;
      }
      auto* result = std::get_if<ToolResultBlock>(&block);
      if (result == nullptr || !result->tool_name.empty()) continue;
      const auto name = names.find(result->tool_use_id);
      if (name != names.end()) result->tool_name = name->second;
    }
  return messages;
}

std::string text_of(const Message& message) {
  std::string out;
  for (const Block& block : message.blocks) {
    const auto* text = std::get_if<TextBlock>(&block);
    if (text == nullptr || text->text.empty()) continue;
    if (!out.empty()) out += '\n';
    out += text->text;
  }
  return out;
}

std::string local_thinking_of(const Message& message) {
  std::string out;
  for (const Block& block : message.blocks) {
    const auto* thinking = std::get_if<ThinkingBlock>(&block);
    if (thinking == nullptr || !thinking->signature.empty()) continue;
    if (!out.empty()) out += '\n';
    out += thinking->thinking;
  }
  return out;
}

std::string tool_result_text(const ToolResultBlock& result) {
  return result.is_error ? "Error: " + result.text : result.text;
}

std::string_view role_name(Role role) {
  switch (role) {
    case Role::kSystem:
      return "system";
    case Role::kUser:
      return "user";
    case Role::kAssistant:
      break;
  }
  return "assistant";
}

std::string json_instruction(const Request& request) {
  std::string text =
      request.tools.empty() ? "Answer with " : "Unless you call a tool, answer with ";
  if (request.json_schema.empty()) return text + "one JSON object and nothing else.";
  return text + "JSON that fits this JSON Schema, and nothing else: " + request.json_schema;
}

namespace {

// OpenAI's models and others take no object that does not say what is in it, though nothing is.
Json parameters_of(const Tool& tool) {
  auto given = parse_json(tool.input_schema_json);
  Json schema = given && given->is_object() ? std::move(*given) : Json::object();
  if (schema.empty()) schema["type"] = "object";
  const bool says_more = schema.contains("properties") || schema.contains("anyOf") ||
                         schema.contains("oneOf") || schema.contains("allOf") ||
                         schema.contains("$ref");
  if (string_or(schema, "type", "") == "object" && !says_more)
    schema["properties"] = Json::object();
  return schema;
}

}  // namespace

Json function_tools(const std::vector<Tool>& tools, const ToolChoice& choice) {
  Json out = Json::array();
  for (const Tool& tool : tools) {
    if (choice.kind == ToolChoice::Kind::kNamed && tool.name != choice.name) continue;
    Json function = Json::object();
    function["name"] = tool.name;
    if (!tool.description.empty()) function["description"] = tool.description;
    function["parameters"] = parameters_of(tool);
    if (tool.strict) function["strict"] = *tool.strict;
    Json item = Json::object();
    item["type"] = "function";
    item["function"] = std::move(function);
    out.push_back(std::move(item));
  }
  return out;
}

}  // namespace tophand::chat

#include "chat/dialect.h"

#include <algorithm>
#include <array>

#include "base/ascii.h"
#include "base/json.h"
#include "chat/json_span.h"
#include "chat/media_places.h"
#include "chat/prompt_cache.h"
#include "chat/request_parsers.h"

namespace tophand::chat {
namespace {

bool is_ollama(Dialect dialect) {
  return dialect == Dialect::kOllamaChat || dialect == Dialect::kOllamaGenerate;
}

// JSON leaves the meaning of repeated keys open; readers differ. For what decides price and route,
// a body that says it twice is refused instead of interpreted.
Result<> check_said_once(std::string_view body) {
  constexpr std::array<std::string_view, 12> kKeys{
      "model", "max_tokens",  "stream",        "system",        "messages",           "tools",
      "speed", "mcp_servers", "inference_geo", "cache_control", "context_management", "fallbacks"};
  std::array<int, kKeys.size()> seen{};
  const auto members = object_members(body, {0, body.size()});
  if (!members) return {};
  for (const Member& member : *members)
    for (std::size_t i = 0; i < kKeys.size(); ++i) {
      const Span key = member.key;
      if (!string_spells(body.substr(key.begin, key.end - key.begin), kKeys[i])) continue;
      if (++seen[i] > 1) return fail_field(std::string(kKeys[i]), "given more than once");
    }
  return {};
}

// A call that is demanded has to be possible. Where tools of the vendor's were left out, one of
// those may be meant; so may one of an MCP server, whose tools are not in the request.
Result<> check_demanded_call(const Request& request, JsonView root) {
  const ToolChoice& choice = request.tool_choice;
  const auto may_be_a_tool = [](std::string_view what) {
    return !what.ends_with("logprobs") && what != "logit_bias";
  };
  if (std::ranges::any_of(request.left_out, may_be_a_tool)) return {};
  if (root["mcp_servers"].is_there()) return {};
  if (choice.kind == ToolChoice::Kind::kAny && request.tools.empty())
    return fail_field("tool_choice", "a call is required, and there are no tools");
  const auto has_name = [&](const Tool& tool) { return tool.name == choice.name; };
  if (choice.kind == ToolChoice::Kind::kNamed && std::ranges::none_of(request.tools, has_name))
    return fail_field("tool_choice", "'" + choice.name + "' is not among the tools");
  return {};
}

Result<> parse_fields(Dialect dialect, JsonView json, Memory* memory, Request& request) {
  switch (dialect) {
    case Dialect::kAnthropicMessages:
      return parse_anthropic_request(Field(json, PathStyle::kDots), request);
    case Dialect::kOpenAiChat:
      return parse_openai_request(Field(json, PathStyle::kBrackets), request);
    case Dialect::kOpenAiResponses:
      return parse_responses_request(Field(json, PathStyle::kBrackets), memory, request);
    case Dialect::kOpenAiCompletions:
      return parse_completions_request(Field(json, PathStyle::kBrackets), request);
    case Dialect::kOllamaChat:
    case Dialect::kOllamaGenerate:
      break;
  }
  return parse_ollama_request(Field(json, PathStyle::kBrackets),
                              dialect == Dialect::kOllamaGenerate, request);
}

void add_once(std::vector<std::string>& list, std::string_view what) {
  if (std::find(list.begin(), list.end(), what) == list.end()) list.emplace_back(what);
}

}  // namespace

Result<> read_request(Dialect dialect, std::string_view body, Memory* memory, Request& request) {
  if (body.find_first_not_of(" \t\r\n") == std::string_view::npos)
    return fail(Code::kInvalid, is_ollama(dialect)
                                    ? "missing request body"
                                    : "the request body is empty: expected a JSON object");
  bool may_repeat = false;
  TOPHAND_FIELD(document, JsonDocument::parse(body, may_repeat));
  const JsonView json = document.root();
  if (!json.is_object())
    return fail(Code::kInvalid,
                "the request body is " + std::string(json_type(json)) + ": expected a JSON object");
  if (may_repeat) TOPHAND_FIELD_CHECK(check_said_once(body));
  TOPHAND_FIELD_CHECK(parse_fields(dialect, json, memory, request));
  move_media_to_user_turns(request);
  std::erase(request.stop, "");  // would stop everything, and some servers refuse it
  return check_demanded_call(request, json);
}

Result<Request> parse_request(Dialect dialect, std::string_view body, Memory* memory) {
  Request request;
  TOPHAND_FIELD_CHECK(read_request(dialect, body, memory, request));
  return request;
}

std::string_view stream_content_type(Dialect dialect) {
  return is_ollama(dialect) ? "application/x-ndjson" : "text/event-stream";
}

std::string_view answer_id_prefix(Dialect dialect) {
  switch (dialect) {
    case Dialect::kAnthropicMessages:
      return "msg_";
    case Dialect::kOpenAiResponses:
      return "resp_";
    case Dialect::kOpenAiCompletions:
      return "cmpl-";
    case Dialect::kOpenAiChat:
    case Dialect::kOllamaChat:
    case Dialect::kOllamaGenerate:
      break;
  }
  return "chatcmpl-";
}

void note_unsupported(Request& request, std::string_view what) {
  add_once(request.unsupported, what);
}

void note_unknown(Request& request, std::string_view what) {
  note_unsupported(request, what);
  leave_out(request, what);
}

void leave_out(Request& request, std::string_view what) {
  add_once(request.left_out, what);
}

void leave_out_logit_bias(const Field& bias, Request& request) {
  if (bias.is_object() && bias.size() > 0) leave_out(request, "logit_bias");
}

void parse_own_words(const Field& root, Request& request) {
  const auto take = [](const Field& field, std::string& into) {
    if (into.empty() && field.is_string()) into = std::string(field.view().string());
  };
  if (const Field metadata = root["metadata"]; metadata.is_object()) {
    take(metadata["priority"], request.priority);
    take(metadata["task_class"], request.task_class);
    take(metadata["egress"], request.egress);
    // Whoever wrote something else there meant to keep something.
    if (const Field egress = metadata["egress"]; !egress.absent() && !egress.is_string())
      request.egress = "not a word";
    take(metadata["deadline"], request.deadline);
    take(metadata["agent"], request.agent);
    take(metadata["user_id"], request.user);
    take(metadata["session_id"], request.session);
  }
  take(root["user"], request.user);
  const Field conversation = root["conversation"];
  take(conversation, request.session);
  if (conversation.is_object()) take(conversation["id"], request.session);
  take(root["prompt_cache_key"], request.session);
}

std::string arguments_as_object(std::string_view text) {
  if (const auto said = trimmed(text, " \t\r\n"); said.empty() || said == "null") return "{}";
  if (const auto parsed = parse_json(text); parsed && parsed->is_object()) return std::string(text);
  Json wrapped = Json::object();
  wrapped["invalid_arguments"] = std::string(text);
  return dump_json(wrapped);
}

Result<> parse_function(const Field& function, Request& request) {
  if (!function.is_object()) return function.expected("an object");
  TOPHAND_FIELD(name, function["name"].string());
  if (name.empty()) return function["name"].refused("must not be empty");
  TOPHAND_FIELD(description, function["description"].string_or(""));
  const Field parameters = function["parameters"];
  if (!parameters.absent() && !parameters.is_object()) return parameters.expected("an object");
  request.tools.push_back({name, description,
                           parameters.absent() ? "{}" : dump_json(parameters.tree()),
                           strict_of(function)});
  return {};
}

Result<> parse_function_tools(const Field& tools, Request& request) {
  if (tools.absent()) return {};
  if (!tools.is_array()) return tools.expected("an array");
  for (std::size_t i = 0; i < tools.size(); ++i) {
    const Field tool = tools.at(i);
    if (!tool.is_object()) return tool.expected("an object");
    TOPHAND_FIELD(type, tool["type"].string_or("function"));
    if (type != "function") {
      leave_out(request, type);
      continue;
    }
    TOPHAND_FIELD_CHECK(parse_function(tool["function"], request));
    const auto holder = tool["cache_control"].absent() ? tool["function"].view() : tool.view();
    request.tools.back().cache = take_cache_mark(holder, request);
  }
  return {};
}

tl::unexpected<Error> lost_conversation(const Field& id) {
  return fail(Code::kNotFound, id.path() + ": nothing is stored here: send the whole conversation",
              About::kThread);
}

std::optional<DataUri> parse_data_uri(std::string_view uri) {
  constexpr std::string_view kScheme = "data:", kBase64 = ";base64,";
  if (!uri.starts_with(kScheme)) return std::nullopt;
  const std::size_t mark = uri.substr(0, 256).find(kBase64);
  if (mark == std::string_view::npos) return std::nullopt;
  const std::string_view type = uri.substr(kScheme.size(), mark - kScheme.size());
  DataUri out{std::string(type.substr(0, type.find(';'))),
              std::string(uri.substr(mark + kBase64.size()))};
  std::erase_if(out.base64, [](char c) { return c == ' ' || (c >= '\t' && c <= '\r'); });
  return out;
}

std::string_view sniff_image_type(std::string_view base64) {
  // The magic numbers of PNG, JPEG, GIF and WebP (RIFF) as they look in base64; "<svg", "<?xml".
  if (base64.starts_with("iVBORw0KGg")) return "image/png";
  if (base64.starts_with("/9j/")) return "image/jpeg";
  if (base64.starts_with("R0lGOD")) return "image/gif";
  if (base64.starts_with("UklGR")) return "image/webp";
  if (base64.starts_with("PHN2Z") || base64.starts_with("PD94bWwg")) return "image/svg+xml";
  return "";
}

std::string image_type(std::string_view base64, std::string_view label) {
  if (const auto seen = sniff_image_type(base64); !seen.empty()) return std::string(seen);
  std::string type = lowered(label);
  return type == "image/jpg" || type == "image/pjpeg" ? "image/jpeg" : type;
}

}  // namespace tophand::chat

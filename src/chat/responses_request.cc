// Requests of OpenAI's Responses API, but for their input (responses_input.cc).
// docs/protocols/openai-responses.md says what is accepted.
#include "base/json.h"
#include "chat/prompt_cache.h"
#include "chat/request_parsers.h"

namespace tophand::chat {
namespace {

// Responses are remembered (previous_response_id), for a while; conversations and prompts are not.
Result<> check_storable(const Field& root, Request& request) {
  if (const Field conversation = root["conversation"]; !conversation.absent())
    return conversation.refused(
        "conversations are not stored here: send the items, or previous_response_id");
  if (const Field prompt = root["prompt"]; !prompt.absent())
    return prompt.refused("prompts are not stored here: send the text as instructions and input");
  TOPHAND_FIELD(store, root["store"].bool_or(true));
  request.store = store;
  TOPHAND_FIELD(background, root["background"].bool_or(false));
  if (background) return root["background"].refused("answers in the background are not supported");
  return {};
}

// Functions are the only tools that a model elsewhere can call: what the vendor runs itself
// (web_search, ...), free-text tools and namespaces of tools are left out.
Result<> parse_tools(const Field& tools, Request& request) {
  if (tools.absent()) return {};
  if (!tools.is_array()) return tools.expected("an array");
  for (std::size_t i = 0; i < tools.size(); ++i) {
    const Field tool = tools.at(i);
    if (!tool.is_object()) return tool.expected("an object");
    TOPHAND_FIELD(type, tool["type"].string());
    if (type != "function") {
      leave_out(request, type);
      continue;
    }
    TOPHAND_FIELD(name, tool["name"].string());
    if (name.empty()) return tool["name"].refused("must not be empty");
    TOPHAND_FIELD(description, tool["description"].string_or(""));
    const Field parameters = tool["parameters"];
    if (!parameters.absent() && !parameters.is_object()) return parameters.expected("an object");
    request.tools.push_back({name, description,
                             parameters.absent() ? "{}" : dump_json(parameters.tree()),
                             strict_of(tool), take_cache_mark(tool.view(), request)});
  }
  return {};
}

Result<> parse_tool_choice(const Field& root, Request& request) {
  auto& out = request.tool_choice;
  TOPHAND_FIELD(parallel, root["parallel_tool_calls"].bool_or(true));
  out.parallel = parallel;
  const Field choice = root["tool_choice"];
  if (choice.absent()) return {};
  if (choice.is_string()) return parse_tool_mode(choice, request);
  if (!choice.is_object()) return choice.expected("a string or an object");
  const Field type = choice["type"];
  TOPHAND_FIELD(kind, type.string());
  if (kind == "allowed_tools") return parse_allowed_tools(choice, request);
  if (kind != "function")
    return type.refused("tools of type '" + kind + "' are not available here; expected 'function'");
  TOPHAND_FIELD(name, choice["name"].string());
  out.kind = ToolChoice::Kind::kNamed;
  out.name = std::move(name);
  return {};
}

Result<> parse_output(const Field& root, Request& request) {
  TOPHAND_FIELD(limit, root["max_output_tokens"].integer_within(1, INT64_MAX));
  request.max_tokens = limit;
  TOPHAND_FIELD(logprobs, root["top_logprobs"].optional_integer());
  if (logprobs && *logprobs != 0) leave_out(request, "top_logprobs");
  TOPHAND_FIELD(stream, root["stream"].bool_or(false));
  request.stream = stream;
  request.include_usage = true;  // every answer carries it
  const Field reasoning = root["reasoning"];
  parse_effort(reasoning["effort"], request);
  const Field text = root["text"];
  const Field format = text["format"];
  if (format.absent()) return {};
  if (!format.is_object()) return format.expected("an object");
  return parse_output_schema(format, format, request);
}

// The settings that an answer repeats, with the API's defaults where none were given.
std::string echo_of(const Field& root) {
  Json out = Json::object();
  const auto echo = [&](const char* key, const Json& fallback) {
    const Field field = root[key];
    out[key] = field.absent() ? fallback : field.tree();
  };
  echo("instructions", nullptr);
  echo("max_output_tokens", nullptr);
  echo("metadata", Json::object());
  echo("parallel_tool_calls", true);
  echo("previous_response_id", nullptr);
  echo("reasoning", {{"effort", nullptr}, {"summary", nullptr}});
  out["store"] = false;  // the writer knows better
  echo("temperature", nullptr);
  echo("text", {{"format", {{"type", "text"}}}});
  echo("tool_choice", "auto");
  echo("tools", Json::array());
  echo("top_p", nullptr);
  out["truncation"] = "disabled";
  echo("user", nullptr);
  return dump_json(out);
}

}  // namespace

Result<> parse_responses_request(const Field& root, Memory* memory, Request& request) {
  TOPHAND_FIELD(model, root["model"].string());
  if (model.empty()) return root["model"].refused("must not be empty");
  request.model = std::move(model);
  TOPHAND_FIELD_CHECK(check_storable(root, request));
  TOPHAND_FIELD_CHECK(parse_responses_input(root, memory, request));
  TOPHAND_FIELD_CHECK(parse_tools(root["tools"], request));
  TOPHAND_FIELD_CHECK(parse_tool_choice(root, request));
  TOPHAND_FIELD_CHECK(parse_openai_sampling(root, request));
  TOPHAND_FIELD_CHECK(parse_output(root, request));
  request.cache_ends = read_cache_mark(root.view());
  parse_own_words(root, request);
  request.echo_json = echo_of(root);
  return {};
}

}  // namespace tophand::chat

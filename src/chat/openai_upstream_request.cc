// A request of any dialect as a body for an OpenAI-compatible server.
#include <algorithm>
#include <cstdint>
#include <utility>
#include <vector>

#include "base/json.h"
#include "base/json_text.h"
#include "chat/openai_upstream.h"
#include "chat/upstream_parts.h"

namespace tophand::chat {
namespace {

template <class T>
void put(Json& into, std::string_view key, const std::optional<T>& value) {
  if (value) into[std::string(key)] = *value;
}

Json image_part(const ImageBlock& image) {
  Json out = Json::object();
  out["type"] = "image_url";
  out["image_url"]["url"] =
      image.url.empty() ? "data:" + image.media_type + ";base64," + image.base64 : image.url;
  if (!image.detail.empty()) out["image_url"]["detail"] = image.detail;
  return out;
}

Json text_part(std::string_view text) {
  Json out = Json::object();
  out["type"] = "text";
  out["text"] = text;
  return out;
}

// Of a message with images. Where there is only text it is sent as a string: some servers'
// templates take nothing else.
Json content_parts(const Message& message) {
  Json parts = Json::array();
  for (const Block& block : message.blocks) {
    if (const auto* image = std::get_if<ImageBlock>(&block)) {
      parts.push_back(image_part(*image));
    } else if (const auto* text = std::get_if<TextBlock>(&block)) {
      if (!text->text.empty()) parts.push_back(text_part(text->text));
    }
  }
  return parts;
}

bool has_image(const Message& message) {
  return std::ranges::any_of(
      message.blocks, [](const Block& block) { return std::holds_alternative<ImageBlock>(block); });
}

// One message as it is sent; a conversation is most of a request's bytes, so no tree is made of it.
struct Turn {
  std::string_view role;
  std::string text;
  Json parts = nullptr;  // in place of the text
  std::string tool_call_id = {}, name = {}, reasoning = {};
  std::vector<const ToolUseBlock*> calls = {};
};

void write_turn(const Turn& turn, const OpenAiQuirks& quirks, JsonText& json) {
  json.open('{').key("role").string(turn.role).key("content");
  if (turn.parts.is_null()) json.string(turn.text);
  else json.raw(dump_json(turn.parts));
  if (turn.role == "tool") json.key("tool_call_id").string(turn.tool_call_id);
  if (!turn.name.empty()) json.key("name").string(turn.name);
  if (!turn.reasoning.empty()) json.key("reasoning_content").string(turn.reasoning);
  if (!turn.calls.empty()) {
    json.key("tool_calls").open('[');
    for (const ToolUseBlock* call : turn.calls) {
      json.open('{').key("id").string(call->id).key("type").string("function");
      json.key("function").open('{').key("name").string(call->name);
      json.key("arguments").string(call->input_json).close('}');
      if (quirks.beside_calls != nullptr)
        if (const auto beside = quirks.beside_calls->find(call->id);
            beside != quirks.beside_calls->end())
          json.key("extra_content").raw(beside->second);
      json.close('}');
    }
    json.close(']');
  }
  json.close('}');
}

// The messages in the order that chat templates insist on: one system message, at the start, and
// no two of the user's in a row, but for several speakers' where the server takes that.
class Messages {
 public:
  explicit Messages(const OpenAiQuirks& quirks) : quirks_(quirks) {}

  void add(const Message& message) {
    switch (message.role) {
      case Role::kSystem:
        return add_system(message);
      case Role::kUser:
        return add_user(message);
      case Role::kAssistant:
        return add_assistant(message);
    }
  }
  const std::vector<Turn>& turns() const { return turns_; }

 private:
  // Whether a message goes into the last turn: one of the same role, where the server's templates
  // insist on it; then the turn is nobody's by name, unless all of it is one speaker's.
  bool joins(std::string_view role, const std::string& name) {
    if (turns_.empty() || turns_.back().role != role) return false;
    std::string& last = turns_.back().name;
    if (last == name) return true;
    if (quirks_.system_anywhere && role != "system") return false;
    last.clear();
    return true;
  }

  void push_or_join(std::string_view role, std::string text, const std::string& name = {}) {
    if (!joins(role, name)) {
      turns_.push_back({.role = role, .text = std::move(text), .name = name});
    } else if (Turn& last = turns_.back(); last.parts.is_null()) {
      (last.text += "\n\n") += text;
    } else if (!text.empty()) {
      last.parts.push_back(text_part(text));
    }
  }

  void push_or_join_parts(Json parts, const std::string& name) {
    if (!joins("user", name)) {
      turns_.push_back({.role = "user", .text = {}, .parts = std::move(parts), .name = name});
      return;
    }
    Turn& last = turns_.back();
    if (last.parts.is_null()) {
      last.parts = Json::array();
      if (!last.text.empty()) last.parts.push_back(text_part(last.text));
    }
    for (Json& part : parts) last.parts.push_back(std::move(part));
  }

  void add_system(const Message& message) {
    std::string text = text_of(message);
    if (text.empty()) return;
    const bool leading = turns_.empty() || turns_.back().role == "system";
    if (leading) return push_or_join("system", std::move(text), message.name);
    if (quirks_.system_anywhere)
      turns_.push_back({.role = "system", .text = std::move(text), .name = message.name});
    else push_or_join("user", "<system>\n" + text + "\n</system>");
  }

  void add_user(const Message& message) {
    bool has_results = false;
    for (const Block& block : message.blocks) {
      const auto* result = std::get_if<ToolResultBlock>(&block);
      if (result == nullptr) continue;
      has_results = true;
      turns_.push_back({.role = "tool",
                        .text = tool_result_text(*result),
                        .tool_call_id = result->tool_use_id,
                        .name = result->tool_name});
    }
    if (has_image(message)) return push_or_join_parts(content_parts(message), message.name);
    std::string text = text_of(message);
    if (!has_results || !text.empty()) push_or_join("user", std::move(text), message.name);
  }

  void add_assistant(const Message& message) {
    Turn turn{.role = "assistant", .text = text_of(message), .name = message.name};
    for (const Block& block : message.blocks)
      if (const auto* tool = std::get_if<ToolUseBlock>(&block)) turn.calls.push_back(tool);
    using Back = OpenAiQuirks::ReasoningBack;
    const bool with_calls = quirks_.reasoning_back == Back::kWithCalls && !turn.calls.empty();
    if (with_calls || quirks_.reasoning_back == Back::kAlways)
      turn.reasoning = local_thinking_of(message);
    turns_.push_back(std::move(turn));
  }

  const OpenAiQuirks& quirks_;
  std::vector<Turn> turns_;
};

// Results without their tool's name are given it; most conversations have none and are not copied.
bool lacks_tool_names(const Request& request) {
  return std::ranges::any_of(request.messages, [](const Message& message) {
    return std::ranges::any_of(message.blocks, [](const Block& block) {
      const auto* result = std::get_if<ToolResultBlock>(&block);
      return result != nullptr && result->tool_name.empty();
    });
  });
}

void write_messages(const Request& request, const OpenAiQuirks& quirks, JsonText& json) {
  std::vector<Message> named;
  if (lacks_tool_names(request)) named = with_tool_names(request.messages);
  Messages messages(quirks);
  for (const Message& message : named.empty() ? request.messages : named) messages.add(message);
  json.open('[');
  for (const Turn& turn : messages.turns()) write_turn(turn, quirks, json);
  json.close(']');
}

Json tool_choice(const ToolChoice& choice, const OpenAiQuirks& quirks) {
  switch (choice.kind) {
    case ToolChoice::Kind::kAuto:
      return "auto";
    case ToolChoice::Kind::kAny:
      return "required";
    case ToolChoice::Kind::kNone:
      return "none";
    case ToolChoice::Kind::kNamed:
      break;
  }
  if (!quirks.named_tool_choice) return "required";
  Json out = Json::object();
  out["type"] = "function";
  out["function"]["name"] = choice.name;
  return out;
}

// The whole list of tools stays as it is from turn to turn, and with it the server's cached prompt.
void add_allowed_tools(const Request& request, Json& out) {
  Json allowed = Json::object();
  allowed["mode"] = request.tool_choice.kind == ToolChoice::Kind::kAny ? "required" : "auto";
  allowed["tools"] = Json::array();
  for (const Tool& tool : request.tools) {
    Json item = Json::object();
    item["type"] = "function";
    item["function"]["name"] = tool.name;
    allowed["tools"].push_back(std::move(item));
  }
  out["tools"] = function_tools(request.tools_of_caller, request.tool_choice);
  out["tool_choice"] = {{"type", "allowed_tools"}, {"allowed_tools", std::move(allowed)}};
}

void add_tools(const Request& request, const OpenAiQuirks& quirks, Json& out) {
  if (request.tools.empty()) return;
  const ToolChoice& choice = request.tool_choice;
  out["tools"] = function_tools(request.tools, choice);
  if (quirks.allowed_tools && !request.tools_of_caller.empty()) add_allowed_tools(request, out);
  else if (choice.kind != ToolChoice::Kind::kAuto) out["tool_choice"] = tool_choice(choice, quirks);
  if (!choice.parallel || quirks.says_parallel_calls) out["parallel_tool_calls"] = choice.parallel;
}

void add_sampling(const Sampling& sampling, const OpenAiQuirks& quirks, Json& out) {
  put(out, "temperature", sampling.temperature);
  put(out, "top_p", sampling.top_p);
  put(out, "seed", sampling.seed);
  put(out, "presence_penalty", sampling.presence_penalty);
  put(out, "frequency_penalty", sampling.frequency_penalty);
  if (quirks.repeat_penalty.empty()) return;
  put(out, "top_k", sampling.top_k);
  put(out, "min_p", sampling.min_p);
  put(out, quirks.repeat_penalty, sampling.repeat_penalty);
}

void add_format(const Request& request, const OpenAiQuirks& quirks, Json& out) {
  if (!quirks.response_format) return;
  if (!request.json_schema.empty()) {
    auto schema = parse_json(request.json_schema);
    Json format = Json::object();
    format["type"] = "json_schema";
    format["json_schema"]["name"] = request.json_name.empty() ? "answer" : request.json_name;
    if (!request.json_description.empty())
      format["json_schema"]["description"] = request.json_description;
    format["json_schema"]["schema"] =
        schema && schema->is_object() ? std::move(*schema) : Json::object();
    if (request.json_strict) format["json_schema"]["strict"] = *request.json_strict;
    out["response_format"] = std::move(format);
  } else if (request.json_object) {
    out["response_format"]["type"] = "json_object";
  }
}

void add_going_on(const Request& request, const OpenAiQuirks& quirks, Json& out) {
  if (request.messages.empty() || request.messages.back().role != Role::kAssistant) return;
  const std::vector<Block>& said = request.messages.back().blocks;
  const bool is_text = std::ranges::all_of(
      said, [](const Block& block) { return std::holds_alternative<TextBlock>(block); });
  if (said.empty() || !is_text) return;
  switch (quirks.going_on) {
    case OpenAiQuirks::GoingOn::kUnsaid:
      return;
    case OpenAiQuirks::GoingOn::kTemplate:
      out["add_generation_prompt"] = false;
      out["continue_final_message"] = true;
      return;
    case OpenAiQuirks::GoingOn::kContinue:
      out["continue_"] = true;
      return;
  }
}

void add_thinking(const Request& request, const OpenAiQuirks& quirks, Json& out) {
  if (!request.think) return;
  if (!request.effort.empty()) out["reasoning_effort"] = usual_effort(request);
  switch (quirks.thinking) {
    case OpenAiQuirks::Thinking::kUnsaid:
      return;
    case OpenAiQuirks::Thinking::kTemplateKwargs:
      out["chat_template_kwargs"]["enable_thinking"] = *request.think;
      // llama-server has the word from here only; templates without it pass over it.
      if (!request.effort.empty())
        out["chat_template_kwargs"]["reasoning_effort"] = usual_effort(request);
      return;
    case OpenAiQuirks::Thinking::kTopLevel:
      out["enable_thinking"] = *request.think;
      return;
    case OpenAiQuirks::Thinking::kEffort:
      if (!*request.think) out["reasoning_effort"] = "none";
      else out["reasoning_effort"] = request.effort.empty() ? "medium" : request.effort;
      return;
  }
}

void write_members(const Json& object, JsonText& json) {
  for (const auto& [key, value] : object.get_ref<const Json::object_t&>())
    json.key(key).raw(dump_json(value));
}

}  // namespace

std::string write_openai_request(const Request& request, std::string_view model,
                                 const OpenAiQuirks& quirks) {
  constexpr std::size_t kUsualBytes = 2048;
  std::string out;
  out.reserve(kUsualBytes);
  JsonText json(out);
  json.open('{').key("model").string(model);
  Json rest = Json::object();  // what few requests have
  if (request.raw_prompt) {
    std::string prompt;
    for (const Message& message : request.messages) prompt += text_of(message);
    json.key("prompt").string(prompt);
  } else {
    json.key("messages");
    write_messages(request, quirks, json);
    add_tools(request, quirks, rest);
    add_thinking(request, quirks, rest);
    add_going_on(request, quirks, rest);
    write_members(std::exchange(rest, Json::object()), json);
  }
  const std::int64_t limit = request.max_tokens.value_or(quirks.max_tokens_default);
  if (limit > 0 && limit <= quirks.room.value_or(INT64_MAX))
    json.key(quirks.max_tokens).number(limit);
  add_sampling(request.sampling, quirks, rest);
  add_format(request, quirks, rest);
  if (!request.stop.empty()) rest["stop"] = request.stop;
  write_members(rest, json);
  json.key("stream").boolean(request.stream);
  // Without it no server says what the answer cost.
  if (request.stream) json.key("stream_options").raw(R"({"include_usage":true})");
  json.close('}');
  return out;
}

}  // namespace tophand::chat

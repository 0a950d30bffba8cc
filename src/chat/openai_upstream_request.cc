// A request of any dialect as a body for an OpenAI-compatible server.
#include <utility>

#include "base/json.h"
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
  return out;
}

// A string where there is only text: some servers' templates take nothing else.
Json user_content(const Message& message) {
  bool has_image = false;
  Json parts = Json::array();
  for (const Block& block : message.blocks) {
    if (const auto* image = std::get_if<ImageBlock>(&block)) {
      parts.push_back(image_part(*image));
      has_image = true;
    } else if (const auto* text = std::get_if<TextBlock>(&block)) {
      if (text->text.empty()) continue;
      Json part = Json::object();
      part["type"] = "text";
      part["text"] = text->text;
      parts.push_back(std::move(part));
    }
  }
  return has_image ? parts : Json(text_of(message));
}

// The messages in the order that chat templates insist on: one system message, at the start, and
// no two of the user's in a row.
class Messages {
 public:
  explicit Messages(const OpenAiQuirks& quirks) : quirks_(quirks) {}

  void add(const Message& message) {
    switch (message.role) {
      case Role::kSystem:
        return add_system(text_of(message));
      case Role::kUser:
        return add_user(message);
      case Role::kAssistant:
        return add_assistant(message);
    }
  }
  Json take() { return std::move(list_); }

 private:
  void push(std::string_view role, Json content) {
    Json turn = Json::object();
    turn["role"] = role;
    turn["content"] = std::move(content);
    list_.push_back(std::move(turn));
  }

  // Appends to the last message when it is of this role and text, as the new one is.
  void push_or_join(std::string_view role, Json content) {
    const bool joins = !list_.empty() && list_.back()["role"] == role && content.is_string() &&
                       list_.back()["content"].is_string();
    if (!joins) return push(role, std::move(content));
    auto& text = list_.back()["content"].get_ref<std::string&>();
    text += "\n\n" + content.get<std::string>();
  }

  void add_system(const std::string& text) {
    if (text.empty()) return;
    const bool leading = list_.empty() || list_.back()["role"] == "system";
    if (leading) return push_or_join("system", text);
    if (quirks_.system_anywhere) return push("system", text);
    push_or_join("user", "<system>\n" + text + "\n</system>");
  }

  void add_user(const Message& message) {
    bool has_results = false;
    for (const Block& block : message.blocks) {
      const auto* result = std::get_if<ToolResultBlock>(&block);
      if (result == nullptr) continue;
      has_results = true;
      push("tool", tool_result_text(*result));
      list_.back()["tool_call_id"] = result->tool_use_id;
      if (!result->tool_name.empty()) list_.back()["name"] = result->tool_name;
    }
    Json content = user_content(message);
    if (has_results && content.is_string() && content.get_ref<std::string&>().empty()) return;
    push_or_join("user", std::move(content));
  }

  void add_assistant(const Message& message) {
    Json calls = Json::array();
    for (const Block& block : message.blocks) {
      const auto* tool = std::get_if<ToolUseBlock>(&block);
      if (tool == nullptr) continue;
      Json call = Json::object();
      call["id"] = tool->id;
      call["type"] = "function";
      call["function"] = {{"name", tool->name}, {"arguments", tool->input_json}};
      calls.push_back(std::move(call));
    }
    push("assistant", text_of(message));
    const std::string thinking = local_thinking_of(message);
    if (quirks_.takes_reasoning_back && !thinking.empty())
      list_.back()["reasoning_content"] = thinking;
    if (!calls.empty()) list_.back()["tool_calls"] = std::move(calls);
  }

  const OpenAiQuirks& quirks_;
  Json list_ = Json::array();
};

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

void add_tools(const Request& request, const OpenAiQuirks& quirks, Json& out) {
  if (request.tools.empty()) return;
  const ToolChoice& choice = request.tool_choice;
  out["tools"] = function_tools(request);
  if (choice.kind != ToolChoice::Kind::kAuto) out["tool_choice"] = tool_choice(choice, quirks);
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
    format["json_schema"]["name"] = "answer";
    format["json_schema"]["schema"] =
        schema && schema->is_object() ? std::move(*schema) : Json::object();
    out["response_format"] = std::move(format);
  } else if (request.json_object) {
    out["response_format"]["type"] = "json_object";
  }
}

void add_thinking(const Request& request, const OpenAiQuirks& quirks, Json& out) {
  if (!request.think) return;
  switch (quirks.thinking) {
    case OpenAiQuirks::Thinking::kUnsaid:
      return;
    case OpenAiQuirks::Thinking::kTemplateKwargs:
      out["chat_template_kwargs"]["enable_thinking"] = *request.think;
      return;
    case OpenAiQuirks::Thinking::kTopLevel:
      out["enable_thinking"] = *request.think;
      return;
    case OpenAiQuirks::Thinking::kEffort:
      out["reasoning_effort"] = *request.think ? "medium" : "none";
      return;
  }
}

}  // namespace

std::string write_openai_request(const Request& request, std::string_view model,
                                 const OpenAiQuirks& quirks) {
  Json out = Json::object();
  out["model"] = model;
  if (request.raw_prompt) {
    std::string prompt;
    for (const Message& message : request.messages) prompt += text_of(message);
    out["prompt"] = std::move(prompt);
  } else {
    Messages messages(quirks);
    for (const Message& message : with_tool_names(request.messages)) messages.add(message);
    out["messages"] = messages.take();
    add_tools(request, quirks, out);
    add_thinking(request, quirks, out);
  }
  if (request.max_tokens) out[std::string(quirks.max_tokens)] = *request.max_tokens;
  else if (quirks.max_tokens_default > 0)
    out[std::string(quirks.max_tokens)] = quirks.max_tokens_default;
  add_sampling(request.sampling, quirks, out);
  add_format(request, quirks, out);
  if (!request.stop.empty()) out["stop"] = request.stop;
  out["stream"] = request.stream;
  // Without it no server says what the answer cost.
  if (request.stream) out["stream_options"]["include_usage"] = true;
  return dump_json(out);
}

}  // namespace tophand::chat

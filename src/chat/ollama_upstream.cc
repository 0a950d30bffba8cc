#include "chat/ollama_upstream.h"

#include <algorithm>
#include <utility>

#include "base/ascii.h"
#include "base/json.h"
#include "chat/server_error.h"
#include "chat/upstream_parts.h"

namespace tophand::chat {
namespace {

constexpr std::int64_t kMsPerSecond = 1000;

template <class T>
void put(Json& into, const char* key, const std::optional<T>& value) {
  if (value) into[key] = *value;
}

Json options_of(const Request& request, const OllamaAsk& ask) {
  Json out = Json::object();
  out["num_ctx"] = ask.context_tokens;
  put(out, "num_predict", request.max_tokens);
  put(out, "temperature", request.sampling.temperature);
  put(out, "top_k", request.sampling.top_k);
  put(out, "top_p", request.sampling.top_p);
  put(out, "min_p", request.sampling.min_p);
  put(out, "repeat_penalty", request.sampling.repeat_penalty);
  put(out, "presence_penalty", request.sampling.presence_penalty);
  put(out, "frequency_penalty", request.sampling.frequency_penalty);
  put(out, "seed", request.sampling.seed);
  if (!request.stop.empty()) out["stop"] = request.stop;
  return out;
}

Json tool_message(const ToolResultBlock& result) {
  Json out = Json::object();
  out["role"] = "tool";
  out["content"] = tool_result_text(result);
  if (!result.tool_name.empty()) out["tool_name"] = result.tool_name;
  if (!result.tool_use_id.empty()) out["tool_call_id"] = result.tool_use_id;
  return out;
}

Json tool_call(const ToolUseBlock& tool, std::size_t index) {
  auto arguments = parse_json(tool.input_json);
  Json out = Json::object();
  if (!tool.id.empty()) out["id"] = tool.id;
  out["function"]["index"] = index;
  out["function"]["name"] = tool.name;
  out["function"]["arguments"] =
      arguments && arguments->is_object() ? std::move(*arguments) : Json::object();
  return out;
}

// One message can become several: each tool result is one of its own, before the text.
Result<> add_message(const Message& message, Json& list) {
  Json images = Json::array(), calls = Json::array();
  bool has_results = false;
  for (const Block& block : message.blocks) {
    if (const auto* image = std::get_if<ImageBlock>(&block)) {
      if (image->base64.empty())
        return tophand::fail(Code::kInvalid,
                             "Ollama takes images as their bytes only, not by their address",
                             About::kAbility);
      images.push_back(image->base64);
    } else if (const auto* tool = std::get_if<ToolUseBlock>(&block)) {
      calls.push_back(tool_call(*tool, calls.size()));
    } else if (const auto* result = std::get_if<ToolResultBlock>(&block)) {
      list.push_back(tool_message(*result));
      has_results = true;
    }
  }
  std::string text = text_of(message);
  if (has_results && text.empty() && images.empty() && calls.empty()) return {};
  Json turn = Json::object();
  turn["role"] = role_name(message.role);
  turn["content"] = std::move(text);
  if (std::string thinking = local_thinking_of(message); !thinking.empty())
    turn["thinking"] = std::move(thinking);
  if (!images.empty()) turn["images"] = std::move(images);
  if (!calls.empty()) turn["tool_calls"] = std::move(calls);
  list.push_back(std::move(turn));
  return {};
}

Result<> add_conversation(const Request& request, Json& out) {
  Json messages = Json::array();
  for (const Message& message : with_tool_names(request.messages))
    if (auto added = add_message(message, messages); !added) return added;
  out["messages"] = std::move(messages);
  // There is no tool_choice: a choice is made by leaving tools out.
  if (request.tool_choice.kind != ToolChoice::Kind::kNone && !request.tools.empty())
    out["tools"] = function_tools(request.tools, request.tool_choice);
  return {};
}

void add_format(const Request& request, Json& out) {
  if (!request.json_schema.empty()) {
    auto schema = parse_json(request.json_schema);
    out["format"] = schema && schema->is_object() ? std::move(*schema) : Json("json");
  } else if (request.json_object) {
    out["format"] = "json";
  }
}

// An object; servers that only speak Ollama's protocol also send its text, which is passed on as it
// is, so that a broken one is found out and not run.
std::string arguments_of(JsonView function) {
  std::string text = stated_arguments(function);
  return is_blank(text) ? "{}" : text;
}

// A line about the model's memory, not about an answer: it stands in one's place when the model was
// asked nothing, or was taken away.
bool is_about_loading(JsonView line) {
  const std::string_view reason = string_or(line, "done_reason", "");
  return reason == "load" || reason == "unload";
}

std::int64_t count_of(JsonView line, std::string_view key) {
  return std::max<std::int64_t>(0, int_or(line, key, 0));
}

}  // namespace

Result<std::string> write_ollama_request(const Request& request, const OllamaAsk& ask) {
  Json out = Json::object();
  out["model"] = ask.model;
  if (request.raw_prompt) {
    std::string prompt;
    for (const Message& message : request.messages) prompt += text_of(message);
    out["prompt"] = std::move(prompt);
    out["raw"] = true;
  } else if (auto added = add_conversation(request, out); !added) {
    return tl::unexpected(added.error());
  }
  out["stream"] = request.stream;
  out["options"] = options_of(request, ask);
  // A prompt that does not fit is refused and not cut (versions before 0.12 know neither field).
  out["truncate"] = false;
  out["shift"] = false;
  add_format(request, out);
  if (request.think && !request.raw_prompt && (ask.can_think || !*request.think)) {
    out["think"] = *request.think;
    if (ask.thinks_by_level && !request.effort.empty()) out["think"] = usual_effort(request);
  }
  if (request.keep_alive_ms)
    out["keep_alive"] =
        *request.keep_alive_ms < 0
            ? Json(-1)
            : Json(static_cast<double>(*request.keep_alive_ms) / double{kMsPerSecond});
  return dump_json(out);
}

void OllamaStreamReader::on_line(std::string_view line, std::vector<StreamEvent>& out) {
  if (finished_) return;
  const auto parsed = parse_answer_json(pairs_.joined(line));
  const JsonView root = parsed ? parsed->root() : JsonView();
  if (!root.is_object())
    return fail(
        Failed{{Code::kUpstream, "the answer cannot be read: " +
                                     (parsed ? "expected a JSON object" : parsed.error().message)},
               ""},
        out);
  if (tells_error(root)) return fail(read_server_error(0, line), out);
  if (!started_) {
    started_ = true;
    Started started;
    started.model = string_member(root, "model");
    out.emplace_back(std::move(started));
  }
  const JsonView message = root["message"];
  const JsonView source = message.is_object() ? message : root;  // /api/generate has no message
  if (std::string thinking = string_member(source, "thinking"); !thinking.empty())
    out.emplace_back(ThinkingDelta{std::move(thinking), {}});
  std::string text = string_member(source, message.is_object() ? "content" : "response");
  if (!text.empty()) out.emplace_back(TextDelta{std::move(text)});
  read_calls(message, out);
  if (root["done"].boolean(false) && !is_about_loading(root)) finish(root, out);
}

// Ollama gives each call whole, in one line.
void OllamaStreamReader::read_calls(JsonView message, std::vector<StreamEvent>& out) {
  for (const JsonView call : list_of_calls(message["tool_calls"])) {
    const JsonView function = call["function"];
    std::string id = string_member(call, "id");
    const std::string number = std::to_string(ids_.size());
    if (id.empty()) id = id_prefix_ + number;
    // Some servers give every call the same one: their results could not be told apart.
    if (ids_.contains(id)) id += "-" + number;
    ids_.insert(id);
    out.emplace_back(ToolUseStart{std::move(id), string_member(function, "name")});
    out.emplace_back(ToolUseDelta{arguments_of(function)});
    out.emplace_back(BlockEnd{});
  }
}

void OllamaStreamReader::finish(JsonView line, std::vector<StreamEvent>& out) {
  Finished done;
  const std::string_view reason = string_or(line, "done_reason", "stop");
  done.reason = reason == "length" ? StopReason::kMaxTokens : StopReason::kEndTurn;
  done.usage.input_tokens = stated_tokens(line, "prompt_eval_count", 0);
  done.usage.output_tokens = stated_tokens(line, "eval_count", 0);
  done.timing = {.load_ns = count_of(line, "load_duration"),
                 .prefill_ns = count_of(line, "prompt_eval_duration"),
                 .decode_ns = count_of(line, "eval_duration"),
                 .total_ns = count_of(line, "total_duration")};
  finished_ = true;
  out.emplace_back(std::move(done));
}

void OllamaStreamReader::on_end(std::vector<StreamEvent>& out) {
  if (finished_) return;
  fail(Failed{{Code::kUpstream, "the answer ended before it was finished"}, ""}, out);
}

void OllamaStreamReader::fail(Failed failure, std::vector<StreamEvent>& out) {
  finished_ = true;
  out.emplace_back(std::move(failure));
}

}  // namespace tophand::chat

// A request of any dialect as a body for the Claude API. docs/protocols/anthropic-messages.md,
// "What other dialects become".
#include <algorithm>
#include <cstdint>
#include <string>
#include <unordered_map>
#include <vector>

#include "base/ascii.h"
#include "base/json.h"
#include "chat/anthropic_schema.h"
#include "chat/prompt_cache.h"
#include "chat/tool_id.h"
#include "chat/upstream.h"
#include "chat/upstream_parts.h"

namespace tophand::chat {
namespace {

// The API refuses stop sequences of nothing but white space.
bool is_refused_stop(std::string_view stop) {
  return is_blank(stop);
}

Json object_or_empty(const std::string& text) {
  auto parsed = parse_json(text);
  return parsed && parsed->is_object() ? std::move(*parsed) : Json::object();
}

Json text_json(std::string text) {
  Json out = Json::object();
  out["type"] = "text";
  out["text"] = std::move(text);
  return out;
}

Json image_json(const ImageBlock& image) {
  Json source = Json::object();
  if (image.url.empty()) {
    source["type"] = "base64";
    source["media_type"] = image.media_type;
    source["data"] = image.base64;
  } else {
    source["type"] = "url";
    source["url"] = image.url;
  }
  Json out = Json::object();
  out["type"] = "image";
  out["source"] = std::move(source);
  return out;
}

Json unmarked_json(const Block& block) {
  if (const auto* text = std::get_if<TextBlock>(&block)) {
    return is_blank(text->text) ? Json(nullptr) : text_json(text->text);
  }
  if (const auto* image = std::get_if<ImageBlock>(&block)) return image_json(*image);
  Json out = Json::object();
  if (const auto* tool = std::get_if<ToolUseBlock>(&block)) {
    out["type"] = "tool_use";
    out["id"] = wire_tool_id(tool->id);
    out["name"] = tool->name;
    out["input"] = object_or_empty(tool->input_json);
    return out;
  }
  if (const auto* result = std::get_if<ToolResultBlock>(&block)) {
    out["type"] = "tool_result";
    out["tool_use_id"] = wire_tool_id(result->tool_use_id);
    if (!result->text.empty()) out["content"] = result->text;
    if (result->is_error) out["is_error"] = true;
    return out;
  }
  if (const auto* opaque = std::get_if<OpaqueBlock>(&block)) return object_or_empty(opaque->json);
  return nullptr;
}

CacheMark mark_of(const Block& block) {
  return std::visit(
      [](const auto& each) {
        if constexpr (requires { each.cache; }) return each.cache;
        else return CacheMark::kNone;
      },
      block);
}

// null for what is not sent: thinking, and text the API refuses because it is empty.
Json block_json(const Block& block) {
  Json out = unmarked_json(block);
  if (!out.is_null()) write_cache_mark(mark_of(block), out);
  return out;
}

// System text up to one mark of the client's, or to the end.
struct SystemPart {
  std::string text;
  CacheMark cache = CacheMark::kNone;
};

// All system text in front of the conversation; one part where nobody has set marks.
class SystemText {
 public:
  // `gap`: what stands between this text and the one before, where no mark does.
  void add(std::string_view text, std::string_view gap, CacheMark cache = CacheMark::kNone) {
    if (text.empty()) return;
    if (parts_.empty() || parts_.back().cache != CacheMark::kNone) parts_.emplace_back();
    std::string& open = parts_.back().text;
    if (!open.empty()) open += gap;
    open += text;
    parts_.back().cache = cache;
  }

  void add(const Message& message) {
    std::string_view gap = "\n\n";
    for (const Block& block : message.blocks) {
      const auto* text = std::get_if<TextBlock>(&block);
      if (text == nullptr || text->text.empty()) continue;
      add(text->text, gap, text->cache);
      gap = "\n";
    }
  }

  std::string joined() const {
    std::string out;
    for (const SystemPart& part : parts_) (out += out.empty() ? "" : "\n") += part.text;
    return out;
  }

  // null when there is none.
  Json json() const {
    const bool marked = std::ranges::any_of(
        parts_, [](const SystemPart& part) { return part.cache != CacheMark::kNone; });
    if (!marked) return parts_.empty() || is_blank(joined()) ? Json(nullptr) : Json(joined());
    Json out = Json::array();
    for (const SystemPart& part : parts_) {
      if (is_blank(part.text)) continue;  // the API refuses blank blocks
      Json block = text_json(part.text);
      write_cache_mark(part.cache, block);
      out.push_back(std::move(block));
    }
    return out.empty() ? Json(nullptr) : out;
  }

 private:
  std::vector<SystemPart> parts_;
};

// null when there is none.
Json later_system_json(const Message& system) {
  SystemText text;
  text.add(system);
  if (text.joined().empty()) return nullptr;
  Json out = text_json("<system>\n" + text.joined() + "\n</system>");
  CacheMark mark = CacheMark::kNone;
  for (const Block& block : system.blocks) mark = std::max(mark, mark_of(block));
  write_cache_mark(mark, out);
  return out;
}

bool is_tool_result(const Json& block) {
  return block["type"] == "tool_result";
}

// A result without its call, as a person would tell it.
Json told_result(const Json& result) {
  const std::string text(string_or(result, "content", "(none)"));
  Json told = text_json("[Result of a tool]\n" + text);
  if (const Json* mark = find_key(result, "cache_control")) told["cache_control"] = *mark;
  return told;
}

Json lacking_result(const std::string& id) {
  Json out = Json::object();
  out["type"] = "tool_result";
  out["tool_use_id"] = id;
  out["content"] = "(no result)";
  return out;
}

// Merges messages of one role, and puts tool results before other content, as the API wants them
// right behind the calls they answer.
class MessageList {
 public:
  void add(const char* role, Json block) {
    if (block.is_null()) return;
    if (list_.empty() || list_.back()["role"] != role) {
      Json message = Json::object();
      message["role"] = role;
      message["content"] = Json::array();
      list_.push_back(std::move(message));
    }
    list_.back()["content"].push_back(std::move(block));
  }

  Json take() {
    settle_calls();
    for (Json& message : list_) put_results_first(message["content"]);
    if (list_.empty() || list_.front()["role"] == "assistant") {
      Json opening = Json::object();  // the API wants a user's message, and wants it first
      opening["role"] = "user";
      opening["content"] = Json::array({text_json("[The assistant speaks first.]")});
      list_.insert(list_.begin(), std::move(opening));
    }
    if (list_.back()["role"] == "assistant") trim_end(list_.back()["content"]);
    return std::move(list_);
  }

 private:
  // The API wants one result for each call, right behind it, and none without a call. Clients of
  // Ollama, which asks for neither, send results and leave the calls out, or the other way round.
  // It also wants ids that no other call has; some servers give all calls of an answer one id.
  void settle_calls() {
    std::vector<OpenCall> open;  // of the message before
    std::unordered_map<std::string, int> used;
    for (Json& message : list_) {
      for (Json& block : message["content"])
        if (is_tool_result(block)) settle_result(open, block);
      for (const OpenCall& call : open) message["content"].push_back(lacking_result(call.id));
      open.clear();
      for (Json& block : message["content"]) {
        if (block["type"] != "tool_use") continue;
        const std::string given = block["id"];
        block["id"] = unused_id(given, used);
        open.push_back({given, block["id"].get<std::string>()});
      }
    }
    for (const OpenCall& call : open) add("user", lacking_result(call.id));
  }

  // `given` the first time, then "given_2" and so on. `used`: how often each id was asked for.
  static std::string unused_id(const std::string& given,
                               std::unordered_map<std::string, int>& used) {
    int times = ++used[given];
    if (times == 1) return given;
    std::string id = given + "_" + std::to_string(times);
    while (used.contains(id)) id = given + "_" + std::to_string(++times);
    used[given] = times;
    used[id] = 1;
    return id;
  }

  struct OpenCall {
    std::string given, id;  // as it came, as it is sent
  };

  // The first open call that has the result's id is the one it answers.
  static void settle_result(std::vector<OpenCall>& open, Json& block) {
    const auto call =
        std::ranges::find(open, block["tool_use_id"].get<std::string>(), &OpenCall::given);
    if (call == open.end()) {
      block = told_result(block);
      return;
    }
    block["tool_use_id"] = call->id;
    open.erase(call);
  }

  static void put_results_first(Json& content) {
    Json ordered = Json::array();
    for (const bool results : {true, false})
      for (Json& block : content)
        if (!block.is_null() && is_tool_result(block) == results)
          ordered.push_back(std::move(block));  // leaves null behind
    content = std::move(ordered);
  }

  // The API refuses a last assistant message that ends in white space.
  static void trim_end(Json& content) {
    Json& last = content.back();
    if (last["type"] != "text") return;
    auto& text = last["text"].get_ref<std::string&>();
    text.erase(text.find_last_not_of(" \t\r\n") + 1);
  }

  Json list_ = Json::array();
};

// Whether Claude is told in words that JSON is wanted, or held to it by the API.
enum class JsonWish : std::uint8_t { kNone, kInWords };

void add_messages(const Request& request, JsonWish wish, Json& out) {
  SystemText system;
  MessageList messages;
  bool leading = true;
  for (const Message& message : request.messages) {
    if (message.role == Role::kSystem && leading) {
      system.add(message);
      continue;
    }
    if (message.role == Role::kSystem) {
      messages.add("user", later_system_json(message));
      continue;
    }
    leading = false;
    const char* role = message.role == Role::kUser ? "user" : "assistant";
    for (const Block& block : message.blocks) messages.add(role, block_json(block));
  }
  if (wish == JsonWish::kInWords) system.add(json_instruction(request), "\n\n");
  if (Json text = system.json(); !text.is_null()) out["system"] = std::move(text);
  out["messages"] = messages.take();
}

void add_tools(const Request& request, Json& out) {
  if (request.tools.empty()) return;
  Json tools = Json::array();
  for (const Tool& tool : request.tools) {
    Json schema = object_or_empty(tool.input_schema_json);
    drop_nulls(schema);
    if (!schema.contains("type")) schema["type"] = "object";
    Json item = Json::object();
    item["name"] = tool.name;
    if (!tool.description.empty()) item["description"] = tool.description;
    item["input_schema"] = std::move(schema);
    write_cache_mark(tool.cache, item);
    tools.push_back(std::move(item));
  }
  out["tools"] = std::move(tools);
  Json choice = Json::object();
  switch (request.tool_choice.kind) {
    case ToolChoice::Kind::kAuto:
      choice["type"] = "auto";
      break;
    case ToolChoice::Kind::kAny:
      choice["type"] = "any";
      break;
    case ToolChoice::Kind::kNone:
      choice["type"] = "none";
      break;
    case ToolChoice::Kind::kNamed:
      choice["type"] = "tool";
      choice["name"] = request.tool_choice.name;
      break;
  }
  const bool serial =
      !request.tool_choice.parallel && request.tool_choice.kind != ToolChoice::Kind::kNone;
  if (serial) choice["disable_parallel_tool_use"] = true;
  if (serial || request.tool_choice.kind != ToolChoice::Kind::kAuto)
    out["tool_choice"] = std::move(choice);
}

// As "output_config.format". null where there is no schema, or none that the API takes.
Json format_json(const Request& request) {
  if (request.json_schema.empty()) return nullptr;
  auto schema = answer_schema_for_claude(object_or_empty(request.json_schema));
  if (!schema) return nullptr;
  return {{"type", "json_schema"}, {"schema", std::move(*schema)}};
}

JsonWish wish_of(const Request& request, const Json& format) {
  const bool untold = !request.json_schema.empty() && format.is_null();
  return request.json_object || untold ? JsonWish::kInWords : JsonWish::kNone;
}

}  // namespace

std::string write_anthropic_request(const Request& request, std::string_view model,
                                    const ClaudeWording& wording) {
  Json out = Json::object();
  out["model"] = model;
  out["max_tokens"] = request.max_tokens.value_or(wording.max_tokens);
  Json format = format_json(request);
  add_messages(request, wish_of(request, format), out);
  add_tools(request, out);
  Json stops = Json::array();
  for (const std::string& stop : request.stop)
    if (!is_refused_stop(stop)) stops.push_back(stop);
  if (!stops.empty()) out["stop_sequences"] = std::move(stops);
  if (!format.is_null()) out["output_config"]["format"] = std::move(format);
  if (request.stream) out["stream"] = true;
  place_cache_marks(request, wording.cache_prompt, out);
  return dump_json(out);
}

std::string_view left_out_for_claude(const Request& request) {
  return std::ranges::any_of(request.stop, is_refused_stop) ? "stop" : "";
}

std::string write_anthropic_count(const Request& request, std::string_view model) {
  Json out = Json::object();
  out["model"] = model;
  Json format = format_json(request);
  add_messages(request, wish_of(request, format), out);
  add_tools(request, out);
  if (!format.is_null()) out["output_config"]["format"] = std::move(format);
  return dump_json(out);
}

}  // namespace tophand::chat

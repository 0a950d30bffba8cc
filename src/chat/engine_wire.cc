// The engine worker's protocol, both ways. docs/protocols/engine-worker.md.
#include <algorithm>
#include <array>
#include <utility>

#include "base/json.h"
#include "chat/field.h"
#include "chat/request_parsers.h"
#include "chat/upstream.h"
#include "chat/upstream_parts.h"

namespace tophand::chat {
namespace {

constexpr std::array kReasons{
    std::pair{StopReason::kEndTurn, std::string_view("end_turn")},
    std::pair{StopReason::kMaxTokens, std::string_view("max_tokens")},
    std::pair{StopReason::kStopSequence, std::string_view("stop_sequence")},
    std::pair{StopReason::kToolUse, std::string_view("tool_use")},
    std::pair{StopReason::kPauseTurn, std::string_view("pause_turn")},
    std::pair{StopReason::kRefusal, std::string_view("refusal")},
    std::pair{StopReason::kContextFull, std::string_view("context_full")},
};

Json tool_result_json(const ToolResultBlock& result) {
  Json out = Json::object();
  out["role"] = "tool";
  out["content"] = tool_result_text(result);
  if (!result.tool_name.empty()) out["tool_name"] = result.tool_name;
  if (!result.tool_use_id.empty()) out["tool_call_id"] = result.tool_use_id;
  return out;
}

// One message can become several: each tool result is one of its own, before the text.
void append_message(const Message& message, Json& out) {
  std::string text, reasoning;
  Json calls = Json::array();
  bool has_results = false;
  for (const Block& block : message.blocks) {
    if (const auto* part = std::get_if<TextBlock>(&block)) {
      if (!text.empty()) text += '\n';
      text += part->text;
    } else if (const auto* thought = std::get_if<ThinkingBlock>(&block)) {
      if (!reasoning.empty()) reasoning += '\n';
      reasoning += thought->thinking;
    } else if (const auto* tool = std::get_if<ToolUseBlock>(&block)) {
      Json call = Json::object();
      call["id"] = tool->id;
      call["name"] = tool->name;
      call["arguments"] = tool->input_json;
      calls.push_back(std::move(call));
    } else if (const auto* result = std::get_if<ToolResultBlock>(&block)) {
      out.push_back(tool_result_json(*result));
      has_results = true;
    }
  }
  if (text.empty() && calls.empty() && has_results) return;
  Json turn = Json::object();
  turn["role"] = role_name(message.role);
  turn["content"] = std::move(text);
  if (!reasoning.empty()) turn["reasoning"] = std::move(reasoning);
  if (!calls.empty()) turn["tool_calls"] = std::move(calls);
  out.push_back(std::move(turn));
}

template <class T>
void put(Json& into, const char* key, const std::optional<T>& value) {
  if (value) into[key] = *value;
}

Json sampling_json(const Sampling& sampling) {
  Json out = Json::object();
  put(out, "temperature", sampling.temperature);
  put(out, "top_k", sampling.top_k);
  put(out, "top_p", sampling.top_p);
  put(out, "min_p", sampling.min_p);
  put(out, "repeat_penalty", sampling.repeat_penalty);
  put(out, "presence_penalty", sampling.presence_penalty);
  put(out, "frequency_penalty", sampling.frequency_penalty);
  put(out, "seed", sampling.seed);
  return out;
}

// A word, or {"name":...}: a tool may be called "any".
Json tool_choice_json(const ToolChoice& choice) {
  switch (choice.kind) {
    case ToolChoice::Kind::kAuto:
      return "auto";
    case ToolChoice::Kind::kAny:
      return "any";
    case ToolChoice::Kind::kNone:
      return "none";
    case ToolChoice::Kind::kNamed:
      break;
  }
  Json named = Json::object();
  named["name"] = choice.name;
  return named;
}

Result<ToolChoice> read_tool_choice(const Field& field) {
  if (field.is_object()) {
    TOPHAND_FIELD(name, field["name"].string());
    return ToolChoice{ToolChoice::Kind::kNamed, std::move(name)};
  }
  TOPHAND_FIELD(word, field.string_or("auto"));
  if (word == "auto") return ToolChoice{ToolChoice::Kind::kAuto};
  if (word == "any") return ToolChoice{ToolChoice::Kind::kAny};
  if (word == "none") return ToolChoice{ToolChoice::Kind::kNone};
  return field.refused("expected 'auto', 'any', 'none' or an object with the tool's name");
}

Result<> read_tool_calls(const Field& calls, Message& into) {
  if (calls.absent()) return {};
  if (!calls.is_array()) return calls.expected("an array");
  for (std::size_t i = 0; i < calls.size(); ++i) {
    const Field call = calls.at(i);
    TOPHAND_FIELD(id, call["id"].string_or(""));
    TOPHAND_FIELD(name, call["name"].string());
    TOPHAND_FIELD(arguments, call["arguments"].string_or(""));
    into.blocks.emplace_back(ToolUseBlock{id, name, arguments_as_object(arguments)});
  }
  return {};
}

Result<> read_message(const Field& field, Request& request) {
  if (!field.is_object()) return field.expected("an object");
  const Field role = field["role"];
  TOPHAND_FIELD(name, role.string());
  TOPHAND_FIELD(content, field["content"].string_or(""));
  if (name == "tool") {
    TOPHAND_FIELD(id, field["tool_call_id"].string_or(""));
    TOPHAND_FIELD(tool, field["tool_name"].string_or(""));
    request.messages.push_back({Role::kUser, {ToolResultBlock{id, tool, content, false}}});
    return {};
  }
  Message message;
  if (name == "system") message.role = Role::kSystem;
  else if (name == "user") message.role = Role::kUser;
  else if (name == "assistant") message.role = Role::kAssistant;
  else return role.refused("expected system, user, assistant or tool, found '" + name + "'");
  TOPHAND_FIELD(reasoning, field["reasoning"].string_or(""));
  if (!reasoning.empty()) message.blocks.emplace_back(ThinkingBlock{reasoning, ""});
  if (!content.empty()) message.blocks.emplace_back(TextBlock{content});
  TOPHAND_FIELD_CHECK(read_tool_calls(field["tool_calls"], message));
  request.messages.push_back(std::move(message));
  return {};
}

Result<> read_tools(const Field& tools, Request& request) {
  if (tools.absent()) return {};
  if (!tools.is_array()) return tools.expected("an array");
  for (std::size_t i = 0; i < tools.size(); ++i) {
    const Field tool = tools.at(i);
    TOPHAND_FIELD(name, tool["name"].string());
    TOPHAND_FIELD(description, tool["description"].string_or(""));
    const Field parameters = tool["parameters"];
    if (!parameters.absent() && !parameters.is_object()) return parameters.expected("an object");
    request.tools.push_back(
        {name, description, parameters.absent() ? "{}" : dump_json(parameters.tree())});
  }
  return {};
}

Result<> read_sampling(const Field& field, Sampling& out) {
  if (field.absent()) return {};
  if (!field.is_object()) return field.expected("an object");
  TOPHAND_FIELD(temperature, field["temperature"].optional_number());
  TOPHAND_FIELD(top_p, field["top_p"].optional_number());
  TOPHAND_FIELD(min_p, field["min_p"].optional_number());
  TOPHAND_FIELD(repeat, field["repeat_penalty"].optional_number());
  TOPHAND_FIELD(presence, field["presence_penalty"].optional_number());
  TOPHAND_FIELD(frequency, field["frequency_penalty"].optional_number());
  TOPHAND_FIELD(top_k, field["top_k"].optional_integer());
  TOPHAND_FIELD(seed, field["seed"].optional_integer());
  out = {temperature, top_p, min_p, repeat, presence, frequency, top_k, seed};
  return {};
}

Json finished_json(const Finished& finished) {
  Json out = Json::object();
  for (const auto& [reason, name] : kReasons)
    if (reason == finished.reason) out["reason"] = name;
  out["stop_sequence"] = finished.stop_sequence;
  out["input_tokens"] = finished.usage.total_input();
  out["cached_tokens"] = finished.usage.cache_read_tokens;
  out["output_tokens"] = finished.usage.output_tokens;
  out["load_ns"] = finished.timing.load_ns;
  out["prefill_ns"] = finished.timing.prefill_ns;
  out["decode_ns"] = finished.timing.decode_ns;
  out["total_ns"] = finished.timing.total_ns;
  return out;
}

// input_tokens on the wire counts the cached ones too; in Usage it does not.
Usage read_usage(const Json& json) {
  Usage usage;
  usage.cache_read_tokens = stated_tokens(json, "cached_tokens", 0);
  usage.input_tokens =
      std::max<std::int64_t>(0, stated_tokens(json, "input_tokens", 0) - usage.cache_read_tokens);
  usage.output_tokens = stated_tokens(json, "output_tokens", 0);
  return usage;
}

StreamEvent read_finished(const Json& json) {
  Finished out;
  const std::string_view name = string_or(json, "reason", "end_turn");
  for (const auto& [reason, known] : kReasons)
    if (known == name) out.reason = reason;
  out.stop_sequence = string_or(json, "stop_sequence", "");
  out.usage = read_usage(json);
  out.timing = {int_or(json, "load_ns", 0), int_or(json, "prefill_ns", 0),
                int_or(json, "decode_ns", 0), int_or(json, "total_ns", 0)};
  return out;
}

StreamEvent read_failed(const Json& json) {
  Code code = Code::kUpstream;
  for (const CodeInfo& known : kCodes)
    if (known.name == string_or(json, "code", "")) code = known.code;
  return Failed{{code, std::string(string_or(json, "message", "the engine failed"))},
                std::string(string_or(json, "upstream_type", ""))};
}

StreamEvent read_started(const Json& json) {
  return Started{read_usage(json), std::string(string_or(json, "model", ""))};
}

StreamEvent read_tool_start(const Json& json) {
  return ToolUseStart{std::string(string_or(json, "id", "")),
                      std::string(string_or(json, "name", ""))};
}

Json event_json(const StreamEvent& event) {
  Json out = Json::object();
  if (const auto* started = std::get_if<Started>(&event)) {
    out["started"] = {{"input_tokens", started->usage.total_input()},
                      {"cached_tokens", started->usage.cache_read_tokens}};
    if (!started->model.empty()) out["started"]["model"] = started->model;
  } else if (const auto* text = std::get_if<TextDelta>(&event)) {
    out["text"] = text->text;
  } else if (const auto* thinking = std::get_if<ThinkingDelta>(&event)) {
    out["thinking"] = thinking->text;
  } else if (const auto* tool = std::get_if<ToolUseStart>(&event)) {
    out["tool_start"] = {{"id", tool->id}, {"name", tool->name}};
  } else if (const auto* json = std::get_if<ToolUseDelta>(&event)) {
    out["tool_delta"] = json->json;
  } else if (std::holds_alternative<BlockEnd>(event)) {
    out["block_end"] = true;
  } else if (const auto* progress = std::get_if<Progress>(&event)) {
    out["progress"] = {{"done", progress->done}, {"total", progress->total}};
  } else if (const auto* finished = std::get_if<Finished>(&event)) {
    out["finished"] = finished_json(*finished);
  } else if (const auto* failed = std::get_if<Failed>(&event)) {
    out["failed"] = {{"code", info(failed->error.code).name}, {"message", failed->error.message}};
  }
  return out;
}

}  // namespace

std::string write_engine_request(const Request& request) {
  Json out = Json::object();
  out["messages"] = Json::array();
  for (const Message& message : with_tool_names(request.messages))
    append_message(message, out["messages"]);
  if (!request.tools.empty()) {
    out["tools"] = Json::array();
    for (const Tool& tool : request.tools) {
      auto schema = parse_json(tool.input_schema_json);
      Json item = Json::object();
      item["name"] = tool.name;
      item["description"] = tool.description;
      item["parameters"] = schema ? std::move(*schema) : Json::object();
      out["tools"].push_back(std::move(item));
    }
    out["tool_choice"] = tool_choice_json(request.tool_choice);
  }
  out["raw"] = request.raw_prompt;
  put(out, "think", request.think);
  put(out, "max_tokens", request.max_tokens);
  if (!request.stop.empty()) out["stop"] = request.stop;
  if (Json sampling = sampling_json(request.sampling); !sampling.empty())
    out["sampling"] = std::move(sampling);
  return dump_json(out);
}

Result<Request> read_engine_request(std::string_view body) {
  TOPHAND_FIELD(json, parse_json(body));
  const Field root(json, PathStyle::kBrackets);
  if (!root.is_object()) return root.expected("an object");
  Request request;
  const Field messages = root["messages"];
  if (!messages.is_array()) return messages.expected("an array");
  for (std::size_t i = 0; i < messages.size(); ++i)
    TOPHAND_FIELD_CHECK(read_message(messages.at(i), request));
  TOPHAND_FIELD_CHECK(read_tools(root["tools"], request));
  TOPHAND_FIELD(choice, read_tool_choice(root["tool_choice"]));
  request.tool_choice = std::move(choice);
  TOPHAND_FIELD(raw, root["raw"].bool_or(false));
  request.raw_prompt = raw;
  const Field think = root["think"];
  if (!think.absent() && !think.is_bool()) return think.expected("a boolean");
  if (!think.absent()) request.think = think.view().boolean(false);
  TOPHAND_FIELD(max_tokens, root["max_tokens"].integer_within(0, INT64_MAX));
  request.max_tokens = max_tokens;
  TOPHAND_FIELD(stop, root["stop"].strings());
  request.stop = std::move(stop);
  TOPHAND_FIELD_CHECK(read_sampling(root["sampling"], request.sampling));
  request.stream = true;
  return request;
}

std::string write_engine_event(const StreamEvent& event) {
  return dump_json(event_json(event)) + '\n';
}

Result<StreamEvent> read_engine_event(std::string_view line) {
  TOPHAND_TRY(json, "engine event", parse_json(line));
  if (!json.is_object() || json.empty())
    return fail(Code::kUpstream, "engine event: expected an object with one member");
  const std::string& kind = json.begin().key();
  const Json& value = json.begin().value();
  const auto text = [&value] {
    return value.is_string() ? value.get<std::string>() : std::string();
  };
  if (kind == "text") return StreamEvent(TextDelta{text()});
  if (kind == "thinking") return StreamEvent(ThinkingDelta{text(), {}});
  if (kind == "tool_delta") return StreamEvent(ToolUseDelta{text()});
  if (kind == "tool_start") return read_tool_start(value);
  if (kind == "block_end") return StreamEvent(BlockEnd{});
  if (kind == "started") return read_started(value);
  if (kind == "progress")
    return StreamEvent(Progress{int_or(value, "done", 0), int_or(value, "total", 0)});
  if (kind == "finished") return read_finished(value);
  if (kind == "failed" || kind == "error") return read_failed(value);
  return fail(Code::kUpstream, "engine event: unknown kind '" + kind + "'");
}

}  // namespace tophand::chat

// Requests of Ollama's /api/chat and /api/generate. docs/protocols/ollama.md says what is accepted.
#include <algorithm>
#include <array>
#include <cmath>

#include "base/ascii.h"
#include "base/json.h"
#include "chat/ollama_duration.h"
#include "chat/request_parsers.h"

namespace tophand::chat {
namespace {

constexpr double kMsPerSecond = 1000;

tl::unexpected<Error> wrong_option(std::string_view key, std::string_view type) {
  return fail(Code::kInvalid,
              "option \"" + std::string(key) + "\" must be of type " + std::string(type));
}

// Ollama reads every JSON number as a float and cuts it to an integer.
Result<std::optional<std::int64_t>> integer_option(const Field& options, std::string_view key) {
  const Field field = options[key];
  if (field.absent()) return std::optional<std::int64_t>();
  if (!field.is_number()) return wrong_option(key, "integer");
  const double number = std::trunc(field.view().number(0));
  if (!(std::abs(number) < 9.2e18)) return wrong_option(key, "integer");
  if (field.view().is_integer()) return field.optional_integer();
  return std::optional(static_cast<std::int64_t>(number));
}

Result<std::optional<double>> float_option(const Field& options, std::string_view key) {
  const Field field = options[key];
  if (field.absent()) return std::optional<double>();
  if (!field.is_number()) return wrong_option(key, "float32");
  return std::optional(field.view().number(0));
}

Result<std::vector<std::string>> stop_option(const Field& options) {
  const Field field = options["stop"];
  if (field.absent()) return std::vector<std::string>();
  if (!field.is_array()) return wrong_option("stop", "array");
  auto stops = field.strings();
  if (!stops) return fail(Code::kInvalid, "option \"stop\" must be of an array of strings");
  return stops;
}

// Options that change nothing for us still have to be of their type: a client that gets one wrong
// hears the same from us as from Ollama.
Result<> check_other_options(const Field& options) {
  constexpr std::array<std::string_view, 8> kIntegers{
      "num_ctx",    "num_batch", "num_gpu",       "main_gpu",
      "num_thread", "num_keep",  "repeat_last_n", "draft_num_predict"};
  for (const std::string_view key : kIntegers) TOPHAND_FIELD_CHECK(integer_option(options, key));
  TOPHAND_FIELD_CHECK(float_option(options, "typical_p"));
  const Field mmap = options["use_mmap"];
  if (!mmap.absent() && !mmap.is_bool()) return wrong_option("use_mmap", "boolean");
  return {};
}

Result<> parse_options(const Field& options, Request& request) {
  if (options.absent()) return {};
  if (!options.is_object()) return options.expected("an object");
  TOPHAND_FIELD(temperature, float_option(options, "temperature"));
  TOPHAND_FIELD(top_p, float_option(options, "top_p"));
  TOPHAND_FIELD(min_p, float_option(options, "min_p"));
  TOPHAND_FIELD(repeat, float_option(options, "repeat_penalty"));
  TOPHAND_FIELD(presence, float_option(options, "presence_penalty"));
  TOPHAND_FIELD(frequency, float_option(options, "frequency_penalty"));
  TOPHAND_FIELD(top_k, integer_option(options, "top_k"));
  TOPHAND_FIELD(seed, integer_option(options, "seed"));
  TOPHAND_FIELD(num_predict, integer_option(options, "num_predict"));
  TOPHAND_FIELD(stop, stop_option(options));
  TOPHAND_FIELD_CHECK(check_other_options(options));
  if (seed && *seed < 0) seed.reset();  // -1: a random one
  request.sampling = {.temperature = temperature,
                      .top_p = top_p,
                      .min_p = min_p,
                      .repeat_penalty = repeat,
                      .presence_penalty = presence,
                      .frequency_penalty = frequency,
                      .top_k = top_k,
                      .seed = seed};
  if (num_predict && *num_predict > 0) request.max_tokens = num_predict;  // -1, -2: no limit
  request.stop = std::move(stop);
  return {};
}

Result<> parse_format(const Field& format, Request& request) {
  if (format.absent()) return {};
  if (format.is_object()) {
    request.json_schema = dump_json(format.tree());
    return {};
  }
  const bool text = format.is_string();
  if (text && format.view().string() == "json") request.json_object = true;
  else if (!text || format.view().string() != "")
    return fail(Code::kInvalid, "invalid format: " + abridged(dump_json(format.tree())) +
                                    "; expected \"json\" or a valid JSON Schema object");
  return {};
}

Result<> parse_think(const Field& think, Request& request) {
  if (think.absent()) return {};
  if (think.is_bool()) {
    request.think = think.view().boolean(false);
    return {};
  }
  if (think.is_string())
    for (const std::string_view level : {"low", "medium", "high", "max"})
      if (think.view().string() == level) {
        parse_effort(think, request);
        return {};
      }
  return think.refused("expected true, false, \"low\", \"medium\", \"high\" or \"max\"");
}

Result<> parse_images(const Field& images, std::vector<Block>& blocks) {
  TOPHAND_FIELD(list, images.strings());
  for (std::string& data : list) {
    if (auto uri = parse_data_uri(data)) data = std::move(uri->base64);  // some clients write those
    std::string type = image_type(data, "image/png");
    blocks.emplace_back(ImageBlock{std::move(type), std::move(data), {}});
  }
  return {};
}

// Gives tool calls and results that carry no id one that ties them together: results answer the
// open calls of their tool, in order. Numbered, so that the same conversation gives the same ids.
class ToolIds {
 public:
  std::string call(std::string id, const std::string& name) {
    if (id.empty()) id = "call_" + std::to_string(++count_);
    if (open_.size() == kOpenCallsMax) open_.erase(open_.begin());
    open_.push_back({id, name});
    return id;
  }
  std::string result(std::string id, std::string& name) {
    const auto fits = [&](const Call& call) {
      return id.empty() ? name.empty() || call.name == name : call.id == id;
    };
    const auto found = std::find_if(open_.begin(), open_.end(), fits);
    if (found == open_.end()) return id.empty() ? "call_" + std::to_string(++count_) : id;
    id = found->id;
    if (name.empty()) name = found->name;
    open_.erase(found);
    return id;
  }

 private:
  // Far above what one turn holds; bounds the search when a hostile body never answers its calls.
  static constexpr std::size_t kOpenCallsMax = 256;

  struct Call {
    std::string id, name;
  };
  std::vector<Call> open_;
  int count_ = 0;
};

Result<> parse_tool_calls(const Field& calls, ToolIds& ids, std::vector<Block>& blocks) {
  if (calls.absent()) return {};
  if (!calls.is_array()) return calls.expected("an array");
  for (std::size_t i = 0; i < calls.size(); ++i) {
    const Field call = calls.at(i);
    const Field function = call["function"];
    if (!function.is_object()) return function.expected("an object");
    TOPHAND_FIELD(id, call["id"].string_or(""));
    TOPHAND_FIELD(name, function["name"].string());
    const Field arguments = function["arguments"];
    if (!arguments.absent() && !arguments.is_object()) return arguments.expected("an object");
    blocks.emplace_back(ToolUseBlock{ids.call(id, name), name,
                                     arguments.absent() ? "{}" : dump_json(arguments.tree())});
  }
  return {};
}

Result<Message> parse_tool_message(const Field& message, std::string content, ToolIds& ids) {
  TOPHAND_FIELD(name, message["tool_name"].string_or(""));
  TOPHAND_FIELD(given_id, message["tool_call_id"].string_or(""));
  Message out{Role::kUser, {}};
  std::string id = ids.result(given_id, name);
  out.blocks.emplace_back(ToolResultBlock{std::move(id), name, std::move(content), false});
  TOPHAND_FIELD_CHECK(parse_images(message["images"], out.blocks));
  return out;
}

Result<Message> parse_message(const Field& message, ToolIds& ids) {
  if (!message.is_object()) return message.expected("an object");
  const Field role = message["role"];
  TOPHAND_FIELD(name, role.string());
  name = lowered(name);
  TOPHAND_FIELD(content, message["content"].string_or(""));
  if (name == "tool") return parse_tool_message(message, std::move(content), ids);
  Message out;
  if (name == "system") out.role = Role::kSystem;
  else if (name == "user") out.role = Role::kUser;
  else if (name == "assistant") out.role = Role::kAssistant;
  else
    return role.refused("expected \"system\", \"user\", \"assistant\" or \"tool\", found \"" +
                        name + "\"");
  TOPHAND_FIELD(thinking, message["thinking"].string_or(""));
  if (out.role == Role::kAssistant && !thinking.empty())
    out.blocks.emplace_back(ThinkingBlock{std::move(thinking), {}});
  if (!content.empty()) out.blocks.emplace_back(TextBlock{std::move(content)});
  TOPHAND_FIELD_CHECK(parse_images(message["images"], out.blocks));
  TOPHAND_FIELD_CHECK(parse_tool_calls(message["tool_calls"], ids, out.blocks));
  return out;
}

Result<> parse_messages(const Field& messages, Request& request) {
  if (!messages.absent() && !messages.is_array()) return messages.expected("an array");
  ToolIds ids;
  for (std::size_t i = 0; i < messages.size(); ++i) {
    TOPHAND_FIELD(message, parse_message(messages.at(i), ids));
    if (!message.blocks.empty()) request.messages.push_back(std::move(message));
  }
  request.load_only = messages.size() == 0;
  if (!request.load_only && request.messages.empty())
    return messages.refused("every message is empty");
  return {};
}

Result<> parse_prompt(const Field& root, Request& request) {
  TOPHAND_FIELD(prompt, root["prompt"].string_or(""));
  TOPHAND_FIELD(suffix, root["suffix"].string_or(""));
  TOPHAND_FIELD(system, root["system"].string_or(""));
  TOPHAND_FIELD(prompt_template, root["template"].string_or(""));
  TOPHAND_FIELD(raw, root["raw"].bool_or(false));
  const Field context = root["context"];
  if (!context.absent() && !context.is_array()) return context.expected("an array of integers");
  const bool has_context = context.size() > 0;
  if (raw && (!system.empty() || !prompt_template.empty() || has_context))
    return fail(Code::kInvalid, "raw mode does not support template, system, or context");
  if (has_context) note_unknown(request, "context");
  if (!prompt_template.empty()) note_unknown(request, "template");
  if (!suffix.empty()) note_unknown(request, "suffix");
  request.raw_prompt = raw;
  request.load_only = prompt.empty();
  if (request.load_only) return {};
  if (!system.empty()) request.messages.push_back({Role::kSystem, {TextBlock{system}}});
  Message user{Role::kUser, {TextBlock{prompt}}};
  TOPHAND_FIELD_CHECK(parse_images(root["images"], user.blocks));
  request.messages.push_back(std::move(user));
  return {};
}

Result<> check_logprobs(const Field& root, Request& request) {
  TOPHAND_FIELD(wanted, root["logprobs"].bool_or(false));
  TOPHAND_FIELD(top, root["top_logprobs"].optional_integer());
  if (top && (*top < 0 || *top > 20))
    return fail(Code::kInvalid, "top_logprobs must be between 0 and 20");
  if (wanted) note_unknown(request, "logprobs");
  return {};
}

}  // namespace

Result<> parse_keep_alive(const Field& field, Request& request) {
  if (field.absent()) return {};
  if (field.is_number()) {
    const double seconds = field.view().number(0);
    constexpr double kForEver = 9e15;  // ms; beyond this the sum would not fit
    const double ms = std::clamp(seconds * kMsPerSecond, -1.0, kForEver);
    request.keep_alive_ms = seconds < 0 ? -1 : static_cast<std::int64_t>(ms);
  } else if (field.is_string()) {
    const auto ms = parse_go_duration_ms(field.view().string());
    if (!ms)
      return field.refused("time: invalid duration \"" + std::string(field.view().string()) + "\"");
    request.keep_alive_ms = ms;
  } else {
    return field.expected("a number of seconds or a duration like \"5m\"");
  }
  request.keep_loaded = *request.keep_alive_ms != 0;
  return {};
}

Result<> parse_ollama_request(const Field& root, bool generate, Request& request) {
  TOPHAND_FIELD(model, root["model"].string_or(""));
  if (model.empty()) return fail(Code::kInvalid, "model is required");
  request.model = std::move(model);
  if (generate) TOPHAND_FIELD_CHECK(parse_prompt(root, request));
  else TOPHAND_FIELD_CHECK(parse_messages(root["messages"], request));
  if (!generate) TOPHAND_FIELD_CHECK(parse_function_tools(root["tools"], request));
  TOPHAND_FIELD(stream, root["stream"].bool_or(true));
  request.stream = stream;
  request.include_usage = true;  // the last line always carries the counts
  TOPHAND_FIELD_CHECK(parse_options(root["options"], request));
  TOPHAND_FIELD_CHECK(parse_keep_alive(root["keep_alive"], request));
  TOPHAND_FIELD_CHECK(parse_format(root["format"], request));
  TOPHAND_FIELD_CHECK(parse_think(root["think"], request));
  TOPHAND_FIELD_CHECK(check_logprobs(root, request));
  parse_own_words(root, request);
  return {};
}

}  // namespace tophand::chat

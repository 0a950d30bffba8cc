// Fields that OpenAI's three APIs (Chat Completions, Responses, Completions) have in common.
#include <algorithm>
#include <array>
#include <set>

#include "base/ascii.h"
#include "base/base64.h"
#include "base/json.h"
#include "base/json_text.h"
#include "chat/request_parsers.h"

namespace tophand::chat {
namespace {

constexpr std::int64_t kAnswersMax = 128;  // of one request, as OpenAI has it; they take turns

// What OpenAI's and Anthropic's models are shown.
constexpr std::array<std::string_view, 4> kImageTypes{"image/png", "image/jpeg", "image/gif",
                                                      "image/webp"};

// The functions named by {"type":"function","name":...} (Responses) or with the name in "function"
// (Chat Completions). Tools of other types were left out of the request, and are here.
Result<std::set<std::string>> allowed_names(const Field& allowed, const Request& request) {
  if (!allowed.is_array()) return allowed.expected("an array");
  std::set<std::string_view> known;
  for (const Tool& tool : request.tools) known.insert(tool.name);
  std::set<std::string> names;
  for (std::size_t i = 0; i < allowed.size(); ++i) {
    const Field tool = allowed.at(i);
    if (!tool.is_object()) return tool.expected("an object");
    TOPHAND_FIELD(type, tool["type"].string_or("function"));
    if (type != "function") continue;
    const Field nested = tool["function"];
    const Field name_field = nested.is_object() ? nested["name"] : tool["name"];
    TOPHAND_FIELD(name, name_field.string());
    if (!known.contains(name)) return name_field.refused("'" + name + "' is not among the tools");
    names.insert(std::move(name));
  }
  return names;
}

}  // namespace

Result<Block> parse_image_address(const Field& address) {
  TOPHAND_FIELD(url, address.string());
  if (auto data = parse_data_uri(url)) {
    std::string type = image_type(data->base64, data->media_type);
    if (std::ranges::find(kImageTypes, type) == kImageTypes.end())
      return address.refused("expected a PNG, JPEG, GIF or WebP image, found " +
                             (type.empty() ? "no type" : abridged(type)));
    return Block(ImageBlock{std::move(type), std::move(data->base64), {}});
  }
  if (url.starts_with("data:")) return address.refused("expected a base64 data URI");
  return Block(ImageBlock{{}, {}, url});
}

void note_detail(const Field& holder, Block& image) {
  if (const Field detail = holder["detail"]; detail.is_string())
    std::get<ImageBlock>(image).detail = std::string(detail.view().string());
}

void add_tool_result(ToolResultBlock result, std::vector<Block> content, Request& request) {
  auto& messages = request.messages;
  const bool continues = !messages.empty() && messages.back().role == Role::kUser &&
                         std::holds_alternative<ToolResultBlock>(messages.back().blocks.front());
  if (!continues) messages.push_back({Role::kUser, {}});
  auto& blocks = messages.back().blocks;
  const std::size_t at = blocks.size();
  CacheMark cache = result.cache;
  blocks.emplace_back(std::move(result));
  std::string text;
  for (Block& block : content) {
    const auto* part = std::get_if<TextBlock>(&block);
    if (part == nullptr) {
      blocks.push_back(std::move(block));
      continue;
    }
    (text += text.empty() ? "" : "\n") += part->text;
    cache = std::max(cache, part->cache);
  }
  auto& added = std::get<ToolResultBlock>(blocks[at]);
  added.text = std::move(text);
  added.cache = cache;
}

Result<Block> parse_file(const Field& file) {
  Json document = Json::object();
  document["type"] = "document";
  TOPHAND_FIELD(name, file["filename"].string_or(""));
  if (!name.empty()) document["title"] = std::move(name);
  TOPHAND_FIELD(url, file["file_url"].string_or(""));
  const Field file_data = file["file_data"];
  if (!url.empty() && file_data.absent()) {
    document["source"] = {{"type", "url"}, {"url", url}};
    return Block(OpaqueBlock{"document", dump_json(document)});
  }
  TOPHAND_FIELD(uri, file_data.string_or(""));
  const auto data = parse_data_uri(uri);
  if (data && data->media_type == "application/pdf") {
    document["source"] = {
        {"type", "base64"}, {"media_type", data->media_type}, {"data", data->base64}};
    return Block(OpaqueBlock{"document", dump_json(document)});
  }
  const auto text = data ? base64_decoded(data->base64) : std::nullopt;
  if (!text || text->find('\0') != std::string::npos || !is_utf8(*text))
    return file_data.refused("only PDFs and text in UTF-8 are supported, as a base64 data URI");
  document["source"] = {{"type", "text"}, {"media_type", "text/plain"}, {"data", *text}};
  return Block(OpaqueBlock{"document", dump_json(document)});
}

Result<> parse_openai_sampling(const Field& root, Request& request) {
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

Result<> parse_openai_stop(const Field& stop, Request& request) {
  if (stop.is_string()) {
    request.stop = {std::string(stop.view().string())};
    return {};
  }
  if (!stop.absent() && !stop.is_array()) return stop.expected("a string or an array of strings");
  TOPHAND_FIELD(stops, stop.strings());
  request.stop = std::move(stops);
  return {};
}

Result<> parse_openai_stream(const Field& root, Request& request) {
  TOPHAND_FIELD(stream, root["stream"].bool_or(false));
  request.stream = stream;
  const Field options = root["stream_options"];
  if (!options.absent() && !options.is_object()) return options.expected("an object");
  TOPHAND_FIELD(include_usage, options["include_usage"].bool_or(false));
  request.include_usage = include_usage;
  return {};
}

Result<> parse_openai_answers(const Field& root, std::int64_t prompts, Request& request) {
  TOPHAND_FIELD(n, root["n"].integer_within(1, kAnswersMax));
  request.answers = prompts * n.value_or(1);
  if (request.answers > kAnswersMax)
    return root["prompt"].refused("at most " + std::to_string(kAnswersMax) +
                                  " answers a request, found " + std::to_string(request.answers));
  return {};
}

Result<> parse_tool_mode(const Field& choice, Request& request) {
  auto& out = request.tool_choice;
  TOPHAND_FIELD(mode, choice.string());
  if (mode == "auto") out.kind = ToolChoice::Kind::kAuto;
  else if (mode == "none") out.kind = ToolChoice::Kind::kNone;
  else if (mode == "required" || mode == "any")
    out.kind = ToolChoice::Kind::kAny;  // Mistral's word
  else return choice.refused("expected 'none', 'auto' or 'required', found '" + mode + "'");
  if (out.kind == ToolChoice::Kind::kAny && request.tools.empty() && !request.left_out.empty())
    return choice.refused("a tool is required, and none of those given can be called here");
  return {};
}

// {"type":"allowed_tools","mode":"auto"|"required","tools":[...]}; in Chat Completions mode and
// tools lie in a member "allowed_tools".
Result<> parse_allowed_tools(const Field& choice, Request& request) {
  using Kind = ToolChoice::Kind;
  const Field nested = choice["allowed_tools"];
  const Field& in = nested.is_object() ? nested : choice;
  TOPHAND_FIELD(mode, in["mode"].string_or("auto"));
  if (mode != "auto" && mode != "required")
    return in["mode"].refused("expected 'auto' or 'required', found '" + mode + "'");
  TOPHAND_FIELD(names, allowed_names(in["tools"], request));
  request.tool_choice.kind = mode == "required" ? Kind::kAny : Kind::kAuto;
  if (names.empty()) {  // the calls of the history still need their tools: all stay, none is called
    if (mode == "required")
      return in["tools"].refused(
          "a tool is required, and none of those allowed can be called here");
    request.tool_choice.kind = Kind::kNone;
    return {};
  }
  request.tools_of_caller = request.tools;
  std::erase_if(request.tools, [&](const Tool& tool) { return !names.contains(tool.name); });
  return {};
}

std::optional<bool> strict_of(const Field& holder) {
  const Field strict = holder["strict"];
  return strict.is_bool() ? std::optional(strict.view().boolean(false)) : std::nullopt;
}

void parse_effort(const Field& word, Request& request) {
  if (!word.is_string()) return;
  const auto& said = word.view().string();
  request.think = said != "none" && said != "minimal";
  for (const std::string_view known : {"low", "medium", "high", "xhigh"})
    if (said == known) request.effort = said;
  if (said == "max") request.effort = "xhigh";
}

Result<> parse_output_schema(const Field& format, const Field& holder, Request& request) {
  const Field type = format["type"];
  TOPHAND_FIELD(kind, type.string());
  if (kind == "text") return {};
  if (kind == "json_object") {
    // Together, llama-server and Instructor put the schema beside it.
    if (const Field schema = format["schema"]; schema.is_object())
      request.json_schema = dump_json(schema.tree());
    else request.json_object = true;
    return {};
  }
  if (kind != "json_schema")
    return type.refused("expected 'text', 'json_object' or 'json_schema', found '" + kind + "'");
  const Field schema = holder["schema"];
  if (!schema.is_object()) return schema.expected("an object");
  request.json_schema = dump_json(schema.tree());
  request.json_strict = strict_of(holder);
  TOPHAND_FIELD(name, holder["name"].string_or(""));
  TOPHAND_FIELD(description, holder["description"].string_or(""));
  request.json_name = std::move(name);
  request.json_description = std::move(description);
  return {};
}

}  // namespace tophand::chat

#include "chat/ollama_manage.h"

#include "base/ascii.h"
#include "base/json.h"
#include "chat/field.h"

namespace tophand::chat {
namespace {

constexpr std::size_t kFilesMax = 64;
constexpr std::size_t kKeyWidth = 30;

Result<Json> parse_object(std::string_view body) {
  if (body.find_first_not_of(" \t\r\n") == std::string_view::npos)
    return fail(Code::kInvalid, "missing request body");
  TOPHAND_FIELD(json, parse_json(body));
  if (!json.is_object())
    return fail(Code::kInvalid,
                "the request body is " + std::string(json_type(json)) + ": expected a JSON object");
  return std::move(json);
}

Result<std::string> model_of(const Field& root) {
  TOPHAND_FIELD(model, root["model"].string_or(""));
  if (!model.empty()) return model;
  return root["name"].string_or("");
}

Result<> parse_licences(const Field& licence, CreateRequest& request) {
  if (licence.is_string()) {
    request.licences.push_back(std::string(licence.view().string()));
    return {};
  }
  TOPHAND_FIELD(texts, licence.strings());
  request.licences = std::move(texts);
  return {};
}

// As Ollama takes it: "a/b.gguf", no part of which is empty, "." or "..". Nothing is ever opened
// under it, but it is a client's mistake that should not go unnoticed.
bool is_local_path(std::string_view path) {
  for (;;) {
    const std::size_t end = path.find('/');
    const std::string_view part = path.substr(0, end);
    if (part.empty() || part == "." || part == "..") return false;
    if (end == std::string_view::npos) return true;
    path.remove_prefix(end + 1);
  }
}

Result<> check_file_name(std::string_view name) {
  if (!is_local_path(name))
    return fail(Code::kInvalid,
                "file path must be relative, without \"..\": found \"" + abridged(name) + '"');
  if (lowered(name).ends_with(".safetensors"))
    return fail(Code::kInvalid, "file \"" + abridged(name) +
                                    "\": safetensors are not read here; expected one GGUF file");
  return {};
}

Result<> parse_files(const Field& files, CreateRequest& request) {
  if (files.absent()) return {};
  if (!files.is_object()) return files.expected("an object");
  if (files.size() > kFilesMax)
    return files.refused(std::to_string(files.size()) + " files, at most " +
                         std::to_string(kFilesMax));
  const Json given = files.tree();
  for (const auto& [name, digest] : given.items()) {
    TOPHAND_FIELD_CHECK(check_file_name(name));
    if (!digest.is_string()) return files[name].expected("a string");
    request.files.emplace_back(name, digest.template get<std::string>());
  }
  return {};
}

// A profile's messages are examples of a conversation. Their content is parse_profile's to check.
Result<> check_roles(const Field& messages) {
  if (!messages.is_array()) return {};
  for (std::size_t i = 0; i < messages.size(); ++i) {
    const Field message = messages.at(i), role = message["role"];
    if (!message.is_object()) return message.expected("an object");
    TOPHAND_FIELD(given, role.string());
    const std::string name = lowered(given);
    if (name != "system" && name != "user" && name != "assistant")
      return role.refused("expected \"system\", \"user\" or \"assistant\", found \"" + given + '"');
  }
  return {};
}

// What was sent, as text; `fallback` when nothing was.
Result<std::string> json_text(const Field& field, bool is_right_type, std::string_view type,
                              std::string fallback) {
  if (field.absent()) return fallback;
  if (!is_right_type) return field.expected(type);
  return dump_json(field.tree());
}

}  // namespace

Result<NamedRequest> parse_ollama_named(std::string_view body) {
  TOPHAND_FIELD(json, parse_object(body));
  const Field root(json, PathStyle::kBrackets);
  TOPHAND_FIELD(model, model_of(root));
  TOPHAND_FIELD(stream, root["stream"].bool_or(true));
  TOPHAND_FIELD(verbose, root["verbose"].bool_or(false));
  return NamedRequest{std::move(model), stream, verbose};
}

Result<CopyRequest> parse_ollama_copy(std::string_view body) {
  TOPHAND_FIELD(json, parse_object(body));
  const Field root(json, PathStyle::kBrackets);
  TOPHAND_FIELD(source, root["source"].string_or(""));
  TOPHAND_FIELD(destination, root["destination"].string_or(""));
  return CopyRequest{std::move(source), std::move(destination)};
}

Result<CreateRequest> parse_ollama_create(std::string_view body) {
  TOPHAND_FIELD(json, parse_object(body));
  const Field root(json, PathStyle::kBrackets);
  CreateRequest request;
  TOPHAND_FIELD(model, model_of(root));
  TOPHAND_FIELD(from, root["from"].string_or(""));
  TOPHAND_FIELD(system, root["system"].string_or(""));
  TOPHAND_FIELD(chat_template, root["template"].string_or(""));
  TOPHAND_FIELD(quantize, root["quantize"].string_or(""));
  if (quantize.empty()) {
    TOPHAND_FIELD(older, root["quantization"].string_or(""));
    quantize = older;
  }
  TOPHAND_FIELD(stream, root["stream"].bool_or(true));
  const Field parameters = root["parameters"], messages = root["messages"];
  TOPHAND_FIELD(parameters_json, json_text(parameters, parameters.is_object(), "an object", "{}"));
  TOPHAND_FIELD(messages_json, json_text(messages, messages.is_array(), "an array", "[]"));
  TOPHAND_FIELD_CHECK(check_roles(messages));
  TOPHAND_FIELD_CHECK(parse_licences(root["license"], request));
  TOPHAND_FIELD_CHECK(parse_files(root["files"], request));
  request.model = std::move(model);
  request.from = std::move(from);
  request.has_system = !system.empty();
  request.system = std::move(system);
  request.chat_template = std::move(chat_template);
  request.quantize = std::move(quantize);
  request.stream = stream;
  request.parameters_json = std::move(parameters_json);
  request.has_messages = messages.size() > 0;
  request.messages_json = std::move(messages_json);
  request.has_adapters = root["adapters"].size() > 0;
  return request;
}

std::string ollama_parameter_lines(std::string_view parameters_json) {
  std::string out;
  const auto line = [&out](const std::string& key, const Json& value) {
    out += out.empty() ? "" : "\n";
    out += key;
    out.append(key.size() < kKeyWidth ? kKeyWidth - key.size() : 0, ' ');
    out += ' ';
    out += dump_json(value);
  };
  const auto json = parse_json(parameters_json);
  if (!json || !json->is_object()) return out;
  for (const auto& [key, value] : json->items()) {
    if (!value.is_array()) line(key, value);
    else
      for (const Json& item : value) line(key, item);
  }
  return out;
}

}  // namespace tophand::chat

#include "text/tool_calls.h"

#include <algorithm>
#include <initializer_list>

#include "base/json.h"
#include "text/prompt_builder.h"

namespace tophand::text {
namespace {

constexpr std::string_view kFunction = "<function=", kFunctionEnd = "</function>";
constexpr std::string_view kParameter = "<parameter=", kParameterEnd = "</parameter>";
constexpr JsonLimits kLimits{.bytes_max = 1u << 20};

// The first of `keys` that the object has.
const Json* find_any(const Json& object, std::initializer_list<std::string_view> keys) {
  for (const std::string_view key : keys)
    if (const Json* found = find_key(object, key)) return found;
  return nullptr;
}

// {"name": "f", "arguments": {...}} ("parameters" in Llama 3, within "function" in OpenAI's form;
// the other keys are small models' inventions). Arguments may be missing or, as some answers have
// it, an object written as a string.
std::optional<ToolCall> call_of(const Json& json) {
  if (!json.is_object()) return std::nullopt;
  if (const Json* inner = find_key(json, "function"); inner && inner->is_object())
    return call_of(*inner);
  const Json* name = find_any(json, {"name", "function", "tool", "tool_name"});
  if (!name || !name->is_string() || name->get_ref<const std::string&>().empty())
    return std::nullopt;
  ToolCall call{"", name->get<std::string>(), "{}"};
  const Json* arguments = find_any(json, {"arguments", "parameters", "args"});
  if (!arguments) return call;
  if (arguments->is_string()) {
    auto inner = parse_json(arguments->get_ref<const std::string&>(), kLimits);
    if (!inner || !inner->is_object()) return std::nullopt;
    call.arguments_json = dump_json(*inner);
    return call;
  }
  if (!arguments->is_object()) return std::nullopt;
  call.arguments_json = dump_json(*arguments);
  return call;
}

// Line breaks and other control characters within strings, which models that write a file's text
// forget to escape.
std::string with_controls_escaped(std::string_view body) {
  std::string out;
  bool in_string = false, escaped = false;
  for (const char c : body) {
    const bool control = in_string && static_cast<unsigned char>(c) < 0x20;
    if (control) {
      constexpr std::string_view kHex = "0123456789abcdef";
      if (escaped) out.pop_back();  // a backslash at the end of a line
      const auto code = static_cast<std::size_t>(c);
      out += c == '\n' ? "\\n" : std::string("\\u00") + kHex[code / 16] + kHex[code % 16];
      escaped = false;
      continue;
    }
    out += c;
    if (escaped) escaped = false;
    else if (in_string && c == '\\') escaped = true;
    else if (c == '"') in_string = !in_string;
  }
  return out;
}

// An object or a list of them.
std::vector<ToolCall> read_json_calls(std::string_view body) {
  std::vector<ToolCall> out;
  auto json = parse_json(body, kLimits);
  // The doubled braces that the kQwen25Braces prompt teaches.
  if (!json && body.starts_with("{{") && body.ends_with("}}"))
    json = parse_json(body.substr(1, body.size() - 2), kLimits);
  if (!json) json = parse_json(with_controls_escaped(body), kLimits);
  if (!json) return out;
  if (!json->is_array()) {
    if (auto call = call_of(*json)) out.push_back(std::move(*call));
    return out;
  }
  for (const Json& item : *json) {
    auto call = call_of(item);
    if (!call) return {};
    out.push_back(std::move(*call));
  }
  return out;
}

// --- XML: <function=f>\n<parameter=a>\nvalue\n</parameter>\n</function> --------------------------

// The schema of one parameter of an offered tool; null when it has none.
Json parameter_schema(const std::vector<Tool>& offered, std::string_view tool,
                      std::string_view parameter) {
  for (const Tool& each : offered) {
    const auto json = parse_json(each.json, kLimits);
    if (!json) continue;
    const Json* function = find_key(*json, "function");
    if (!function || string_or(*function, "name", "") != tool) continue;
    const Json* schema = find_key(*function, "parameters");
    const Json* properties = schema ? find_key(*schema, "properties") : nullptr;
    const Json* found = properties ? find_key(*properties, parameter) : nullptr;
    return found ? *found : Json();
  }
  return {};
}

// Whether a schema takes a value of this type ("string"); nothing when it does not say.
std::optional<bool> takes(const Json& schema, std::string_view type) {
  const Json* types = schema.is_object() ? find_key(schema, "type") : nullptr;
  if (types && types->is_string()) return types->get_ref<const std::string&>() == type;
  if (types && types->is_array())
    return std::ranges::any_of(*types, [type](const Json& each) { return each == type; });
  for (const char* key : {"anyOf", "oneOf"})
    if (const Json* choices = schema.is_object() ? find_key(schema, key) : nullptr;
        choices && choices->is_array())
      return std::ranges::any_of(*choices, [type](const Json& each) {
        return each.is_object() && string_or(each, "type", "") == type;
      });
  return std::nullopt;
}

// Values stand raw. What may be a string is one; anything else is JSON, or Python's True and None.
Json typed(std::string_view value, const Json& schema) {
  Json as_text = std::string(value);
  const std::optional<bool> string = takes(schema, "string");
  if (string == true && !(value == "null" && takes(schema, "null") == true)) return as_text;
  if (value == "True" || value == "False") return value == "True";
  if (value == "None") return nullptr;
  const auto json = parse_json(value, kLimits);
  // A schema that says nothing: only what cannot be meant as a text is taken for more.
  const bool known = string.has_value();
  if (!json || (!known && !json->is_structured())) return as_text;
  return *json;
}

// Takes "<mark=NAME>" off the front of `text`.
std::optional<std::string_view> take_name(std::string_view& text, std::string_view mark) {
  if (!text.starts_with(mark)) return std::nullopt;
  const std::size_t end = text.find('>', mark.size());
  if (end == std::string_view::npos) return std::nullopt;
  const std::string_view name = trimmed(text.substr(mark.size(), end - mark.size()));
  text.remove_prefix(end + 1);
  return name;
}

// Where the value in front of its closing tag ends. A value may hold that tag itself, so only one
// that is followed by another parameter, the function's end or nothing counts.
std::size_t value_end(std::string_view text) {
  std::size_t at = text.find(kParameterEnd);
  for (; at != std::string_view::npos; at = text.find(kParameterEnd, at + 1)) {
    const std::string_view rest = trimmed_front(text.substr(at + kParameterEnd.size()));
    if (rest.empty() || rest.starts_with(kParameter) || rest.starts_with(kFunctionEnd)) return at;
  }
  return at;
}

std::optional<ToolCall> read_xml_call(std::string_view body, const std::vector<Tool>& offered) {
  const auto name = take_name(body, kFunction);
  if (!name || name->empty()) return std::nullopt;
  Json arguments = Json::object();
  constexpr std::size_t kParametersMax = 1024;  // as base/json.h's members_max, for its reason
  for (;;) {
    body = trimmed_front(body);
    if (body == kFunctionEnd) break;
    const auto parameter = take_name(body, kParameter);
    if (!parameter || arguments.size() >= kParametersMax) return std::nullopt;
    const std::size_t end = value_end(body);
    if (end == std::string_view::npos) return std::nullopt;
    std::string_view value = body.substr(0, end);
    if (value.starts_with('\n')) value.remove_prefix(1);
    if (value.ends_with('\n')) value.remove_suffix(1);
    arguments[std::string(*parameter)] = typed(value, parameter_schema(offered, *name, *parameter));
    body.remove_prefix(end + kParameterEnd.size());
  }
  return ToolCall{"", std::string(*name), dump_json(arguments)};
}

// --- Llama 3 -------------------------------------------------------------------------------------

// The end of the JSON object that starts at text[at] == '{'; npos when it does not end.
std::size_t object_end(std::string_view text, std::size_t at) {
  std::size_t depth = 0;
  bool in_string = false;
  for (; at < text.size(); ++at) {
    const char c = text[at];
    if (in_string) {
      if (c == '\\') ++at;
      else if (c == '"') in_string = false;
    } else if (c == '"') {
      in_string = true;
    } else if (c == '{') {
      ++depth;
    } else if (c == '}' && --depth == 0) {
      return at + 1;
    }
  }
  return std::string_view::npos;
}

// brave_search.call(query="...", count=3), which 3.1 was trained to write for its own tools: the
// arguments become an object as they stand.
std::optional<ToolCall> read_python_call(std::string_view text) {
  constexpr std::string_view kCall = ".call(";
  const std::size_t name_end = text.find(kCall);
  if (name_end == std::string_view::npos || name_end == 0 || !text.ends_with(')'))
    return std::nullopt;
  const std::string_view name = text.substr(0, name_end);
  const auto is_name = [](std::string_view word) {
    return !word.empty() && std::ranges::all_of(word, [](char c) {
      return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '_';
    });
  };
  if (!is_name(name)) return std::nullopt;
  std::string_view rest = text.substr(name_end + kCall.size());
  rest.remove_suffix(1);
  std::string object = "{";
  bool in_string = false, in_name = true;
  std::string key;
  for (std::size_t i = 0; i < rest.size(); ++i) {
    const char c = rest[i];
    if (in_name && c == '=') {
      if (!is_name(trimmed(key))) return std::nullopt;
      object += (object.size() > 1 ? ",\"" : "\"") + std::string(trimmed(key)) + "\":";
      key.clear();
      in_name = false;
    } else if (in_name) {
      key += c;
    } else if (!in_string && c == ',') {
      in_name = true;
    } else {
      object += c;
      if (in_string && c == '\\' && i + 1 < rest.size()) object += rest[++i];
      else if (c == '"') in_string = !in_string;
    }
  }
  if (!trimmed(key).empty()) return std::nullopt;
  const auto arguments = parse_json(object + "}", kLimits);
  if (!arguments) return std::nullopt;
  return ToolCall{"", std::string(name), dump_json(*arguments)};
}

}  // namespace

std::vector<ToolCall> read_call_body(std::string_view body, const std::vector<Tool>& offered) {
  body = trimmed(body);
  if (!body.starts_with(kFunction)) return read_json_calls(body);
  auto call = read_xml_call(body, offered);
  return call ? std::vector<ToolCall>{std::move(*call)} : std::vector<ToolCall>{};
}

bool is_only_calls(std::string_view body) {
  const auto json = parse_json(body, kLimits);
  const auto is_one = [](const Json& item) {
    if (!item.is_object() || !find_any(item, {"name"})) return false;
    const Json* arguments = find_any(item, {"arguments", "parameters"});
    if (!arguments || !arguments->is_object()) return false;
    return std::ranges::all_of(item.items(), [](const auto& member) {
      const std::string& key = member.key();
      return key == "name" || key == "arguments" || key == "parameters" || key == "id" ||
             key == "type";
    });
  };
  if (!json || !json->is_array()) return json && is_one(*json);
  return !json->empty() && std::ranges::all_of(*json, is_one);
}

std::vector<ToolCall> read_llama3_calls(std::string_view answer) {
  std::vector<ToolCall> out;
  std::string_view rest = trimmed(answer);
  const bool tagged = rest.starts_with(kPythonTag);
  if (tagged) rest = trimmed(rest.substr(kPythonTag.size()));
  if (tagged && !rest.starts_with('{')) {
    if (auto call = read_python_call(rest)) out.push_back(std::move(*call));
    return out;
  }
  // One object, or several with ";" or lines between them.
  while (!rest.empty()) {
    if (rest[0] != '{') return {};
    const std::size_t end = object_end(rest, 0);
    if (end == std::string_view::npos) return {};
    const auto json = parse_json(rest.substr(0, end), kLimits);
    auto call = json ? call_of(*json) : std::nullopt;
    if (!call) return {};
    out.push_back(std::move(*call));
    rest = trimmed(rest.substr(end));
    if (rest.starts_with(';')) rest = trimmed(rest.substr(1));
  }
  return out;
}

}  // namespace tophand::text

// Tool calls in what a model said. Every bound is that of base/json.h's parser; a stretch that does
// not parse as a call stays text.
#include <algorithm>

#include "base/json.h"
#include "text/chat_template.h"

namespace tophand::text {
namespace {

constexpr std::string_view kOpen = "<tool_call>";
constexpr std::string_view kClose = "</tool_call>";
constexpr std::string_view kPythonTag = "<|python_tag|>";
constexpr std::string_view kSpace = " \t\r\n";

std::string_view trimmed(std::string_view text) {
  const std::size_t first = text.find_first_not_of(kSpace);
  if (first == std::string_view::npos) return {};
  return text.substr(first, text.find_last_not_of(kSpace) - first + 1);
}

// {"name": "f", "arguments": {...}} ("parameters" in Llama 3). Arguments may be missing or, as some
// answers have it, an object written as a string.
std::optional<ToolCall> read_call(std::string_view json) {
  auto parsed = parse_json(json, {.bytes_max = 1u << 20});
  if (!parsed || !parsed->is_object()) return std::nullopt;
  const std::string_view name = string_or(*parsed, "name", "");
  if (name.empty()) return std::nullopt;
  const Json* arguments = find_key(*parsed, "arguments");
  if (!arguments) arguments = find_key(*parsed, "parameters");
  if (!arguments) return ToolCall{"", std::string(name), "{}"};
  if (arguments->is_object()) return ToolCall{"", std::string(name), dump_json(*arguments)};
  if (!arguments->is_string()) return std::nullopt;
  auto inner = parse_json(arguments->get_ref<const std::string&>());
  if (!inner || !inner->is_object()) return std::nullopt;
  return ToolCall{"", std::string(name), dump_json(*inner)};
}

// The same, tolerant of the doubled braces that the kQwen25Braces prompt teaches.
std::optional<ToolCall> read_hermes_call(std::string_view json) {
  if (auto call = read_call(json)) return call;
  if (!json.starts_with("{{") || !json.ends_with("}}")) return std::nullopt;
  return read_call(json.substr(1, json.size() - 2));
}

ParsedAnswer parse_hermes(std::string_view answer) {
  ParsedAnswer out;
  std::size_t at = 0;
  while (at < answer.size()) {
    const std::size_t open = answer.find(kOpen, at);
    if (open == std::string_view::npos) break;
    const std::size_t body = open + kOpen.size();
    const std::size_t close = answer.find(kClose, body);
    // A call whose closing tag the model left out at the very end still counts when it is whole.
    const std::size_t body_end = close == std::string_view::npos ? answer.size() : close;
    auto call = read_hermes_call(trimmed(answer.substr(body, body_end - body)));
    const std::size_t next =
        close == std::string_view::npos ? answer.size() : close + kClose.size();
    if (call) {
      out.text += answer.substr(at, open - at);
      out.tool_calls.push_back(std::move(*call));
    } else {
      out.text += answer.substr(at, next - at);
    }
    at = next;
  }
  out.text += answer.substr(std::min(at, answer.size()));
  // White space around calls is layout, not something the model said.
  if (!out.tool_calls.empty()) out.text = std::string(trimmed(out.text));
  return out;
}

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

// Llama 3 calls are the whole answer: one JSON object, or several with ";" or lines between them.
ParsedAnswer parse_llama3(std::string_view answer) {
  ParsedAnswer as_text{std::string(answer), {}};
  ParsedAnswer out;
  std::string_view rest = trimmed(answer);
  if (rest.starts_with(kPythonTag)) rest = trimmed(rest.substr(kPythonTag.size()));
  while (!rest.empty()) {
    if (rest[0] != '{') return as_text;
    const std::size_t end = object_end(rest, 0);
    if (end == std::string_view::npos) return as_text;
    auto call = read_call(rest.substr(0, end));
    if (!call) return as_text;
    out.tool_calls.push_back(std::move(*call));
    rest = trimmed(rest.substr(end));
    if (rest.starts_with(';')) rest = trimmed(rest.substr(1));
  }
  return out.tool_calls.empty() ? as_text : out;
}

// The first place from which on `text` is a whole `mark` or its beginning.
std::size_t mark_start(std::string_view text, std::string_view mark) {
  if (const std::size_t found = text.find(mark); found != std::string_view::npos) return found;
  for (std::size_t n = std::min(mark.size() - 1, text.size()); n > 0; --n)
    if (text.ends_with(mark.substr(0, n))) return text.size() - n;
  return text.size();
}

}  // namespace

std::size_t tool_call_start(TemplateKind kind, std::string_view text) {
  if (!supports_tools(kind)) return text.size();
  if (kind != TemplateKind::kLlama3) return mark_start(text, kOpen);
  const std::size_t first = text.find_first_not_of(kSpace);
  if (first == std::string_view::npos) return 0;
  const std::string_view rest = text.substr(first);
  const bool may_be_tag = rest.starts_with(kPythonTag) || kPythonTag.starts_with(rest);
  return rest[0] == '{' || may_be_tag ? 0 : text.size();
}

ParsedAnswer parse_answer(TemplateKind kind, std::string_view answer) {
  if (!supports_tools(kind)) return {std::string(answer), {}};
  return kind == TemplateKind::kLlama3 ? parse_llama3(answer) : parse_hermes(answer);
}

}  // namespace tophand::text

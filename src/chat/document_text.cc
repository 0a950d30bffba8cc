#include "chat/document_text.h"

#include "base/json_view.h"

namespace tophand::chat {
namespace {

// A string, or text blocks.
std::optional<std::string> text_of_content(JsonView content) {
  if (content.is_string()) return std::string(content.string());
  if (!content.is_array()) return std::nullopt;
  std::string out;
  for (const JsonView part : content) {
    const JsonView text = part["text"];
    if (string_or(part, "type", "") != "text" || !text.is_string()) return std::nullopt;
    if (!out.empty()) out += '\n';
    out += text.string();
  }
  return out;
}

std::optional<std::string> text_of_source(JsonView source) {
  const std::string_view type = string_or(source, "type", "");
  if (type == "content") return text_of_content(source["content"]);
  const JsonView data = source["data"];
  if (type == "text" && data.is_string()) return std::string(data.string());
  return std::nullopt;
}

void add_line(std::string_view name, std::string_view value, std::string& out) {
  if (value.empty()) return;
  ((out += name) += value) += '\n';
}

}  // namespace

std::optional<std::string> document_text(JsonView block) {
  const std::string type(string_or(block, "type", ""));
  const bool is_result = type == "search_result";
  if (!is_result && type != "document") return std::nullopt;
  const auto text = is_result ? text_of_content(block["content"]) : text_of_source(block["source"]);
  if (!text) return std::nullopt;
  std::string out = "<" + type + ">\n";
  const std::size_t open = out.size();
  add_line("Title: ", string_or(block, "title", ""), out);
  if (is_result) add_line("Source: ", string_or(block, "source", ""), out);
  add_line("Context: ", string_or(block, "context", ""), out);
  if (out.size() > open) out += '\n';
  return out + *text + "\n</" + type + ">";
}

}  // namespace tophand::chat

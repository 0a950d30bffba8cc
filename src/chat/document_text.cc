#include "chat/document_text.h"

#include "base/json.h"
#include "chat/upstream_parts.h"

namespace tophand::chat {
namespace {

// A string, or text blocks.
std::optional<std::string> text_of_content(const Json& content) {
  if (content.is_string()) return content.get<std::string>();
  if (!content.is_array()) return std::nullopt;
  std::string out;
  for (const Json& part : content) {
    const Json& text = member(part, "text");
    if (string_member(part, "type") != "text" || !text.is_string()) return std::nullopt;
    if (!out.empty()) out += '\n';
    out += text.get_ref<const std::string&>();
  }
  return out;
}

std::optional<std::string> text_of_source(const Json& source) {
  const std::string type = string_member(source, "type");
  if (type == "content") return text_of_content(member(source, "content"));
  const Json& data = member(source, "data");
  if (type == "text" && data.is_string()) return data.get<std::string>();
  return std::nullopt;
}

void add_line(std::string_view name, const std::string& value, std::string& out) {
  if (value.empty()) return;
  ((out += name) += value) += '\n';
}

}  // namespace

std::optional<std::string> document_text(const Json& block) {
  const std::string type = string_member(block, "type");
  const bool is_result = type == "search_result";
  if (!is_result && type != "document") return std::nullopt;
  const auto text = is_result ? text_of_content(member(block, "content"))
                              : text_of_source(member(block, "source"));
  if (!text) return std::nullopt;
  std::string out = "<" + type + ">\n";
  const std::size_t open = out.size();
  add_line("Title: ", string_member(block, "title"), out);
  if (is_result) add_line("Source: ", string_member(block, "source"), out);
  add_line("Context: ", string_member(block, "context"), out);
  if (out.size() > open) out += '\n';
  return out + *text + "\n</" + type + ">";
}

}  // namespace tophand::chat

#include "server/file_edits.h"

#include <algorithm>
#include <initializer_list>
#include <iterator>
#include <set>
#include <string>
#include <utility>

#include "base/json.h"

namespace tophand::server {
namespace {

using steering::FileEdit;

constexpr JsonLimits kInputLimits{.bytes_max = 1u << 20, .depth_max = 8};
constexpr std::size_t kEditsMax = 64;  // of one call; a longer list is not looked at further

const Json* text_in(const Json& object, std::initializer_list<std::string_view> names) {
  for (const std::string_view name : names)
    if (const Json* value = find_key(object, name); value != nullptr && value->is_string())
      return value;
  return nullptr;
}

// Of one {old text, new text}.
std::optional<FileEdit> replacement(const Json& object, const std::string& path) {
  const Json* before = text_in(object, {"old_string", "oldString", "oldText", "old_str"});
  const Json* after = text_in(object, {"new_string", "newString", "newText", "new_str"});
  if (before == nullptr || after == nullptr) return std::nullopt;
  return FileEdit{path, before->get<std::string>(), after->get<std::string>()};
}

}  // namespace

std::vector<FileEdit> file_edits(std::string_view input_json) {
  if (input_json.find("ath\"") == std::string_view::npos) return {};  // most calls write nothing
  const auto input = parse_json(input_json, kInputLimits);
  if (!input || !input->is_object()) return {};
  const Json* path = text_in(*input, {"file_path", "filePath", "path"});
  if (path == nullptr) return {};
  const auto name = path->get<std::string>();
  if (auto one = replacement(*input, name)) return {*std::move(one)};
  if (const Json* content = text_in(*input, {"content", "file_text"}))
    return {{name, "", content->get<std::string>(), true}};
  std::vector<FileEdit> out;
  const Json* list = find_key(*input, "edits");
  if (list == nullptr || !list->is_array()) return out;
  for (const Json& item : *list)
    if (auto one = replacement(item, name); one && out.size() < kEditsMax)
      out.push_back(*std::move(one));
  return out;
}

std::optional<LastAnswer> last_answer(const chat::Request& request) {
  const auto& messages = request.messages;
  std::size_t end = messages.size();
  std::set<std::string_view> failed;
  LastAnswer out;
  bool tool_speaks = false;
  for (; end > 0 && messages[end - 1].role != chat::Role::kAssistant; --end)
    for (const chat::Block& block : messages[end - 1].blocks)
      if (const auto* result = std::get_if<chat::ToolResultBlock>(&block)) {
        tool_speaks = true;
        if (result->is_error) failed.insert(result->tool_use_id);
      }
  if (end == 0) return std::nullopt;
  out.messages = end;
  while (out.messages > 0 && messages[out.messages - 1].role == chat::Role::kAssistant)
    --out.messages;
  out.person_speaks = !tool_speaks && end < messages.size();
  if (!tool_speaks) return out;
  for (std::size_t i = out.messages; i < end; ++i)
    for (const chat::Block& block : messages[i].blocks)
      if (const auto* call = std::get_if<chat::ToolUseBlock>(&block);
          call != nullptr && !failed.contains(call->id))
        std::ranges::move(file_edits(call->input_json), std::back_inserter(out.edits));
  return out;
}

}  // namespace tophand::server

#include "cli/connection.h"

#include <utility>

#include "base/json.h"
#include "cli/json5_edit.h"

namespace tophand::cli {
namespace {

std::string joined(const std::vector<std::string>& path) {
  std::string out;
  for (const std::string& name : path) (out += out.empty() ? "" : ".") += name;
  return out;
}

// Whether both are the same JSON, however it is spaced.
bool same_value(std::string_view a, std::string_view b) {
  const auto left = parse_json(a), right = parse_json(b);
  return left && right && *left == *right;
}

// Objects on the way to a member that set_member() made and that hold nothing now.
Result<std::string> without_empty_objects(std::string text, std::string_view before,
                                          std::vector<std::string> path) {
  for (path.pop_back(); !path.empty(); path.pop_back()) {
    const auto now = find_member(text, path), then = find_member(before, path);
    if (!now) return tl::unexpected(now.error());
    if (!*now || !same_value(**now, "{}") || (then && *then)) break;
    auto removed = remove_member(text, path);
    if (!removed) return removed;
    text = std::move(*removed);
  }
  return text;
}

Result<std::string> restore(std::string text, const Setting& setting, std::string_view before) {
  const auto then = find_member(before, setting.path);
  if (then && *then) return set_member(text, setting.path, **then);
  auto removed = remove_member(text, setting.path);
  if (!removed) return removed;
  return without_empty_objects(std::move(*removed), before, setting.path);
}

}  // namespace

std::string write_connection(const Connection& connection) {
  Json settings = Json::array();
  for (const Setting& setting : connection.settings)
    settings.push_back({{"path", setting.path}, {"value", setting.value}});
  return dump_json({{"file", connection.file},
                    {"existed", connection.existed},
                    {"before", connection.before},
                    {"after", connection.after},
                    {"copy", connection.copy},
                    {"key", connection.key},
                    {"settings", settings}}) +
         "\n";
}

Result<Connection> read_connection(std::string_view text) {
  const auto json = parse_json(text);
  const auto* settings = json ? find_key(*json, "settings") : nullptr;
  if (settings == nullptr || !settings->is_array())
    return fail(Code::kCorrupt, "not a record of `tophand connect`");
  Connection connection{.file = std::string(string_or(*json, "file", "")),
                        .existed = bool_or(*json, "existed", false),
                        .before = std::string(string_or(*json, "before", "")),
                        .after = std::string(string_or(*json, "after", "")),
                        .copy = std::string(string_or(*json, "copy", "")),
                        .key = std::string(string_or(*json, "key", ""))};
  for (const Json& entry : *settings) {
    Setting setting{.path = {}, .value = std::string(string_or(entry, "value", ""))};
    if (const Json* path = find_key(entry, "path"); path != nullptr && path->is_array())
      for (const Json& name : *path)
        if (name.is_string()) setting.path.push_back(name.get<std::string>());
    if (setting.path.empty()) return fail(Code::kCorrupt, "not a record of `tophand connect`");
    connection.settings.push_back(std::move(setting));
  }
  return connection;
}

Result<std::string> connected(std::string_view text, ClientKind kind, const GatewayAccess& access) {
  if (std::string whole = whole_file_for(kind, access); !whole.empty()) return whole;
  std::string out(text);
  for (const Setting& setting : settings_for(kind, access, text)) {
    auto next = set_member(out, setting.path, setting.value);
    if (!next) return tl::unexpected(std::move(next).error().within("set " + joined(setting.path)));
    out = std::move(*next);
  }
  return out;
}

Result<Undone> disconnected(std::string_view text, const Connection& connection) {
  if (text == connection.after) return Undone{connection.before, {}};
  Undone undone{std::string(text), {}};
  if (connection.settings.empty() && !text.empty()) undone.left_alone.push_back("the whole file");
  for (const Setting& setting : connection.settings) {
    const auto now = find_member(undone.text, setting.path);
    if (!now) return tl::unexpected(now.error());
    if (!*now) continue;
    if (!same_value(**now, setting.value)) {
      undone.left_alone.push_back(joined(setting.path));
      continue;
    }
    auto restored = restore(std::move(undone.text), setting, connection.before);
    if (!restored) return tl::unexpected(restored.error());
    undone.text = std::move(*restored);
  }
  return undone;
}

}  // namespace tophand::cli

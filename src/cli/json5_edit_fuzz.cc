// Any bytes as a configuration file: what can be read can be changed; the change is the only one,
// by the bytes and, of plain JSON, by what they mean; and it can be undone.
#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <string>
#include <vector>

#include "base/assert.h"
#include "base/json.h"
#include "cli/json5_edit.h"

namespace {

using namespace tophand;
using Path = std::vector<std::string>;

// But for spaces, of which a line that goes takes its own along.
std::string without_spaces(std::string_view text) {
  std::string out(text);
  std::erase_if(out, [](char c) { return c == ' ' || (c >= '\t' && c <= '\r'); });
  return out;
}

// Of plain JSON without a name twice, which no library reads alike.
void check_meaning(std::string_view text, std::string_view changed, const Path& path) {
  bool repeats = false;
  auto before = parse_json(text, repeats);
  if (!before || !before->is_object() || repeats) return;
  const auto after = parse_json(changed);
  TOPHAND_ASSERT(after.has_value());
  Json* inner = &*before;
  for (const std::string& name : path) inner = &(*inner)[name];
  *inner = 1;
  TOPHAND_ASSERT(*before == *after);
}

void check_path(std::string_view text, const Path& path) {
  const auto there = cli::find_member(text, path);
  const auto changed = cli::set_member(text, path, "1");
  if (!changed) return;
  TOPHAND_ASSERT(there.has_value());
  const auto found = cli::find_member(*changed, path);
  TOPHAND_ASSERT(found.has_value() && *found && **found == "1");
  TOPHAND_ASSERT(cli::set_member(*changed, path, "1") == *changed);
  check_meaning(text, *changed, path);
  const auto removed = cli::remove_member(*changed, path);
  TOPHAND_ASSERT(removed.has_value());
  TOPHAND_ASSERT(cli::find_member(*removed, path).has_value());
  // Objects that had to be made stay.
  if (*there || std::ranges::count(*changed, '{') != std::ranges::count(text, '{')) return;
  TOPHAND_ASSERT(!cli::find_member(*removed, path)->has_value());
  TOPHAND_ASSERT(without_spaces(*removed) == without_spaces(text));
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const std::string_view text(reinterpret_cast<const char*>(data), size);
  check_path(text, {"new"});
  check_path(text, {"a", "new"});
  check_path(text, {"a", "b", "new"});
  return 0;
}

// Arguments of tool calls, which models and clients make up: none may do harm, and what an agent
// writes into a file is found as it was, whatever its tools call things.
#include <array>
#include <cstddef>
#include <cstdint>
#include <string_view>

#include "base/assert.h"
#include "base/json.h"
#include "base/json_text.h"
#include "server/file_edits.h"

namespace {

using namespace tophand;

struct Names {
  const char* path;
  const char* before;
  const char* after;
  const char* whole;
};

bool same(const steering::FileEdit& a, const steering::FileEdit& b) {
  return a.path == b.path && a.old_text == b.old_text && a.new_text == b.new_text &&
         a.is_whole == b.is_whole;
}

// The call writes just this, so often.
void check_call(const Json& call, const steering::FileEdit& edit, std::size_t times = 1) {
  const auto found = server::file_edits(dump_json(call));
  TOPHAND_ASSERT(found.size() == times);
  for (const steering::FileEdit& each : found) TOPHAND_ASSERT(same(each, edit));
}

void check_found(const std::string& path, const std::string& before, const std::string& after) {
  const steering::FileEdit edit{path, before, after};
  for (const Names& names : {Names{"file_path", "old_string", "new_string", "content"},
                             Names{"filePath", "oldString", "newString", "content"},
                             Names{"path", "old_str", "new_str", "file_text"}}) {
    check_call({{names.path, path}, {names.before, before}, {names.after, after}}, edit);
    check_call({{names.path, path}, {names.whole, after}}, {path, "", after, true});
    const Json item{{names.before, before}, {names.after, after}};
    check_call({{names.path, path}, {"edits", Json::array({item, "", item})}}, edit, 2);
  }
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const std::string_view input(reinterpret_cast<const char*>(data), size);
  const auto edits = server::file_edits(input);
  TOPHAND_ASSERT(edits.size() <= 64);
  for (const auto& edit : edits) {
    TOPHAND_ASSERT(!edit.is_whole || edit.old_text.empty());
    TOPHAND_ASSERT(edit.path == edits.front().path);
  }
  // The bytes as a path, and what is replaced by what, where they are text.
  const std::size_t first = input.find('\0');
  const std::size_t second = first == input.npos ? first : input.find('\0', first + 1);
  if (second == input.npos) return 0;
  const std::string path(input.substr(0, first));
  const std::string before(input.substr(first + 1, second - first - 1));
  const std::string after(input.substr(second + 1));
  if (is_utf8(input)) check_found(path, before, after);
  return 0;
}

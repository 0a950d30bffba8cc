// Any bytes as a configuration file: what can be read can be changed, and reads the same
// afterwards.
#include <cstddef>
#include <cstdint>
#include <vector>

#include "base/assert.h"
#include "cli/json5_edit.h"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace tophand::cli;
  const std::string_view text(reinterpret_cast<const char*>(data), size);
  const std::vector<std::string> path{"a", "new"};
  const auto changed = set_member(text, path, "1");
  if (!changed) return 0;
  const auto found = find_member(*changed, path);
  TOPHAND_ASSERT(found.has_value() && *found && **found == "1");
  const auto removed = remove_member(*changed, path);
  TOPHAND_ASSERT(removed.has_value());
  TOPHAND_ASSERT(find_member(*removed, path).has_value());
  return 0;
}

// The file of watched commits and what git prints: any bytes, as records, log and bodies.
#include <cstddef>
#include <cstdint>
#include <string_view>

#include "base/assert.h"
#include "tasks/commit_fate.h"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace tophand::tasks;
  const std::string_view text(reinterpret_cast<const char*>(data), size);
  const auto made = read_made_commits(text);
  TOPHAND_ASSERT(read_made_commits(write_made_commits(made)).size() == made.size());
  const CommitHistory history{read_commit_log(text), read_reverts(text)};
  for (const MadeCommit& each : made) static_cast<void>(fate_of(each, made, history, 0));
  return 0;
}

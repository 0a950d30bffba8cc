// Arguments of tool calls, which models and clients make up: none may do harm.
#include <cstddef>
#include <cstdint>
#include <string_view>

#include "base/assert.h"
#include "server/file_edits.h"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const std::string_view input(reinterpret_cast<const char*>(data), size);
  for (const auto& edit : tophand::server::file_edits(input))
    TOPHAND_ASSERT(!edit.is_whole || edit.old_text.empty());
  return 0;
}

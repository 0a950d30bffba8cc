// Whatever the Batch API may send: parsing ends, and what is taken keeps its bounds.
#include <cstddef>
#include <cstdint>
#include <string_view>

#include "backend/claude_batches.h"
#include "base/assert.h"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace tophand::backend;
  const std::string_view text(reinterpret_cast<const char*>(data), size);
  if (const auto batch = parse_batch(text)) TOPHAND_ASSERT(!batch->id.empty() && batch->items >= 0);
  static_cast<void>(parse_batch_list(text));
  if (const auto result = parse_batch_result(text)) TOPHAND_ASSERT(result->custom_id.size() <= 128);
  return 0;
}

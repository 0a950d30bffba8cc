// What is loaded as the saved state of pacing can be saved and loaded again.
#include <cstdint>
#include <string_view>

#include "base/assert.h"
#include "policy/pacing.h"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace tophand::policy;
  const std::string_view text(reinterpret_cast<const char*>(data), size);
  if (const auto demand = Demand::load(text)) TOPHAND_ASSERT(Demand::load(demand->save()));
  if (const auto pacer = Pacer::load(text)) TOPHAND_ASSERT(Pacer::load(pacer->save()));
  return 0;
}

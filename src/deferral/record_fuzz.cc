// Files of the queue as a disk may give them back: reading ends, and what was read can be written
// and read again.
#include <cstddef>
#include <cstdint>
#include <string_view>

#include "base/assert.h"
#include "deferral/batch_log.h"
#include "deferral/record.h"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace tophand::deferral;
  const std::string_view text(reinterpret_cast<const char*>(data), size);
  if (const auto entry = read_entry(text, State::kWaiting)) {
    const auto again = read_entry(write_request(entry->ticket, "{}"), State::kWaiting);
    TOPHAND_ASSERT(again && again->ticket.id == entry->ticket.id &&
                   again->ticket.headers == entry->ticket.headers);
  }
  static_cast<void>(read_answer(text));
  if (const auto batch = read_batch(text)) {
    const auto again = read_batch(write_batch(*batch));
    TOPHAND_ASSERT(again && again->items == batch->items);
  }
  return 0;
}

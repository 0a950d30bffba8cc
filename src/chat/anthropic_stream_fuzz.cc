// Any lines as the data of a Messages stream: read, collected, and written in every dialect.
#include "chat/stream_fuzz_support.h"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace tophand::chat;
  AnthropicStreamReader reader;
  std::vector<StreamEvent> events;
  each_line(data, size, [&](std::string_view line) { reader.on_event("", line, events); });
  reader.on_end(events);
  TOPHAND_ASSERT(reader.finished());
  check_events(events);
  return 0;
}

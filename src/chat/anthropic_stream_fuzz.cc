// Any lines as the data of a Messages stream: read, collected, and written in every dialect.
#include <algorithm>
#include <cstddef>
#include <cstdint>

#include "base/assert.h"
#include "chat/dialect.h"
#include "chat/upstream.h"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace tophand::chat;
  std::string_view rest(reinterpret_cast<const char*>(data), size);
  AnthropicStreamReader reader;
  std::vector<StreamEvent> events;
  while (!rest.empty()) {
    const std::size_t end = std::min(rest.find('\n'), rest.size());
    reader.on_event("", rest.substr(0, end), events);
    rest.remove_prefix(std::min(end + 1, rest.size()));
  }
  reader.on_end(events);
  TOPHAND_ASSERT(reader.finished());
  Collector collector;
  for (const StreamEvent& event : events) collector.on(event);
  TOPHAND_ASSERT(collector.finished() != collector.failed().has_value());
  for (const Dialect dialect : {Dialect::kAnthropicMessages, Dialect::kOpenAiChat,
                                Dialect::kOllamaChat, Dialect::kOllamaGenerate}) {
    const auto writer = make_stream_writer(dialect, {});
    std::string out;
    for (const StreamEvent& event : events) writer->on(event, 0, out);
    TOPHAND_ASSERT(out.ends_with('\n'));
  }
  for (const StreamEvent& event : events)
    TOPHAND_ASSERT(read_engine_event(write_engine_event(event)).has_value());
  return 0;
}

// For this room's fuzz targets: any lines put to a stream reader, and what must hold of its events
// whatever the lines were. Included by fuzz targets only.
#pragma once

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <string_view>
#include <vector>

#include "base/assert.h"
#include "chat/dialect.h"
#include "chat/upstream.h"

namespace tophand::chat {

// Events end once, can be collected, written in every dialect, and sent over the engine's wire.
inline void check_events(const std::vector<StreamEvent>& events) {
  Collector collector;
  for (const StreamEvent& event : events) collector.on(event);
  TOPHAND_ASSERT(collector.finished() != collector.failed().has_value());
  for (const Dialect dialect :
       {Dialect::kAnthropicMessages, Dialect::kOpenAiChat, Dialect::kOpenAiResponses,
        Dialect::kOpenAiCompletions, Dialect::kOllamaChat, Dialect::kOllamaGenerate}) {
    const auto writer = make_stream_writer(dialect, {});
    std::string out;
    for (const StreamEvent& event : events) writer->on(event, 0, out);
    TOPHAND_ASSERT(out.ends_with('\n'));
  }
  for (const StreamEvent& event : events)
    TOPHAND_ASSERT(read_engine_event(write_engine_event(event)).has_value());
}

// `put(line, events)` for each line of the input.
template <class Put>
void each_line(const std::uint8_t* data, std::size_t size, Put put) {
  std::string_view rest(reinterpret_cast<const char*>(data), size);
  while (!rest.empty()) {
    const std::size_t end = std::min(rest.find('\n'), rest.size());
    put(rest.substr(0, end));
    rest.remove_prefix(std::min(end + 1, rest.size()));
  }
}

}  // namespace tophand::chat

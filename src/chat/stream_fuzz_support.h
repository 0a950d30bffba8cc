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

// The events as two answers in one stream of OpenAI's: each finishes or fails, and only the last
// one that finishes ends the stream.
inline void check_shared(Dialect dialect, const std::vector<StreamEvent>& events) {
  constexpr std::string_view kEnd = "data: [DONE]\n\n";
  SharedStream shared{.answers = 2};
  for (std::int64_t i = 0; i < 2 && shared.finished == i; ++i) {
    AnswerContext context{.include_usage = true};
    context.write_into(&shared);
    const auto writer = make_stream_writer(dialect, context);
    std::string out;
    for (const StreamEvent& event : events) writer->on(event, 0, out);
    TOPHAND_ASSERT(out.ends_with('\n'));
    TOPHAND_ASSERT(out.ends_with(kEnd) == (shared.finished == 2));
  }
}

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
  for (const Dialect dialect : {Dialect::kOpenAiChat, Dialect::kOpenAiCompletions})
    check_shared(dialect, events);
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

// Any lines as a stream of Ollama's: read, collected, and written in every dialect.
#include "chat/ollama_upstream.h"
#include "chat/stream_fuzz_support.h"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace tophand::chat;
  OllamaStreamReader reader("call_");
  std::vector<StreamEvent> events;
  each_line(data, size, [&](std::string_view line) { reader.on_line(line, events); });
  reader.on_end(events);
  TOPHAND_ASSERT(reader.finished());
  check_events(events);
  return 0;
}

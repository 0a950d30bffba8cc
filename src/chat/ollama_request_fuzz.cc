// Any bytes as an Ollama request, of either kind.
#include <cstddef>
#include <cstdint>

#include "base/assert.h"
#include "chat/dialect.h"
#include "chat/ollama_duration.h"
#include "chat/upstream.h"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace tophand::chat;
  const std::string_view body(reinterpret_cast<const char*>(data), size);
  if (const auto ms = parse_go_duration_ms(body)) TOPHAND_ASSERT(*ms >= -1);
  for (const Dialect dialect : {Dialect::kOllamaChat, Dialect::kOllamaGenerate}) {
    const auto request = parse_request(dialect, body);
    if (!request) continue;
    TOPHAND_ASSERT(request->load_only == request->messages.empty());
    TOPHAND_ASSERT(read_engine_request(write_engine_request(*request)).has_value());
  }
  return 0;
}

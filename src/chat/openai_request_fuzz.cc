// Any bytes as a Chat Completions request; what is accepted must make a valid Messages request.
#include <cstddef>
#include <cstdint>

#include "base/assert.h"
#include "chat/dialect.h"
#include "chat/upstream.h"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace tophand::chat;
  const std::string_view body(reinterpret_cast<const char*>(data), size);
  const auto request = parse_request(Dialect::kOpenAiChat, body);
  if (!request) return 0;
  const std::string claude = write_anthropic_request(*request, "claude-x", 4096);
  TOPHAND_ASSERT(find_top_level_value(claude, "max_tokens").has_value());
  TOPHAND_ASSERT(read_engine_request(write_engine_request(*request)).has_value());
  return 0;
}

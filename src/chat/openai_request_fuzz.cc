// Any bytes as a Chat Completions request; what is accepted must make a Messages request that the
// API takes, and reach the engine as it was.
#include <cstddef>
#include <cstdint>

#include "base/assert.h"
#include "chat/dialect.h"
#include "chat/messages_rules_for_tests.h"
#include "chat/upstream.h"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace tophand::chat;
  const std::string_view body(reinterpret_cast<const char*>(data), size);
  auto request = parse_request(Dialect::kOpenAiChat, body);
  if (!request) return 0;
  TOPHAND_ASSERT(!request->messages.empty() && request->answers >= 1);
  check_messages_body(*request);
  prepare_for_local(*request);
  check_engine_line(*request);
  return 0;
}

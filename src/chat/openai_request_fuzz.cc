// Any bytes as a Chat Completions request; what is accepted must make a Messages request that the
// API takes, and reach the engine as it was.
#include <cstddef>
#include <cstdint>
#include <cstdio>

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
  const std::string broken =
      MessagesRules::broken_by(write_anthropic_request(*request, "claude-x", 4096));
  if (!broken.empty()) std::fprintf(stderr, "%s\n", broken.c_str());
  TOPHAND_ASSERT(broken.empty());
  prepare_for_local(*request);
  const std::string wire = write_engine_request(*request);
  const auto read = read_engine_request(wire);
  TOPHAND_ASSERT(read.has_value() && write_engine_request(*read) == wire);
  return 0;
}

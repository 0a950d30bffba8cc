// Any bytes as a Messages request: parsed, readied for a local model, translated and forwarded.
#include <cstddef>
#include <cstdint>

#include "base/assert.h"
#include "chat/dialect.h"
#include "chat/token_estimate.h"
#include "chat/upstream.h"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace tophand::chat;
  const std::string_view body(reinterpret_cast<const char*>(data), size);
  auto request = parse_request(Dialect::kAnthropicMessages, body);
  const auto forwarded = pass_through_anthropic_request(body, "claude-x");
  if (!request) return 0;
  TOPHAND_ASSERT(request->max_tokens && *request->max_tokens >= 1);
  TOPHAND_ASSERT(forwarded.has_value());  // what parses has exactly one model
  const auto again = parse_request(Dialect::kAnthropicMessages, *forwarded);
  TOPHAND_ASSERT(!again || again->model == "claude-x");
  TOPHAND_ASSERT(estimate_tokens(TokenFamily::kV5, *request) >= 0);
  const auto readied = readied_for_local(*request);
  const std::string unprepared = write_engine_request(*request);
  prepare_for_local(*request);
  const std::string wire = write_engine_request(*request);
  TOPHAND_ASSERT((readied ? write_engine_request(*readied) : unprepared) == wire);
  const auto read = read_engine_request(wire);
  TOPHAND_ASSERT(read.has_value());
  TOPHAND_ASSERT(write_engine_request(*read) == wire);
  return 0;
}

// Any bytes as a Messages request: parsed, readied for a local model, translated and forwarded.
#include <cstddef>
#include <cstdint>

#include "base/assert.h"
#include "base/json.h"
#include "chat/dialect.h"
#include "chat/token_estimate.h"
#include "chat/upstream.h"

namespace {

// Of a body that parses: what is sent on is the same but for what has to be taken out.
void check_pass_through(std::string_view body, const std::string& model) {
  using namespace tophand;
  const auto forwarded = chat::pass_through_anthropic_request(body, "claude-x");
  TOPHAND_ASSERT(forwarded.has_value());  // what parses has exactly one model
  TOPHAND_ASSERT(chat::pass_through_anthropic_request(*forwarded, "claude-x") == *forwarded);
  const auto before = parse_json(body), after = parse_json(*forwarded);
  TOPHAND_ASSERT(before && after && before->size() == after->size());
  for (const auto& [key, value] : before->items()) {
    const Json* sent = find_key(*after, key);
    TOPHAND_ASSERT(sent != nullptr);
    if (key == "model") TOPHAND_ASSERT(*sent == "claude-x");
    else if (key == "thread") TOPHAND_ASSERT(sent->is_null() || *sent == value);
    else if (key == "metadata") TOPHAND_ASSERT(sent->type() == value.type());
    else if (key == "messages") TOPHAND_ASSERT(sent->size() <= value.size());
    else TOPHAND_ASSERT(*sent == value);
  }
  for (const char* changed : {"metadata", "thread", "messages"})
    if (find_key(*before, changed) != nullptr &&
        *find_key(*before, changed) != *find_key(*after, changed))
      return;
  TOPHAND_ASSERT(chat::pass_through_anthropic_request(body, model) == body);
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace tophand::chat;
  const std::string_view body(reinterpret_cast<const char*>(data), size);
  static_cast<void>(pass_through_anthropic_request(body, "claude-x"));
  auto request = parse_request(Dialect::kAnthropicMessages, body);
  if (!request) return 0;
  // 0 only fills Claude's cache: no local model is to answer it.
  TOPHAND_ASSERT(request->max_tokens && *request->max_tokens >= 0);
  TOPHAND_ASSERT(*request->max_tokens > 0 || !request->unsupported.empty());
  check_pass_through(body, request->model);
  TOPHAND_ASSERT(estimate_tokens(TokenFamily::kV5, *request) >= 0);
  const auto readied = readied_for_local(*request);
  const std::string unprepared = write_engine_request(*request);
  prepare_for_local(*request);
  const std::string wire = write_engine_request(*request);
  TOPHAND_ASSERT((readied ? write_engine_request(*readied) : unprepared) == wire);
  const auto read = read_engine_request(wire);
  TOPHAND_ASSERT(read.has_value());
  TOPHAND_ASSERT(write_engine_request(*read) == wire);
  prepare_for_local(*request);  // a second time changes nothing
  TOPHAND_ASSERT(write_engine_request(*request) == wire);
  return 0;
}

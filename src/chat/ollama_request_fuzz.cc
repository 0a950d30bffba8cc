// Any bytes as an Ollama request, of either kind, and as a duration; what is accepted must make a
// Messages request that the API takes, and reach the engine as it was.
#include <cstddef>
#include <cstdint>
#include <string>

#include "base/assert.h"
#include "chat/dialect.h"
#include "chat/messages_rules_for_tests.h"
#include "chat/ollama_duration.h"
#include "chat/upstream.h"

namespace {

void check_durations(std::string_view body) {
  using tophand::chat::parse_go_duration_ms;
  constexpr std::int64_t kMsMax = 9'223'372'036'854;  // 2^63 ns
  if (const auto ms = parse_go_duration_ms(body)) {
    TOPHAND_ASSERT(*ms >= -1 && *ms <= kMsMax);
    const std::string written = std::to_string(*ms) + "ms";
    TOPHAND_ASSERT(parse_go_duration_ms(written) == ms);
    if (body.front() == '-') TOPHAND_ASSERT(*ms <= 0);
    else if (body.front() != '+')
      TOPHAND_ASSERT(parse_go_duration_ms("+" + std::string(body)) == ms);
  }
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace tophand::chat;
  const std::string_view body(reinterpret_cast<const char*>(data), size);
  check_durations(body);
  for (const Dialect dialect : {Dialect::kOllamaChat, Dialect::kOllamaGenerate}) {
    auto request = parse_request(dialect, body);
    if (!request) continue;
    TOPHAND_ASSERT(request->load_only == request->messages.empty());
    TOPHAND_ASSERT(!request->max_tokens || *request->max_tokens >= 1);
    TOPHAND_ASSERT(!request->keep_alive_ms || *request->keep_alive_ms >= -1);
    check_messages_body(*request);
    prepare_for_local(*request);
    check_engine_line(*request);
  }
  return 0;
}

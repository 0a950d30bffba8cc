// Any body as a request of each dialect, written for every kind of upstream: what we send is JSON.
#include <cstddef>
#include <cstdint>

#include "base/assert.h"
#include "base/json.h"
#include "chat/dialect.h"
#include "chat/ollama_upstream.h"
#include "chat/openai_upstream.h"
#include "chat/server_error.h"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace tophand;
  using namespace tophand::chat;
  const std::string_view body(reinterpret_cast<const char*>(data), size);
  TOPHAND_ASSERT(!read_server_error(0, body).error.message.empty());
  // One level of nesting is added around what the parser let through.
  constexpr JsonLimits kDeeper{.bytes_max = 64u << 20, .depth_max = 80};
  for (const Dialect dialect :
       {Dialect::kAnthropicMessages, Dialect::kOpenAiChat, Dialect::kOpenAiResponses,
        Dialect::kOpenAiCompletions, Dialect::kOllamaChat, Dialect::kOllamaGenerate}) {
    const auto request = parse_request(dialect, body);
    if (!request) continue;
    const std::string openai = write_openai_request(*request, "m", {.repeat_penalty = "r"});
    TOPHAND_ASSERT(parse_json(openai, kDeeper).has_value());
    const auto ollama = write_ollama_request(*request, {.model = "m"});
    TOPHAND_ASSERT(!ollama || parse_json(*ollama, kDeeper).has_value());
  }
  return 0;
}

// Any bytes as a Responses request and as a Completions request; what is accepted must make a valid
// Messages request and an answer that repeats its settings, and several prompts a request each.
#include <cstddef>
#include <cstdint>

#include "base/assert.h"
#include "base/json.h"
#include "chat/dialect.h"
#include "chat/several_answers.h"
#include "chat/upstream.h"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace tophand::chat;
  const std::string_view body(reinterpret_cast<const char*>(data), size);
  for (const Dialect dialect : {Dialect::kOpenAiResponses, Dialect::kOpenAiCompletions}) {
    const auto request = parse_request(dialect, body);
    if (!request) continue;
    if (request->answers > 1) {
      const auto last =
          parse_request(dialect, one_of_several(*tophand::parse_json(body), request->answers - 1));
      TOPHAND_ASSERT(last.has_value() && last->answers == 1);
    }
    TOPHAND_ASSERT(request->load_only || !request->messages.empty());
    const std::string claude = write_anthropic_request(*request, "claude-x", 4096);
    TOPHAND_ASSERT(find_top_level_value(claude, "max_tokens").has_value());
    TOPHAND_ASSERT(read_engine_request(write_engine_request(*request)).has_value());
    const AnswerContext context{.id = "resp_1", .echo_json = request->echo_json};
    TOPHAND_ASSERT(find_top_level_value(write_answer(dialect, context, {}), "id").has_value());
  }
  return 0;
}

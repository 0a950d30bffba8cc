// Any bytes as a Responses request and as a Completions request; what is accepted must make a
// Messages request that the API takes and an answer that repeats its settings, and several prompts
// a request each.
#include <cstddef>
#include <cstdint>
#include <string_view>
#include <vector>

#include "base/assert.h"
#include "base/json.h"
#include "chat/dialect.h"
#include "chat/messages_rules_for_tests.h"
#include "chat/responses_stored.h"
#include "chat/several_answers.h"
#include "chat/upstream.h"

namespace {

// The bytes themselves as what was kept.
class Kept final : public tophand::chat::Memory {
 public:
  explicit Kept(std::string_view body) : body_(body) {}
  std::vector<tophand::chat::Earlier> until(std::string_view id) override {
    const auto input = tophand::chat::find_top_level_value(body_, "input");
    if (!input) return {};
    return {{id, body_.substr(input->begin, input->end - input->begin), body_}};
  }

 private:
  std::string_view body_;
};

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace tophand::chat;
  const std::string_view body(reinterpret_cast<const char*>(data), size);
  for (const Dialect dialect : {Dialect::kOpenAiResponses, Dialect::kOpenAiCompletions}) {
    Kept memory(body);
    const auto request = parse_request(dialect, body, &memory);
    if (const auto chain = memory.until("resp_1"); !chain.empty()) {
      const auto list = write_input_items(chain, {.limit = 3});
      TOPHAND_ASSERT(list && find_top_level_value(*list, "has_more").has_value());
    }
    if (!request) continue;
    if (request->answers > 1) {
      const auto last =
          parse_request(dialect, one_of_several(*tophand::parse_json(body), request->answers - 1));
      TOPHAND_ASSERT(last.has_value() && last->answers == 1);
    }
    TOPHAND_ASSERT(request->load_only || !request->messages.empty());
    check_messages_body(*request);
    TOPHAND_ASSERT(read_engine_request(write_engine_request(*request)).has_value());
    const AnswerContext context{.id = "resp_1", .echo_json = request->echo_json};
    TOPHAND_ASSERT(find_top_level_value(write_answer(dialect, context, {}), "id").has_value());
  }
  return 0;
}

// Whatever the Batch API may send: parsing ends, and what is taken keeps its bounds. And what is
// sent to it: JSON, with the requests as they were.
#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <string_view>

#include "backend/claude_batches.h"
#include "base/assert.h"
#include "base/json.h"

namespace {

using namespace tophand;
using namespace tophand::backend;

bool is_id(std::string_view id) {
  return !id.empty() && id.size() <= 128 && id.find_first_of("/?#% \r\n") == id.npos;
}

void check_state(const BatchState& state) {
  TOPHAND_ASSERT(is_id(state.id));  // it becomes part of a path
  TOPHAND_ASSERT(state.items >= 0 && state.items <= 5'000'000);
}

void check_result(const BatchResult& result) {
  using Type = BatchResult::Type;
  TOPHAND_ASSERT(is_id(result.custom_id));
  TOPHAND_ASSERT((result.type == Type::kSucceeded) == !result.message.empty());
  if (result.type == Type::kSucceeded) {
    const auto message = parse_json(result.message);
    TOPHAND_ASSERT(message && message->is_object());
  }
  if (result.type == Type::kErrored) TOPHAND_ASSERT(!result.failure.error.message.empty());
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const std::string_view text(reinterpret_cast<const char*>(data), size);
  const auto state = parse_batch(text);
  if (state) check_state(*state);
  if (const auto list = parse_batch_list(text))
    for (const BatchState& each : *list) check_state(each);
  if (const auto result = parse_batch_result(text)) check_result(*result);
  const auto params = parse_json(text, {.depth_max = 60});
  if (!params || !params->is_object()) return 0;
  const auto sent = parse_json(write_batch({{"a_1", std::string(text)}, {"b-2", "{}"}}));
  TOPHAND_ASSERT(sent && sent->at("requests").size() == 2);
  TOPHAND_ASSERT(sent->at("requests")[0]["params"] == *params);
  TOPHAND_ASSERT(sent->at("requests")[1]["custom_id"] == "b-2");
  const auto listed = parse_batch_list("{\"data\":[" + std::string(text) + "]}");
  TOPHAND_ASSERT(listed.has_value() == state.has_value());
  if (state)
    TOPHAND_ASSERT(listed->front().id == state->id && listed->front().items == state->items);
  return 0;
}

// A schema of a client and an answer of a model, with a zero byte between them.
#include <cstddef>
#include <cstdint>
#include <string_view>

#include "base/assert.h"
#include "base/json.h"
#include "base/json_schema.h"
#include "chat/answer_check.h"

namespace {

bool fits(const tophand::Json& schema, const tophand::Json& value) {
  const auto mismatch = tophand::schema_mismatch(schema, value, "answer");
  return mismatch && !*mismatch;
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace tophand;
  const std::string_view input(reinterpret_cast<const char*>(data), size);
  const std::size_t split = input.find('\0');
  if (split == std::string_view::npos) return 0;
  const std::string_view text = input.substr(split + 1);
  chat::Request request;
  request.json_schema = input.substr(0, split);
  const auto schema = parse_json(request.json_schema);
  const auto answer = chat::read_json_answer(request, text);
  // What fits as it stands is not touched.
  if (const auto whole = parse_json(text); whole && schema && fits(*schema, *whole)) {
    TOPHAND_ASSERT(!answer.fault && !answer.mended);
    TOPHAND_ASSERT(parse_json(answer.text) == *whole);
  }
  if (!answer.mended) TOPHAND_ASSERT(text.find(answer.text) != std::string_view::npos);
  if (answer.fault) return 0;
  // What passes is JSON, and fits where the schema can be judged.
  const auto value = parse_json(answer.text);
  TOPHAND_ASSERT(value.has_value());
  if (schema) {
    const auto mismatch = schema_mismatch(*schema, *value, "answer");
    TOPHAND_ASSERT(!mismatch || !*mismatch);
  }
  const auto again = chat::read_json_answer(request, answer.text);
  TOPHAND_ASSERT(!again.fault && !again.mended && again.text == answer.text);
  return 0;
}

// A schema of a client and an answer of a model, with a zero byte between them.
#include <cstdint>
#include <cstdlib>
#include <string_view>

#include "base/json.h"
#include "base/json_schema.h"
#include "chat/answer_check.h"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const std::string_view input(reinterpret_cast<const char*>(data), size);
  const std::size_t split = input.find('\0');
  if (split == std::string_view::npos) return 0;
  tophand::chat::Request request;
  request.json_schema = input.substr(0, split);
  const auto answer = tophand::chat::read_json_answer(request, input.substr(split + 1));
  if (answer.fault) return 0;
  // What passes is JSON, and fits where the schema can be judged.
  const auto value = tophand::parse_json(answer.text);
  if (!value) std::abort();
  const auto schema = tophand::parse_json(request.json_schema);
  if (!schema) return 0;
  const auto mismatch = tophand::schema_mismatch(*schema, *value, "answer");
  if (mismatch && *mismatch) std::abort();
  return 0;
}

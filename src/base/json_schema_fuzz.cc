// Any schema and any value ("SCHEMA\nVALUE"): an answer within the steps, and a short one.
#include <cstddef>
#include <cstdint>

#include "base/assert.h"
#include "base/json.h"
#include "base/json_schema.h"

using namespace tophand;

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const std::string_view input(reinterpret_cast<const char*>(data), size);
  const std::size_t line = input.find('\n');
  if (line == std::string_view::npos) return 0;
  const auto schema = parse_json(input.substr(0, line)), value = parse_json(input.substr(line + 1));
  if (!schema || !value) return 0;
  const auto found = schema_mismatch(*schema, *value, "value");
  if (found && *found) TOPHAND_ASSERT(!(*found)->empty());
  return 0;
}

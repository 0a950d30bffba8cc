#include "chat/anthropic_schema.h"

#include <algorithm>
#include <array>
#include <string>
#include <string_view>
#include <vector>

#include "base/json.h"

namespace tophand::chat {
namespace {

// JSON Schema 2020-12, and "definitions" of drafts before it.
constexpr std::array<std::string_view, 5> kNamedSchemas{"properties", "patternProperties", "$defs",
                                                        "definitions", "dependentSchemas"};
constexpr std::array<std::string_view, 4> kSchemaLists{"anyOf", "oneOf", "allOf", "prefixItems"};
constexpr std::array<std::string_view, 8> kSchemas{
    "items", "additionalProperties", "not", "if", "then", "else", "contains", "propertyNames"};

template <class Keys>
bool is_one_of(const Keys& keys, std::string_view key) {
  return std::ranges::find(keys, key) != keys.end();
}

// Each schema right below this one.
template <class Visit>
void each_below(Json& schema, Visit visit) {
  for (auto& [key, value] : schema.items()) {
    if (is_one_of(kSchemas, key) && !value.is_array()) {
      visit(value);
      continue;
    }
    // "items" was a list before draft 2020-12.
    const bool holds_schemas = (is_one_of(kNamedSchemas, key) && value.is_object()) ||
                               (is_one_of(kSchemaLists, key) && value.is_array()) ||
                               (key == "items" && value.is_array());
    if (!holds_schemas) continue;
    for (Json& each : value) visit(each);
  }
}

void erase_nulls(Json& object, bool keeps_values) {
  std::vector<std::string> gone;
  for (const auto& [key, value] : object.items()) {
    const bool is_value = keeps_values && (key == "const" || key == "default");
    if (value.is_null() && !is_value) gone.push_back(key);
  }
  for (const std::string& key : gone) object.erase(key);
}

}  // namespace

void drop_nulls(Json& schema) {
  if (!schema.is_object()) return;
  erase_nulls(schema, true);
  for (const std::string_view key : kNamedSchemas)
    if (const auto inner = schema.find(std::string(key));
        inner != schema.end() && inner->is_object())
      erase_nulls(*inner, false);
  each_below(schema, [](Json& below) { drop_nulls(below); });
}

}  // namespace tophand::chat

// Whether a JSON value fits a JSON Schema, for schemas that strangers send: every check takes a
// bounded number of steps, references that go round in circles included. Pure.
//
// Judged, as drafts 4 to 2020-12 have them: type, enum, const, nullable; properties, required,
// additionalProperties, propertyNames, min/maxProperties, dependencies, dependentRequired,
// dependentSchemas; items (a schema or a list), prefixItems, additionalItems, contains,
// min/maxContains, min/maxItems, uniqueItems; minimum, maximum, exclusiveMinimum/Maximum,
// multipleOf; min/maxLength; allOf, anyOf, oneOf, not, if/then/else; $ref within the document.
// Taken as fitting: pattern and format (a stranger's regular expression can take for ever),
// patternProperties, unevaluated*, references to other documents, keywords that nobody knows.
#pragma once

#include <optional>
#include <string>
#include <string_view>

#include "base/json_fwd.h"
#include "base/result.h"

namespace tophand {

// What one check may cost: schemas applied and values compared. 50,000 take some 30 ms.
inline constexpr int kSchemaStepsMax = 50'000;

// Whether the value is of a schema's type; a whole number with a point is an "integer" too, and
// every value is of a type that nobody knows.
bool has_type(const Json& value, std::string_view type);

// Nothing when `value` fits. Else the first thing that does not, in words for whoever wrote the
// value, with its place under `root`: "arguments.limit: expected an integer, found \"5\"".
// kTooLarge when judging takes more than kSchemaStepsMax steps, which says nothing about the value.
Result<std::optional<std::string>> schema_mismatch(const Json& schema, const Json& value,
                                                   std::string_view root);

}  // namespace tophand

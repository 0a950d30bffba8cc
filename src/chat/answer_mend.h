// What is spelled wrongly in the JSON that a local model wrote for a schema, put right where there
// is one way to do it: small models write "5" for 5, one item for a list, words around the JSON.
// Nothing that fits is touched, nothing is made up. docs/tools.md. Pure.
#pragma once

#include <string_view>
#include <vector>

#include "base/json_fwd.h"

namespace tophand::chat {

// Where JSON may stand in an answer, the likeliest first, eight at most: all of it, what stands in
// fences, and what begins with a bracket and ends where that closes. Views into `text`.
std::vector<std::string_view> json_candidates(std::string_view text);

// `value` nearer to `schema`: numbers, true, false and null out of strings that spell them, strings
// out of numbers, a list of the one item that stands in its place and the other way round, names
// and enum values in the schema's spelling where they differ by case, "_", "-" or spaces, null for
// what is missing and may be null, no members that the schema forbids. Follows properties and
// items only; the caller checks what came out. A bounded number of steps.
Json mended_json(const Json& schema, Json value);

}  // namespace tophand::chat

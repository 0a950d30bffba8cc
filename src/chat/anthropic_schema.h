// JSON schemas of other vendors' requests in the form that the Claude API takes. Internal to this
// room.
#pragma once

#include <optional>

#include "base/json_fwd.h"

namespace tophand::chat {

// Clients in Go write null for what is not there ("required": null), which the API refuses. Members
// that are null are taken out, but for values: const and default, and what is in an enum.
void drop_nulls(Json& schema);

// An answer's schema as the API takes it: objects are closed, and what it knows no word for
// (limits, patterns, what a choice leaves open) stands in descriptions, where the model reads it.
// Nothing where too little of it would be left: schemas that go in circles or lie elsewhere,
// objects of any names (maps), values of any type, anything but an object at the top.
std::optional<Json> answer_schema_for_claude(Json schema);

}  // namespace tophand::chat

// JSON schemas of other vendors' requests in the form that the Claude API takes. Internal to this
// room.
#pragma once

#include "base/json_fwd.h"

namespace tophand::chat {

// Clients in Go write null for what is not there ("required": null), which the API refuses. Members
// that are null are taken out, but for values: const and default, and what is in an enum.
void drop_nulls(Json& schema);

// The API refuses an answer's schema whose objects leave open what else they may hold. Other
// vendors' schemas do; an answer that is closed fits them as well.
void close_objects(Json& schema);

}  // namespace tophand::chat

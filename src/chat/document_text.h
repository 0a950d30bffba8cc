// Blocks of the Anthropic Messages API that are text in another wrapping: documents whose source is
// plain text or content blocks, and search results. Claude gets them as they came, a local model
// reads their text. Internal to this room. Pure.
#pragma once

#include <optional>
#include <string>

#include "base/json_view.h"

namespace tophand::chat {

// "<document>\nTitle: T\n\nTEXT\n</document>", or <search_result> with its source as well. Nothing
// for other blocks, and for those that hold something else than text (a PDF, an image, a file of
// the vendor's).
std::optional<std::string> document_text(JsonView block);

}  // namespace tophand::chat

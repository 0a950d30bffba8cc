// Responses that have been kept, as the Responses API shows them again, and the words for those
// that have not. Pure.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"
#include "chat/dialect.h"

namespace tophand::chat {

// Which part of a list is asked for, as OpenAI's lists have it.
struct ItemsPage {
  std::int64_t limit = 20;
  bool newest_first = true;
  std::string after = {};  // the id of the item before the first; "": from the beginning
};

// The list of what the last response of `chain` was made from: what went before, and its own input.
// kInvalid for an `after` that is not in it.
Result<std::string> write_input_items(const std::vector<Earlier>& chain, const ItemsPage& page);

std::string write_deleted_response(std::string_view id);

// kNotFound, in OpenAI's words; write_error() tells them in its form.
Error unknown_response(std::string_view id);

}  // namespace tophand::chat

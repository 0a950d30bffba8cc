// Re-writes JSON text as Python's json.dumps(..., ensure_ascii=False) prints it, which is what chat
// templates' `tojson` means and what models saw in training: its white space, and characters in
// place of escapes that need not be. Keys, their order and numbers are kept as they are.
#pragma once

#include <string>
#include <string_view>

namespace tophand::text {

// `{"a": 1, "b": [2, 3]}`: ", " and ": " between items. Text that is not JSON comes out with its
// white space and escapes changed, never fails.
std::string space_json(std::string_view json);

// The same over several lines with `indent` spaces a level, as json.dumps(indent=...).
std::string indent_json(std::string_view json, std::size_t indent);

}  // namespace tophand::text

// Re-spaces JSON text as Python's json.dumps prints it, which is what chat templates' `tojson`
// means and what models saw in training. Keys, order, numbers and strings are kept as they are.
#pragma once

#include <string>
#include <string_view>

namespace tophand::text {

// `{"a": 1, "b": [2, 3]}`: ", " and ": " between items. Text that is not JSON comes out with its
// white space changed, never fails.
std::string space_json(std::string_view json);

// The same over several lines with `indent` spaces a level, as json.dumps(indent=...).
std::string indent_json(std::string_view json, std::size_t indent);

}  // namespace tophand::text

// Tool ids as the Messages API spells them. It takes only [A-Za-z0-9_-]; other servers make what
// they like ("functions.look:0"), and want their own spelling back. Internal to this room.
#pragma once

#include <string>
#include <string_view>

namespace tophand::chat {

// Other characters become "-" and two hex digits, and what is so written starts with "x-", as no
// other id is left to do: two ids never become one.
std::string wire_tool_id(std::string_view id);
// Back again; what wire_tool_id() cannot have written stays as it is.
std::string tool_id_from_wire(std::string_view id);

}  // namespace tophand::chat

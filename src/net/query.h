// Values of a request's query, "limit=5&after_id=a%3Ab".
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

namespace tophand::net {

// What stands behind `name=`, percent-decoded; nothing when it is absent or badly escaped.
std::optional<std::string> query_text(std::string_view query, std::string_view name);
// The whole number behind `name=`; nothing when it is absent or something else.
std::optional<std::int64_t> query_int(std::string_view query, std::string_view name);

// A value for a query: everything but letters, digits and "-._~" escaped (RFC 3986, 2.3).
std::string query_escaped(std::string_view value);

}  // namespace tophand::net

#include "server/query_number.h"

#include "net/query.h"

namespace tophand::server {

Result<std::optional<std::int64_t>> number_in(const Exchange& exchange, const std::string& name,
                                              std::int64_t lowest, std::int64_t highest) {
  const std::string_view query = exchange.request.query;
  const auto text = net::query_text(query, name);
  if (!text) return std::optional<std::int64_t>{};
  const auto number = net::query_int(query, name);
  if (number && *number >= lowest && *number <= highest) return number;
  return fail_field(name, "expected a number from " + std::to_string(lowest) + " to " +
                              std::to_string(highest) + ", found '" + *text + "'");
}

}  // namespace tophand::server

// Writing answers: ids on every one, errors in the caller's dialect.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

#include "base/result.h"
#include "net/http.h"
#include "server/routes.h"

namespace tophand::server {

// request-id and x-request-id, as the SDKs of both vendors look for them.
void stamp(net::Headers& headers, std::string_view request_id);

// 0: the status that the error's code fixes. `upstream_type`: the provider's own error type, or "".
struct ErrorShape {
  int status = 0;
  std::string_view upstream_type = {};
};
void send_error(Exchange& exchange, const Error& error, ErrorShape shape = {});
void send_body(Exchange& exchange, std::string_view content_type, std::string_view body);

// What an answer has cost, in dollars with nine places.
inline constexpr std::string_view kCostHeader = "x-tophand-cost-usd";
std::string cost_text(std::int64_t nano_usd);

// Text fit for a header's value: printable ASCII, cut at 512 bytes.
std::string header_text(std::string_view text);

}  // namespace tophand::server

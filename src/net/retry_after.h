// What a server says about asking again: `retry-after` in seconds or as a date (RFC 9110, 10.2.3),
// `retry-after-ms`.
#pragma once

#include <cstdint>
#include <optional>

#include "net/http.h"

namespace tophand::net {

// Milliseconds to wait, from the headers of a refusal. Nothing when there is no such header, or
// none that says anything: negative, over a year, neither a number nor a date. Numbers may have
// decimals, as some servers write them. wall_ms: now, for dates.
std::optional<std::int64_t> retry_after_ms(const Headers& headers, std::int64_t wall_ms);

// Adds those of the two headers to `to` that say something: a client should not have to read what
// is nonsense.
void pass_on_retry_after(const Headers& from, Headers& to);

}  // namespace tophand::net

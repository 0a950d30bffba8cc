// What a provider says about asking again: `retry-after` in seconds or as a date, `retry-after-ms`.
// Private to dispatch/.
#pragma once

#include <cstdint>
#include <optional>

#include "backend/backend.h"

namespace tophand::dispatch {

// Milliseconds to wait, from the headers of a refusal. Nothing when there is no such header, or
// one that says nothing (negative, not a number). wall_ms: now, for dates (RFC 9110, 10.2.3).
std::optional<std::int64_t> retry_after_ms(const net::Headers& headers, std::int64_t wall_ms);

// The provider's own cap on what this account may spend is reached: a 429 that asking again cannot
// mend before the cap is lifted.
bool is_spend_limit(const backend::Report& report);

}  // namespace tophand::dispatch

// The rules of what follows an attempt, as pure functions of its report. Private to dispatch/.
#pragma once

#include <cstdint>
#include <optional>

#include "backend/backend.h"
#include "dispatch/lanes.h"

namespace tophand::dispatch {

// What the report says about its backend (lanes.h).
Health health_of(const backend::Report& report);

// Whether another backend may do better: a failure that is ours or theirs, or a prompt that is too
// long for this model, or what this model does not do. Not when the client left, and not for a
// request that is wrong everywhere.
bool may_help_elsewhere(const backend::Report& report);

// The provider's own cap on what this account may spend is reached: a 429 that asking again cannot
// mend before the cap is lifted.
bool is_spend_limit(const backend::Report& report);

// How long to wait before the same backend is asked again, where nothing else is allowed: what it
// said, when that is short. A longer wait is the client's to decide, and a spending cap is not
// waited for at all.
std::optional<std::int64_t> repeat_after_ms(const backend::Report& report, std::int64_t wall_ms);

}  // namespace tophand::dispatch

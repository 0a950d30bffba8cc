// The last step of a decision: whether the request may wait, and by when it has to be answered. For
// policy/ itself.
#pragma once

#include "base/result.h"
#include "policy/plan.h"

namespace tophand::policy {

// What the caller says (header, then metadata) comes before the operator's rule, class, persona and
// key. Only low priority waits. kInvalid for a header that is no time.
Result<> find_deadline(Plan& plan);

}  // namespace tophand::policy

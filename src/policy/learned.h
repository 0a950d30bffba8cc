// What local models have been seen to manage, and the draw of the hold-out, in a decision. For
// policy/ itself.
#pragma once

#include "policy/plan.h"

namespace tophand::policy {

// Of a request that would be answered locally: a share goes to Claude by lot, to measure what local
// answers save; where nobody has said what the request is worth, Claude's small tier answers as
// long as local is not known to manage the class. Nothing while Facts::routes is absent.
void apply_learned(Plan& plan);
// How likely a local answer will do: as learned, else `guess`.
double learned_success(const Plan& plan, double guess);

}  // namespace tophand::policy

// What can answer a request, and the last step of a decision: the backends in the order to try. For
// policy/ itself.
#pragma once

#include <vector>

#include "base/result.h"
#include "policy/plan.h"

namespace tophand::policy {

// Every local backend that may answer: the own engine, then those that are up, then the rest. None
// outside the house when the request must not leave it.
std::vector<Target> local_targets(const Plan& plan);
// Fills plan.local, and moves the tier where what was meant cannot answer: up when no local model
// can take the content, down when there is no key for Claude. Errors as policy::decide has them.
Result<> check_ability(Plan& plan);
// The tier made into targets and escalation; kForbidden when the key may use none of them.
Result<> choose_targets(Plan& plan);

}  // namespace tophand::policy

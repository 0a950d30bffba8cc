// Last step of a decision: the backends that may answer, in the order to try. For policy/ itself.
#pragma once

#include "base/result.h"
#include "policy/names.h"
#include "policy/policy.h"

namespace tophand::policy {

struct Choice {
  const Asked& asked;
  const Facts& facts;
  const Settings& settings;
  bool local_only = false;
};

// Fill in decision.targets, .escalation and .reasons. Errors as policy::decide has them.
Result<> choose_low(const Choice& choice, Decision& decision);
Result<> choose_high(const Choice& choice, Decision& decision);

}  // namespace tophand::policy

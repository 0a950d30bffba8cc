// What answer.cc does beside its route: requests that have waited without a connection are looked
// at, and answered, by the same way as any other.
#pragma once

#include <cstdint>
#include <vector>

#include "base/result.h"
#include "policy/deferral.h"
#include "policy/policy.h"
#include "server/routes.h"

namespace tophand::server {

// A request that has waited.
struct Waited {
  std::int64_t waited_ms = 0, left_ms = 0;  // since it came; until it has to be answered
  std::int64_t attempts_before = 0;         // rows of it that are in the ledger already
  bool batchable = false;                   // there is a way for it into a batch
};

// What the rules say of it now, and what it had better wait for.
struct Prospect {
  policy::Wait wait;
  std::vector<policy::Target> targets;
};
// For errors see Service::decide: answer_now tells the client of them.
Result<Prospect> prospect_of(Service& service, Exchange& exchange, const Waited& waited);

// Answers it now, wherever it then goes.
void answer_now(Service& service, Exchange& exchange, const Waited& waited);

}  // namespace tophand::server

#include "server/waiting.h"

#include "server/service.h"

namespace tophand::server {

policy::Wait wait_of(Service& service, const policy::Decision& decision) {
  if (decision.deadline_s == 0) return {};
  return policy::plan_wait(
      {.deadline_ms = decision.deadline_s * 1000,
       .bound_for_claude = decision.targets.front().place == policy::Place::kClaude,
       .held = true,
       .night_in_ms = service.steering().ms_until_night()},
      service.steering().settings()->defer);
}

}  // namespace tophand::server

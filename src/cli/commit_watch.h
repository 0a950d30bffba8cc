// Remembers the commits that `tophand commit --apply` made with a local model's message, in the
// file `tophand-commits` of the repository's git folder, and tells the gateway what became of them.
#pragma once

#include <cstdint>
#include <string>

#include "base/result.h"
#include "cli/gateway_client.h"

namespace tophand::cli {

// The commit that HEAD now is, with the message that was proposed by that request.
Result<> watch_commit(const std::string& repository, const std::string& request_id);

struct CommitFates {
  std::int64_t kept = 0, reworded = 0, reverted = 0;  // told
  std::int64_t waiting = 0;                           // for their day to pass
};
// Looks at the history once; what is told to the gateway is watched no longer.
Result<CommitFates> tell_commit_fates(const std::string& repository, GatewayClient& gateway);

}  // namespace tophand::cli

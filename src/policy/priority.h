// Second step of a decision: what is declared, hinted or implied of a request's worth and kind. For
// policy/ itself.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "base/result.h"
#include "policy/names.h"
#include "policy/policy.h"

namespace tophand::policy {

struct Declared {
  Priority priority;
  std::string reason;
  bool local_only = false;  // x-llmman-route: local
};

// What the caller said in so many words. Values of shared names (X-Priority is also a mail header)
// that mean nothing here are passed over, with a reason; our own header must be right (kInvalid).
Result<std::optional<Declared>> declared_priority(const Facts& facts,
                                                  std::vector<std::string>& reasons);
// What holds where nothing was declared: the model's name, the client's own hints, the default.
Declared implied_priority(const Asked& asked, const Facts& facts, const Settings& settings);
// The declared class in lower case, or "". One that is no short name is passed over with a reason.
std::string read_class(const Facts& facts, std::vector<std::string>& reasons);

}  // namespace tophand::policy

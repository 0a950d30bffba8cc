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
  bool by_default = false;  // nobody has said anything
};

// What the caller said in so many words. Values of shared names (X-Priority is also a mail header)
// that mean nothing here are passed over, with a reason; our own header must be right (kInvalid).
Result<std::optional<Declared>> declared_priority(const Facts& facts,
                                                  std::vector<std::string>& reasons);
// What holds where nothing was declared: the persona's word, the model's name, the class's, the
// key's, the client's own hints, the default.
Declared implied_priority(const Asked& asked, const Facts& facts, const Settings& settings,
                          const Decision& so_far);

// "class qa, inferred (0.83): its words".
std::string inferred_reason(const Guess& guess);
// Task class and where it comes from, into the decision. One that is no short name is passed over
// with a reason.
void read_class(const Facts& facts, const Settings& settings, Decision& decision);

// "local-only" where header or metadata say so; the reason for it, or "". kInvalid for a header
// that means nothing; such metadata only gives a reason.
Result<std::string> declared_egress(const Facts& facts, std::vector<std::string>& reasons);

// The operator's policy for the key or the persona of the request; nullptr: none.
const CallerPolicy* key_policy(const Facts& facts, const Settings& settings);
const CallerPolicy* persona_policy(const Facts& facts, const Settings& settings);

}  // namespace tophand::policy

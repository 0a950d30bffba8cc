// Named profiles (personas) over local models: laid over a request once it is known who answers.
// And what such a model cannot do.
#pragma once

#include <optional>
#include <vector>

#include "base/result.h"
#include "chat/profile.h"
#include "policy/policy.h"
#include "server/asked.h"
#include "server/service.h"

namespace tophand::server {

bool is_own_engine(const policy::Target& target);

// The profile of the first of `targets` that the own engine serves, if its model has one, for the
// request as a local model gets it. What goes to Claude is not touched.
Result<std::optional<chat::Profile>> profile_for(const Service& service,
                                                 const std::vector<policy::Target>& targets);
// Lays it over asked.local().
Result<> apply_profile(const Service& service, Asked& asked);

// kInvalid in Ollama's words for a client of Ollama's that names a local model, which will answer,
// and wants it to think, when its file says that it cannot.
Result<> check_thinking(Service& service, const Exchange& exchange, const Asked& asked);

}  // namespace tophand::server

// Named profiles (personas) over local models: laid over a request once it is known who answers.
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

}  // namespace tophand::server

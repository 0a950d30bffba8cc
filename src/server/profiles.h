// Named profiles (personas) over local models: laid over a request once it is known who answers.
#pragma once

#include <vector>

#include "base/result.h"
#include "chat/conversation.h"
#include "policy/policy.h"
#include "server/service.h"

namespace tophand::server {

bool is_own_engine(const policy::Target& target);

// The profile of the first of `targets` that the own engine serves, if its model has one. Requests
// that go to Claude are not touched: a profile is about a local model.
Result<> apply_profile(const Service& service, const std::vector<policy::Target>& targets,
                       chat::Request& local);

}  // namespace tophand::server

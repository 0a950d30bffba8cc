// What the configuration says to the rules.
#pragma once

#include <string>
#include <vector>

#include "base/result.h"
#include "config/config.h"
#include "ledger/prices.h"
#include "policy/policy.h"

namespace tophand::steering {

// Of a configuration that check_routing has passed; what it has not is left out. `prices` may be
// nullptr: then nothing has a price.
policy::Settings policy_settings(const config::Config& config, bool has_claude_key,
                                 const ledger::PriceBook* prices = nullptr);

// What only the rules know: names of classes. kConfig with the file, the line and the nearest name.
Result<> check_routing(const config::Config& config);
// What is allowed and surely not meant, such as a rule that is never reached.
std::vector<std::string> routing_warnings(const config::Config& config);

}  // namespace tophand::steering

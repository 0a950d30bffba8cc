// What a conversation so far means for a decision: a tool loop stays with the model that began it,
// and a change of model loses the prompt that is cached. For policy/ itself.
#pragma once

#include "policy/plan.h"

namespace tophand::policy {

// Dollars it takes to write again what Claude now holds of the conversation's prompt; 0 when it
// holds nothing any more (five minutes after the last answer) or its price is not known.
double lost_cache_usd(const Facts& facts, const Settings& settings);
// Inside a tool loop: on with the model that answered last, unless it may not (local-only), cannot,
// or the caller has named another one.
void stay_with_model(Plan& plan);
// Of a decision that is made: what leaving the last model costs, among its reasons.
void price_switch(Plan& plan);

}  // namespace tophand::policy

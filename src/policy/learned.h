// What local models have been seen to manage, and the draw of the hold-out, in a decision. For
// policy/ itself.
#pragma once

#include <string_view>

#include "policy/plan.h"

namespace tophand::policy {

// Of a request that would be answered locally: a share goes to Claude by lot, to measure what local
// answers save; where nobody has said what the request is worth, Claude's small tier answers as
// long as local is not known to manage the class. Nothing while Facts::routes is absent.
void apply_learned(Plan& plan);
// A learned rate together with the guess from before anything was known, which weighs as so many
// labels. nullptr: nothing is known yet.
inline constexpr double kGuessWeighs = 10;
double blended(const RouteState* state, double guess);
// How likely the local answer will do, or that of a Claude model, by what was learned and `guess`.
double learned_local(const Plan& plan, double guess);
double learned_claude(const Plan& plan, std::string_view model, double guess);

}  // namespace tophand::policy

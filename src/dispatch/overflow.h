// A conversation that is too long for the local model that is asked: refused with the numbers, or,
// where the job allows that, asked again without its oldest turns. The client is told how much was
// left out, or it is not done. Private to dispatch/.
#pragma once

#include "dispatch/attempt.h"

namespace tophand::dispatch {

// Asks a local backend (with the checks of tool_gate.h). `watch`: where the answer goes; `sink`:
// who is told of what was left out. `attempt` says whether another backend may hold the whole of
// it; then nothing is left out here.
backend::Report answer_fitting(const Job& job, const Attempt& attempt, backend::Backend& backend,
                               const backend::Call& call, backend::Sink& watch, Sink& sink,
                               const net::Cancellation& stop);

}  // namespace tophand::dispatch

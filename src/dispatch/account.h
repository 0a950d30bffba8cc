// An attempt's row in the ledger: reserved before anything is sent, settled by what came of it.
// Private to dispatch/.
#pragma once

#include <optional>
#include <string_view>

#include "dispatch/attempt.h"

namespace tophand::dispatch {

// What the answer may be as long as, in tokens: the request's limit, or the default that is sent.
std::int64_t max_output(const Deps& deps, const Job& job);
// How the request is written anew for Claude. What is asked but once, in a batch or for a
// comparison, gets no marks of ours: the cache would be paid for and never read.
chat::ClaudeWording wording_for(const Deps& deps, const Job& job);

ledger::TokenCounts counts_of(const chat::Usage& usage);
// What the provider's own last numbers cost, which `end` has; nothing where it did not tell them,
// or where they cannot be true.
std::optional<ledger::NanoUsd> exact_cost(const ledger::PriceBook& prices, std::string_view model,
                                          const backend::Report& report,
                                          const ledger::AttemptEnd& end);
// What the savings are reckoned from, into the end of an answer of Claude's.
void note_claude_answer(const chat::Request& request, const Attempt& attempt,
                        ledger::AttemptEnd& end);

// What a request is counted as while it waits for a place: of Claude, about what it will cost, in
// nano-dollars; elsewhere 1, so that agents take turns by request.
std::int64_t expected_cost(const Deps& deps, const Job& job, const policy::Target& target);

// Opens the row and notes it in `attempt`. An error means that nothing may be sent: no price, no
// budget, or no room for the reservation. (A row of local work that cannot be written is only
// logged: it costs nothing.)
Result<> open_row(const Deps& deps, const Job& job, Attempt& attempt);
// Estimates the tokens of the prompt that the row will be closed with; else close_row() does.
std::int64_t count_prompt(const Deps& deps, const Job& job, Attempt& attempt);
// Settles or releases the row, and notes the cost.
void close_row(const Deps& deps, const Job& job, Attempt& attempt);

}  // namespace tophand::dispatch

// One attempt: one backend asked once, with one row in the ledger. Private to dispatch/.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "backend/backend.h"
#include "dispatch/dispatch.h"
#include "dispatch/lanes.h"
#include "dispatch/stop.h"
#include "ledger/ledger.h"
#include "policy/policy.h"

namespace tophand::dispatch {

struct Attempt {
  std::int64_t number = 1;  // within the request
  policy::Target target;
  std::vector<std::string> reasons;
  std::int64_t deferred_ms = 0;  // kept waiting on purpose before this attempt
  bool again = false;            // Claude was asked before, by the same request
  bool may_move_on = false;      // another target is there: an empty answer counts as a failure

  std::int64_t start_ns = 0, end_ns = 0;
  ledger::NanoUsd cost = 0;
  ledger::AttemptStart opened = {};  // what its row says
  std::int64_t row = 0;              // 0: none
  backend::Report report = {};
  std::string text = {};      // of the answer
  std::string thinking = {};  // before it, as far as it was shown
  bool asked = false;         // the backend was, so that its report tells something about it
  bool thinking_seen = false;
  bool wordless = false;   // it ended well and said nothing
  bool untouched = true;   // no content has reached the client, or none that binds it
  bool left_open = false;  // its row, for the caller to close: Job::books_can_wait
  bool unopened = false;   // nor was it opened: the answer came before there was time
  std::int64_t ttft_ms = 0;
  std::optional<std::int64_t> prompt_tokens = {};  // as Claude would count them

  bool is_claude() const { return target.place == policy::Place::kClaude; }
};

// Reserves, asks, settles; `attempt` says what came of it. The first content lifts the deadline of
// `stop`.
void run_attempt(const Deps& deps, const Job& job, Attempt& attempt, Sink& sink, Stop& stop);
// Closes the row of an attempt that run_attempt() left open.
void close_left_open(const Deps& deps, const Job& job, Attempt& attempt, Sink& sink);

}  // namespace tophand::dispatch

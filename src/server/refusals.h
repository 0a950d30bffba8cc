// Requests that end before anything was asked for them: no row of the ledger tells of them, so a
// line of their own does (ledger/refusal.h), for `tophand explain`.
#pragma once

#include <string_view>

#include "base/result.h"
#include "chat/conversation.h"
#include "dispatch/dispatch.h"
#include "policy/policy.h"
#include "server/caller.h"
#include "server/routes.h"

namespace tophand::server {

class Service;

// What was known of a request when it was refused; nullptr and "": it was not that far.
struct Refused {
  std::string_view dialect = {};
  const chat::Request* request = nullptr;
  const Caller* caller = nullptr;
  std::string_view persona = {};
  const policy::Decision* so_far = nullptr;
};

// Notes it and sends the error. What cannot be noted is logged; the client is told all the same.
void refuse(Service& service, Exchange& exchange, const Error& error, const Refused& refused);

// Of a request that was dispatched: notes it where its last word is a refusal without an attempt
// (no room in the budget, no price, nothing left to ask). Before the client is told.
void note_unasked(Service& service, const dispatch::Job& job, const dispatch::Outcome& outcome);

}  // namespace tophand::server

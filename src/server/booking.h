// The residual between the ledger and Anthropic's account made into adjustments of the ledger's
// rows. Used by `tophand ledger reconcile --book`, through the gateway or on the file.
#pragma once

#include <cstdint>
#include <map>
#include <string>
#include <vector>

#include "base/result.h"
#include "ledger/ledger.h"
#include "server/reconcile.h"

namespace tophand::server {

// Pure. What makes the ledger's days that are complete and priced cost what the account says: a
// residual goes to rows of that day and model, the newest first, those that were charged on the
// safe side before those that were charged by the provider's own numbers; none comes to cost less
// than nothing. A day without a row of ours has nothing to book it to. As what is booked counts in
// the ledger's side of the next comparison, booking twice books nothing the second time.
std::vector<Booking> bookings_of(const std::vector<ReconcileLine>& lines,
                                 const std::map<DayModel, DaySums>& ours);

// Books `found.bookings`, each by itself: what an interruption leaves is found by the next run.
// kConfig where the account is that of the whole organisation, whose other users' costs are not
// ours.
Result<> book(ledger::Ledger& ledger, const Reconciliation& found);

}  // namespace tophand::server

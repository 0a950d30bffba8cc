#include "server/booking.h"

#include <algorithm>

#include "base/calendar.h"

namespace tophand::server {
namespace {

using ledger::NanoUsd;

// Safe sides first, then the newest.
std::vector<DayRow> in_order(std::vector<DayRow> rows) {
  std::ranges::sort(rows, [](const DayRow& a, const DayRow& b) {
    return a.exact != b.exact ? !a.exact : a.id > b.id;
  });
  return rows;
}

}  // namespace

std::vector<Booking> bookings_of(const std::vector<ReconcileLine>& lines,
                                 const std::map<DayModel, DaySums>& ours) {
  std::vector<Booking> out;
  for (const ReconcileLine& line : lines) {
    const auto day = ours.find({line.day_ms, line.model});
    if (!line.complete || !line.priced || day == ours.end()) continue;
    NanoUsd left = line.residual();
    for (const DayRow& row : in_order(day->second.rows)) {
      if (left == 0) break;
      const NanoUsd amount = std::max(left, -row.cost);
      if (amount == 0) continue;
      out.push_back({row.id, line.day_ms, line.model, amount});
      left -= amount;
    }
  }
  return out;
}

Result<> book(ledger::Ledger& ledger, const Reconciliation& found) {
  if (!found.of_our_keys)
    return fail(Code::kConfig,
                "nothing was booked: the account is that of the whole organisation; name this "
                "gateway's API keys in [claude] admin_api_key_ids, so that what others use is not "
                "booked here");
  for (const Booking& booking : found.bookings) {
    const std::string day = Calendar().moment(booking.day_ms).substr(0, 10);
    TOPHAND_CHECK("book", ledger.adjust(booking.row_id, booking.amount,
                                        "Anthropic's account of " + day + ", " + booking.model));
  }
  return {};
}

}  // namespace tophand::server

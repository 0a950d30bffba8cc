#include "cli/reconcile_report.h"

#include <iomanip>
#include <ostream>
#include <string>

#include "base/json.h"
#include "cli/savings_report.h"
#include "ledger/ledger.h"

namespace tophand::cli {
namespace {

std::string usd(const Json& line, const char* key) {
  const Json* found = find_key(line, key);
  return found == nullptr || found->is_null() ? "-" : ledger::format_usd(int_or(line, key, 0));
}

std::string notes_of(const Json& line) {
  const auto is = [&](const char* key) {
    const Json* found = find_key(line, key);
    return found != nullptr && *found == Json(true);
  };
  std::string notes;
  if (!is("complete")) notes += "  not complete yet";
  if (!is("priced")) notes += "  no price is known";
  if (const std::int64_t n = int_or(line, "inexact_rows", 0); n > 0)
    notes += "  " + std::to_string(n) + " charged on the safe side";
  return notes;
}

void print_bookings(const Json& report, std::ostream& out) {
  const Json* bookings = find_key(report, "bookings");
  if (bookings == nullptr || !bookings->is_array() || bookings->empty()) return;
  const bool booked = bool_or(report, "booked", false);
  out << "\n  " << (booked ? "Booked" : "To be booked (--book --yes)") << ":\n";
  for (const Json& booking : *bookings)
    out << "  " << moment(int_or(booking, "day_ms", 0)).substr(0, 10) << "  " << std::left
        << std::setw(20) << string_or(booking, "model", "") << std::right << std::setw(12)
        << usd(booking, "amount_nano_usd") << "  row " << int_or(booking, "row", 0) << '\n';
}

}  // namespace

Result<> print_reconciliation(std::string_view json, std::ostream& out) {
  TOPHAND_TRY(report, "reconcile", parse_json(json));
  const Json* lines = find_key(report, "lines");
  if (lines == nullptr || !lines->is_array())
    return fail(Code::kUpstream, "the gateway's answer is no reconciliation");
  const Json* own = find_key(report, "of_our_keys");
  const bool of_our_keys = own != nullptr && *own == Json(true);
  out << "  day         model                     ledger     account    residual      billed\n";
  for (const Json& line : *lines)
    out << "  " << moment(int_or(line, "day_ms", 0)).substr(0, 10) << "  " << std::left
        << std::setw(20) << string_or(line, "model", "") << std::right << std::setw(12)
        << usd(line, "ledger_nano_usd") << std::setw(12) << usd(line, "account_nano_usd")
        << std::setw(12) << usd(line, "residual_nano_usd") << std::setw(12)
        << usd(line, "billed_nano_usd") << notes_of(line) << '\n';
  if (lines->empty()) out << "  nothing was used in that time\n";
  out << "\n  Residual of complete days: " << usd(report, "residual_nano_usd")
      << " (account less ledger).\n"
      << "  account: the tokens that Anthropic counted "
      << (of_our_keys ? "for the named API keys" : "for the whole organisation")
      << ", at list prices (" << string_or(report, "price_version", "") << ").\n";
  print_bookings(report, out);
  if (!of_our_keys)
    out << "  What others in the organisation use is in it; name this gateway's keys in\n"
           "  [claude] admin_api_key_ids to leave it out.\n";
  return {};
}

}  // namespace tophand::cli

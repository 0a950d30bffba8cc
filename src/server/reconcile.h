// The ledger beside Anthropic's own account of the same days: what each counted, what the
// difference is worth. Used by the gateway (on request and every night) and by `tophand ledger
// reconcile`.
#pragma once

#include <cstdint>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "backend/claude_account.h"
#include "base/clock.h"
#include "base/result.h"
#include "config/config.h"
#include "ledger/ledger.h"
#include "ledger/prices.h"

namespace tophand::server {

struct ReconcileLine {  // a model on a day (UTC)
  std::int64_t day_ms = 0;
  std::string model;
  ledger::TokenCounts ours, theirs;
  ledger::NanoUsd our_cost = 0;
  // Their tokens at our list prices, and what our own rows paid beside those (long prompts).
  ledger::NanoUsd their_cost = 0;
  std::optional<ledger::NanoUsd> billed;  // by the cost report, for the whole organisation
  bool priced = true;                     // the model has a price
  bool complete = false;                  // the day is over, and long enough for the report
  std::int64_t inexact = 0;  // of our rows: charged on the safe side, not by the provider's usage
  ledger::NanoUsd residual() const { return their_cost - our_cost; }
};

struct Booking {  // that would make the two equal
  std::int64_t row_id = 0, day_ms = 0;
  std::string model;
  ledger::NanoUsd amount = 0;
};

struct Reconciliation {
  std::int64_t from_ms = 0, to_ms = 0;
  bool of_our_keys = false;  // usage of the named API keys only; else the whole organisation's
  std::vector<ReconcileLine> lines = {};
  std::vector<Booking> bookings = {};  // see booking.h
  std::string price_version = {};
};

struct DayRow {
  std::int64_t id = 0;
  ledger::NanoUsd cost = 0;
  bool exact = false;  // charged by the provider's own numbers
};
struct DaySums {  // of the ledger's rows for one model on one day
  ledger::TokenCounts tokens;
  ledger::NanoUsd cost = 0, beside_list = 0;
  std::int64_t inexact = 0;
  std::vector<DayRow> rows = {};
};
using DayModel = std::pair<std::int64_t, std::string>;  // 00:00 UTC, the price book's model id

// Adds a row of Claude's to its day. Rows of local work are passed over.
void add_row(const ledger::Row& row, const ledger::PriceBook& prices,
             std::map<DayModel, DaySums>& days);
// Pure. Days that end later than kReportLagMs before `now_ms` are not complete.
inline constexpr std::int64_t kReportLagMs = 10'800'000;  // three hours
std::vector<ReconcileLine> compare(const std::map<DayModel, DaySums>& ours,
                                   const std::vector<backend::DayUsage>& usage,
                                   const std::vector<backend::DayCost>& costs,
                                   const ledger::PriceBook& prices, std::int64_t now_ms);

// kConfig without an Admin key.
Result<std::unique_ptr<backend::ClaudeAccount>> open_claude_account(
    const config::ClaudeConfig& claude);
// The last `days` days and today.
inline constexpr std::int64_t kReconcileDaysDefault = 7, kReconcileDaysMax = 31;
Result<Reconciliation> reconcile(ledger::Ledger& ledger, const ledger::PriceBook& prices,
                                 const config::ClaudeConfig& claude, std::int64_t days,
                                 std::int64_t now_ms, const net::Cancellation* cancel);

// `booked`: found.bookings have been booked, not only found.
std::string reconcile_json(const Reconciliation& found, bool booked);

}  // namespace tophand::server

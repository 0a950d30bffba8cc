#include "server/reconcile.h"

#include <algorithm>

#include "base/json.h"
#include "server/booking.h"

namespace tophand::server {
namespace {

using ledger::NanoUsd;
using ledger::TokenCounts;

constexpr std::int64_t kDayMs = 86'400'000;
constexpr std::int64_t kPageRows = 2000;
constexpr std::int64_t kTokensMost = 1'000'000'000'000;  // of a day

// Both sides know a model by the price book's name, with or without a date behind it.
std::string model_name(const std::string& model, const ledger::PriceBook& prices) {
  const ledger::ModelPrice* known = prices.find(model);
  return known == nullptr ? model : known->model;
}

// At the list prices of short prompts; bounded far from overflow.
NanoUsd list_price(const TokenCounts& tokens, const ledger::PriceBook& prices,
                   const std::string& model) {
  const ledger::ModelPrice* known = prices.find(model);
  if (known == nullptr) return 0;
  const auto part = [](std::int64_t count, NanoUsd price) {
    return std::clamp<std::int64_t>(count, 0, kTokensMost) * price;
  };
  const ledger::Price& price = known->price;
  return part(tokens.input, price.input) + part(tokens.cache_read, price.cache_read) +
         part(tokens.cache_write_5m, price.cache_write_5m) +
         part(tokens.cache_write_1h, price.cache_write_1h) + part(tokens.output, price.output);
}

void add_tokens(TokenCounts& to, const TokenCounts& more) {
  to.input += more.input;
  to.cache_read += more.cache_read;
  to.cache_write_5m += more.cache_write_5m;
  to.cache_write_1h += more.cache_write_1h;
  to.output += more.output;
}

}  // namespace

void add_row(const ledger::Row& row, const ledger::PriceBook& prices,
             std::map<DayModel, DaySums>& days) {
  if (row.backend != "claude" || row.state == "reserved") return;
  if (row.cost == 0 && row.state != "settled") return;  // never sent, or refused free of charge
  const std::string model = model_name(row.model, prices);
  DaySums& day = days[{row.started_ms / kDayMs * kDayMs, model}];
  add_tokens(day.tokens, row.tokens);
  day.cost += row.cost;
  const bool exact = row.state == "settled" && row.cost_basis == "usage";
  day.rows.push_back({row.id, row.cost, exact});
  // What was booked by an earlier comparison is no part of what the row's tokens cost.
  if (exact) day.beside_list += row.cost - row.adjusted - list_price(row.tokens, prices, model);
  else ++day.inexact;
}

std::vector<ReconcileLine> compare(const std::map<DayModel, DaySums>& ours,
                                   const std::vector<backend::DayUsage>& usage,
                                   const std::vector<backend::DayCost>& costs,
                                   const ledger::PriceBook& prices, std::int64_t now_ms) {
  std::map<DayModel, ReconcileLine> lines;
  const auto line_of = [&](std::int64_t day_ms, const std::string& model) -> ReconcileLine& {
    ReconcileLine& line = lines[{day_ms, model}];
    line.day_ms = day_ms;
    line.model = model;
    line.priced = prices.find(model) != nullptr;
    line.complete = day_ms + kDayMs + kReportLagMs <= now_ms;
    return line;
  };
  for (const auto& [name, day] : ours) {
    ReconcileLine& line = line_of(name.first, name.second);
    line.ours = day.tokens;
    line.our_cost = day.cost;
    line.their_cost = day.beside_list;
    line.inexact = day.inexact;
  }
  for (const backend::DayUsage& item : usage)
    add_tokens(line_of(item.day_ms, model_name(item.model, prices)).theirs,
               {.input = item.input,
                .cache_read = item.cache_read,
                .cache_write_5m = item.cache_write_5m,
                .cache_write_1h = item.cache_write_1h,
                .output = item.output});
  for (const backend::DayCost& item : costs) {
    if (item.model.empty()) continue;  // web search and the like: not ours to count yet
    std::optional<NanoUsd>& billed = line_of(item.day_ms, model_name(item.model, prices)).billed;
    billed = billed.value_or(0) + item.nano_usd;
  }
  std::vector<ReconcileLine> out;
  for (auto& [name, line] : lines) {
    line.their_cost += list_price(line.theirs, prices, line.model);
    out.push_back(std::move(line));
  }
  return out;
}

Result<std::unique_ptr<backend::ClaudeAccount>> open_claude_account(
    const config::ClaudeConfig& claude) {
  return backend::ClaudeAccount::create({.base_url = claude.base_url,
                                         .admin_key = claude.admin_key,
                                         .ca_file = claude.ca_file,
                                         .key_ids = claude.admin_api_key_ids});
}

Result<Reconciliation> reconcile(ledger::Ledger& ledger, const ledger::PriceBook& prices,
                                 const config::ClaudeConfig& claude, std::int64_t days,
                                 std::int64_t now_ms, const net::Cancellation* cancel) {
  TOPHAND_TRY(account, "reconcile", open_claude_account(claude));
  const std::int64_t today_ms = now_ms / kDayMs * kDayMs;
  Reconciliation found{.from_ms = today_ms - days * kDayMs,
                       .to_ms = today_ms + kDayMs,
                       .of_our_keys = !claude.admin_api_key_ids.empty(),
                       .price_version = prices.version()};
  TOPHAND_TRY(usage, "reconcile", account->usage(found.from_ms, found.to_ms, cancel));
  TOPHAND_TRY(costs, "reconcile", account->costs(found.from_ms, found.to_ms, cancel));
  std::map<DayModel, DaySums> ours;
  for (std::int64_t after = 0;;) {
    TOPHAND_TRY(page, "reconcile", ledger.rows_after(after, found.from_ms, kPageRows));
    if (page.empty()) break;
    for (const ledger::Row& row : page) add_row(row, prices, ours);
    after = page.back().id;
  }
  found.lines = compare(ours, usage, costs, prices, now_ms);
  found.bookings = bookings_of(found.lines, ours);
  return found;
}

std::string reconcile_json(const Reconciliation& found, bool booked) {
  const auto tokens = [](const TokenCounts& counts) {
    return Json{{"input", counts.input},
                {"cache_read", counts.cache_read},
                {"cache_write_5m", counts.cache_write_5m},
                {"cache_write_1h", counts.cache_write_1h},
                {"output", counts.output}};
  };
  Json lines = Json::array(), bookings = Json::array();
  for (const Booking& booking : found.bookings)
    bookings.push_back({{"row", booking.row_id},
                        {"day_ms", booking.day_ms},
                        {"model", booking.model},
                        {"amount_nano_usd", booking.amount}});
  NanoUsd residual = 0;
  for (const ReconcileLine& line : found.lines) {
    if (line.complete) residual += line.residual();
    lines.push_back({{"day_ms", line.day_ms},
                     {"model", line.model},
                     {"complete", line.complete},
                     {"priced", line.priced},
                     {"inexact_rows", line.inexact},
                     {"ledger_tokens", tokens(line.ours)},
                     {"account_tokens", tokens(line.theirs)},
                     {"ledger_nano_usd", line.our_cost},
                     {"account_nano_usd", line.their_cost},
                     {"billed_nano_usd", line.billed ? Json(*line.billed) : Json(nullptr)},
                     {"residual_nano_usd", line.residual()}});
  }
  return dump_json({{"from_ms", found.from_ms},
                    {"to_ms", found.to_ms},
                    {"of_our_keys", found.of_our_keys},
                    {"price_version", found.price_version},
                    {"residual_nano_usd", residual},
                    {"booked", booked},
                    {"bookings", bookings},
                    {"lines", lines}});
}

}  // namespace tophand::server

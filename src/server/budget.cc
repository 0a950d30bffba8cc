#include "server/budget.h"

#include <algorithm>
#include <cstdint>
#include <map>
#include <string>

#include "base/json.h"
#include "server/handlers.h"
#include "server/keys.h"
#include "server/later.h"
#include "server/reply.h"
#include "server/service.h"

namespace tophand::server {
namespace {

constexpr std::int64_t kPageRows = 5'000;
constexpr std::string_view kBudgetReason = "budget: ";

// What one reason says: "budget: lambda 1.80, hard -> default" moved it from one to the other, and
// so did "budget: no room for opus, so sonnet"; others say what became of it instead.
struct Step {
  std::string from, to;
};
Step step_of(std::string_view reason) {
  constexpr std::string_view kNoRoom = "no room for ", kSo = "so ", kArrow = " -> ";
  const std::size_t comma = reason.rfind(", ");
  std::string_view what = comma == std::string_view::npos ? reason : reason.substr(comma + 2);
  if (what.starts_with(kSo)) what.remove_prefix(kSo.size());
  if (reason.starts_with(kNoRoom) && comma != std::string_view::npos)
    return {std::string(reason.substr(kNoRoom.size(), comma - kNoRoom.size())), std::string(what)};
  const std::size_t arrow = what.find(kArrow);
  if (arrow == std::string_view::npos) return {"", std::string(what)};
  return {std::string(what.substr(0, arrow)), std::string(what.substr(arrow + kArrow.size()))};
}

}  // namespace

std::string moved_by_budget(std::string_view reasons) {
  Step whole;
  while (!reasons.empty()) {
    const std::size_t end = std::min(reasons.find("; "), reasons.size());
    std::string_view reason = reasons.substr(0, end);
    reasons.remove_prefix(std::min(end + 2, reasons.size()));
    if (!reason.starts_with(kBudgetReason)) continue;
    reason.remove_prefix(kBudgetReason.size());
    Step step = step_of(reason);
    if (whole.from.empty()) whole.from = std::move(step.from);
    whole.to = std::move(step.to);
  }
  return whole.from.empty() ? whole.to : whole.from + " -> " + whole.to;
}

namespace {

struct Moved {
  std::map<std::string, std::int64_t> degraded;
  std::int64_t deferred = 0, deferred_ms = 0;
};

Result<Moved> moved_since(ledger::Ledger& ledger, std::int64_t since_ms) {
  Moved moved;
  for (std::int64_t after = 0;;) {
    TOPHAND_TRY(rows, "budget", ledger.held_back_after(after, since_ms, kPageRows));
    for (const ledger::Row& row : rows) {
      after = row.id;
      if (const std::string step = moved_by_budget(row.reason); !step.empty())
        ++moved.degraded[step];
      if (row.deferred_ms > 0) ++moved.deferred;
      moved.deferred_ms += row.deferred_ms;
    }
    if (static_cast<std::int64_t>(rows.size()) < kPageRows) return moved;
  }
}

std::int64_t waiting_now(Service& service) {
  if (service.later() == nullptr) return 0;
  const auto all = service.later()->list(kCliKeyId);
  return std::ranges::count(all, deferral::State::kWaiting,
                            [](const Later::View& view) { return view.entry.state; });
}

Json window_json(const steering::WindowView& window, const Calendar& calendar) {
  Json out{{"name", window.name},
           {"key", window.key},
           {"unit", window.in_dollars ? "usd" : "share"},
           {"start_ms", window.start_ms},
           {"end_ms", window.end_ms},
           {"end", calendar.moment(window.end_ms)},
           {"cap", window.cap},
           {"spent", window.spent},
           {"outstanding", window.outstanding},
           {"lambda", window.lambda},
           {"reserve_only", window.reserve_only},
           {"status", window.status},
           {"forecast", nullptr},
           {"dry_in_hours", nullptr}};
  if (window.forecast)
    out["forecast"] = {{"p10", window.forecast->low},
                       {"expected", window.forecast->expected},
                       {"p90", window.forecast->high}};
  if (window.dry_in_hours) out["dry_in_hours"] = *window.dry_in_hours;
  return out;
}

Json cap_json(const ledger::CapState& state) {
  return {{"scope", ledger::name_of(state.cap.scope)},
          {"name", state.cap.label.empty() ? state.cap.name : state.cap.label},
          {"window", ledger::name_of(state.cap.window)},
          {"limit_nano_usd", state.cap.limit},
          {"spent_nano_usd", state.balance.spent},
          {"outstanding_nano_usd", state.balance.outstanding}};
}

// When the ledger last took a row: how old figures are that no gateway keeps. 0: never.
Result<std::int64_t> last_row_ms(ledger::Ledger& ledger) {
  TOPHAND_TRY(rows, "budget", ledger.rows(0, 1));
  return rows.empty() ? 0 : rows.front().started_ms;
}

}  // namespace

Result<std::string> budget_json(const BudgetSource& source) {
  ledger::Ledger& ledger = source.ledger;
  const Calendar calendar = ledger.calendar();
  const Span week = calendar.week(source.now_ms);
  const std::int64_t week_ms = week.start_ms;
  TOPHAND_TRY(moved, "budget", moved_since(ledger, week_ms));
  TOPHAND_TRY(refused, "budget", ledger.refusals_since(info(Code::kBudget).name, week_ms));
  TOPHAND_TRY(money, "budget", ledger.spending(week));
  TOPHAND_TRY(caps, "budget", ledger.cap_states());
  TOPHAND_TRY(last_ms, "budget", last_row_ms(ledger));
  Json windows = Json::array(), limits = Json::array(), degraded = Json::object();
  for (const steering::WindowView& window : source.windows)
    windows.push_back(window_json(window, calendar));
  for (const ledger::CapState& state : caps) limits.push_back(cap_json(state));
  for (const auto& [step, count] : moved.degraded) degraded[step] = count;
  return dump_json({{"now_ms", source.now_ms},
                    {"live", source.live},
                    {"last_row_ms", last_ms},
                    {"week_start_ms", week_ms},
                    {"week_start", calendar.moment(week_ms)},
                    {"time_zone", calendar.zone_name()},
                    {"spent_nano_usd", money.spent},
                    {"outstanding_nano_usd", money.outstanding},
                    {"windows", std::move(windows)},
                    {"caps", std::move(limits)},
                    {"degraded", std::move(degraded)},
                    {"refused", refused},
                    {"deferred", moved.deferred},
                    {"deferred_ms", moved.deferred_ms},
                    {"waiting", source.waiting}});
}

void show_budget(Service& service, Exchange& exchange) {
  const auto told = budget_json({.ledger = *service.deps().ledger,
                                 .windows = service.steering().budget().windows(),
                                 .now_ms = service.deps().clock->wall_ms(),
                                 .waiting = waiting_now(service)});
  if (!told) return send_error(exchange, told.error());
  send_body(exchange, "application/json; charset=utf-8", *told);
}

}  // namespace tophand::server

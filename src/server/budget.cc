// GET /tophand/v1/budget: every window of money, what it presses, and what was moved because of it.
#include <cstdint>
#include <map>
#include <string>

#include "base/json.h"
#include "server/handlers.h"
#include "server/reply.h"
#include "server/service.h"

namespace tophand::server {
namespace {

constexpr std::int64_t kPageRows = 5'000;
constexpr std::string_view kBudgetReason = "budget: ";

// "budget: lambda 1.80, hard -> default; ..." says "hard -> default"; "" where nothing was moved.
std::string moved_by_budget(std::string_view reason) {
  const std::size_t at = reason.find(kBudgetReason);
  if (at == std::string_view::npos) return "";
  reason = reason.substr(at + kBudgetReason.size());
  reason = reason.substr(0, reason.find(';'));
  const std::size_t comma = reason.rfind(", ");
  return std::string(comma == std::string_view::npos ? reason : reason.substr(comma + 2));
}

struct Moved {
  std::map<std::string, std::int64_t> degraded;
  std::int64_t refused = 0, deferred = 0, deferred_ms = 0;
};

Result<Moved> moved_since(ledger::Ledger& ledger, std::int64_t since_ms) {
  Moved moved;
  for (std::int64_t after = 0;;) {
    TOPHAND_TRY(rows, "budget", ledger.rows_after(after, since_ms, kPageRows));
    for (const ledger::Row& row : rows) {
      after = row.id;
      if (const std::string step = moved_by_budget(row.reason); !step.empty())
        ++moved.degraded[step];
      if (row.error_code == info(Code::kBudget).name) ++moved.refused;
      if (row.deferred_ms > 0) ++moved.deferred;
      moved.deferred_ms += row.deferred_ms;
    }
    if (static_cast<std::int64_t>(rows.size()) < kPageRows) return moved;
  }
}

Json window_json(const steering::WindowView& window) {
  Json out{{"name", window.name},
           {"key", window.key},
           {"unit", window.in_dollars ? "usd" : "share"},
           {"start_ms", window.start_ms},
           {"end_ms", window.end_ms},
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
          {"name", state.cap.name},
          {"window", ledger::name_of(state.cap.window)},
          {"limit_nano_usd", state.cap.limit},
          {"spent_nano_usd", state.balance.spent},
          {"outstanding_nano_usd", state.balance.outstanding}};
}

}  // namespace

void show_budget(Service& service, Exchange& exchange) {
  const std::int64_t now_ms = service.deps().clock->wall_ms();
  ledger::Ledger& ledger = *service.deps().ledger;
  const std::int64_t week_ms = ledger::week_start_ms(now_ms);
  const auto moved = moved_since(ledger, week_ms);
  const auto totals = ledger.totals(week_ms);
  const auto caps = ledger.cap_states();
  if (!moved) return send_error(exchange, moved.error());
  if (!totals) return send_error(exchange, totals.error());
  if (!caps) return send_error(exchange, caps.error());
  Json windows = Json::array(), limits = Json::array(), degraded = Json::object();
  for (const steering::WindowView& window : service.steering().budget().windows())
    windows.push_back(window_json(window));
  for (const ledger::CapState& state : *caps) limits.push_back(cap_json(state));
  for (const auto& [step, count] : moved->degraded) degraded[step] = count;
  send_body(exchange, "application/json; charset=utf-8",
            dump_json({{"now_ms", now_ms},
                       {"week_start_ms", week_ms},
                       {"spent_nano_usd", totals->spent},
                       {"outstanding_nano_usd", totals->outstanding},
                       {"windows", std::move(windows)},
                       {"caps", std::move(limits)},
                       {"degraded", std::move(degraded)},
                       {"refused", moved->refused},
                       {"deferred", moved->deferred},
                       {"deferred_ms", moved->deferred_ms}}));
}

}  // namespace tophand::server

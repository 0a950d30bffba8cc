#include "ledger/balances.h"

#include <utility>

#include "base/checked.h"

namespace tophand::ledger {
namespace {

constexpr std::array kScopes{Scope::kTeam,    Scope::kKey,   Scope::kAgent,   Scope::kPersona,
                             Scope::kSession, Scope::kModel, Scope::kProvider};
constexpr std::array kWindows{Window::kWeek, Window::kDay, Window::kEver};

constexpr std::string_view kAdd = R"sql(
INSERT INTO balances (scope, name, period, start_ms, spent, outstanding)
VALUES (?1, ?2, ?3, ?4, ?5, ?6)
ON CONFLICT DO UPDATE SET spent = spent + excluded.spent,
  outstanding = outstanding + excluded.outstanding)sql";

constexpr std::string_view kFind =
    "SELECT spent, outstanding FROM balances "
    "WHERE scope = ?1 AND name = ?2 AND period = ?3 AND start_ms = ?4";

constexpr std::string_view kAll =
    "SELECT name, spent, outstanding FROM balances "
    "WHERE scope = ?1 AND period = ?2 AND start_ms = ?3 ORDER BY name";

// By Scope: what of a row names it.
constexpr std::array<std::string_view, kScopes.size()> kNameColumns{
    "''",
    "key_id",
    "agent",
    "persona",
    "session",
    "CASE WHEN model GLOB '*?-[0-9][0-9][0-9][0-9][0-9][0-9][0-9][0-9]' "
    "THEN substr(model, 1, length(model) - 9) ELSE model END",
    "backend"};

std::string_view start_column(Window window) {
  switch (window) {
    case Window::kWeek:
      return "week_ms";
    case Window::kDay:
      return "started_ms - started_ms % 86400000";
    case Window::kEver:
      break;
  }
  return "0";
}

bool binds(const Cap& cap, const Place& place) {
  if (!place.counts_for(cap.scope)) return false;
  return cap.scope == Scope::kTeam || cap.name == "*" || cap.name == place.name(cap.scope);
}

std::string whose(Scope scope, std::string_view name) {
  if (scope == Scope::kTeam) return "budget";
  return "budget of " + std::string(name_of(scope)) + " " + std::string(name);
}

std::string way_out(const Cap& cap) {
  switch (cap.window) {
    case Window::kWeek:
      return "a new week begins on Monday at 00:00 UTC";
    case Window::kDay:
      return "a new day begins at 00:00 UTC";
    case Window::kEver:
      break;
  }
  return cap.scope == Scope::kSession ? "begin a new session" : "it does not renew by itself";
}

std::string refusal(const Cap& cap, std::string_view name, const Balance& gone, NanoUsd amount) {
  constexpr std::array<std::string_view, 3> kWhen{"this week's ", "today's ", "the whole "};
  return std::string(kWhen[static_cast<std::size_t>(cap.window)]) + whose(cap.scope, name) +
         " is " + format_usd(cap.limit) + ": " + format_usd(gone.spent) + " of it is spent, " +
         format_usd(gone.outstanding) + " is reserved for requests that still run, and this one " +
         "may cost up to " + format_usd(amount) + "; " + way_out(cap) +
         ", a smaller max_tokens reserves less, and [budget] in the configuration sets the cap";
}

}  // namespace

Place place_of(const AttemptStart& start, std::int64_t started_ms) {
  return {{"", start.key_id, start.agent, start.persona, start.session,
           std::string(undated_model(start.model)), start.backend},
          started_ms};
}

std::string balances_of_rows_sql() {
  std::string sql;
  for (const Scope scope : kScopes)
    for (const Window window : kWindows) {
      const std::string name(kNameColumns[static_cast<std::size_t>(scope)]);
      sql += sql.empty() ? "" : " UNION ALL ";
      sql += "SELECT '" + std::string(name_of(scope)) + "' AS scope, " + name + " AS name, '" +
             std::string(name_of(window)) + "' AS period, " + std::string(start_column(window)) +
             " AS start_ms, sum(adjusted + iif(state = 'reserved', 0, charged)) AS spent, "
             "sum(iif(state = 'reserved', charged, 0)) AS outstanding FROM attempts "
             "WHERE (reserved > 0 OR charged > 0 OR adjusted <> 0)" +
             (scope == Scope::kTeam ? "" : " AND " + name + " <> ''") + " GROUP BY 2, 4";
    }
  return sql;
}

Result<Balances> Balances::prepare(Db& db) {
  Balances out;
  TOPHAND_TRY(add, "prepare", db.prepare(kAdd));
  TOPHAND_TRY(find, "prepare", db.prepare(kFind));
  TOPHAND_TRY(all, "prepare", db.prepare(kAll));
  out.add_ = std::move(add);
  out.find_ = std::move(find);
  out.all_ = std::move(all);
  return out;
}

Result<Balance> Balances::find(Scope scope, std::string_view name, Window window,
                               std::int64_t start_ms) {
  find_.bind(1, name_of(scope)).bind(2, name).bind(3, name_of(window)).bind(4, start_ms);
  const Result<bool> row = find_.step();
  Balance out;
  if (row && *row) out = {find_.integer(0), find_.integer(1)};
  find_.reset();
  if (!row) return tl::unexpected(row.error());
  return out;
}

Result<> Balances::admit(const std::vector<Cap>& caps, const Place& place, NanoUsd amount,
                         std::int64_t now_ms) {
  for (const Cap& cap : caps) {
    if (!binds(cap, place)) continue;
    const std::string& name = place.name(cap.scope);
    TOPHAND_TRY(gone, "budget",
                find(cap.scope, name, cap.window, window_start_ms(cap.window, now_ms)));
    const auto held = checked_add(gone.spent, gone.outstanding);
    const auto after = held ? checked_add(*held, amount) : std::nullopt;
    if (!after || *after > cap.limit) return fail(Code::kBudget, refusal(cap, name, gone, amount));
  }
  return {};
}

Result<> Balances::add(const Place& place, const Balance& change) {
  for (const Scope scope : kScopes) {
    if (!place.counts_for(scope)) continue;
    for (const Window window : kWindows) {
      add_.bind(1, name_of(scope)).bind(2, place.name(scope)).bind(3, name_of(window));
      add_.bind(4, window_start_ms(window, place.started_ms));
      add_.bind(5, change.spent).bind(6, change.outstanding);
      TOPHAND_CHECK("balance", add_.run());
    }
  }
  return {};
}

Result<std::vector<CapState>> Balances::states(const std::vector<Cap>& caps, std::int64_t now_ms) {
  std::vector<CapState> out;
  for (const Cap& cap : caps) {
    const std::int64_t start_ms = window_start_ms(cap.window, now_ms);
    if (cap.scope == Scope::kTeam || cap.name != "*") {
      CapState state{cap, {}, start_ms};
      if (cap.scope == Scope::kTeam) state.cap.name = "";
      TOPHAND_TRY(gone, "budget", find(cap.scope, state.cap.name, cap.window, start_ms));
      state.balance = gone;
      out.push_back(std::move(state));
      continue;
    }
    all_.bind(1, name_of(cap.scope)).bind(2, name_of(cap.window)).bind(3, start_ms);
    Result<bool> row = all_.step();
    for (; row && *row; row = all_.step()) {
      out.push_back({cap, {all_.integer(1), all_.integer(2)}, start_ms});
      out.back().cap.name = all_.text(0);
    }
    all_.reset();
    if (!row) return tl::unexpected(row.error());
  }
  return out;
}

}  // namespace tophand::ledger

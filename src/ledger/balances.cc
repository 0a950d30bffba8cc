#include "ledger/balances.h"

#include <algorithm>
#include <utility>

#include "base/checked.h"

namespace tophand::ledger {
namespace {

constexpr std::array kScopes{Scope::kTeam,    Scope::kKey,   Scope::kAgent,   Scope::kPersona,
                             Scope::kSession, Scope::kModel, Scope::kProvider};
constexpr std::array kWindows{Window::kWeek, Window::kDay, Window::kEver};

constexpr std::string_view kAdd = R"sql(
INSERT INTO balances (scope, name, period, start_ms, end_ms, spent, outstanding)
VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7)
ON CONFLICT DO UPDATE SET spent = spent + excluded.spent,
  outstanding = outstanding + excluded.outstanding)sql";

constexpr std::string_view kFind =
    "SELECT spent, outstanding FROM balances "
    "WHERE scope = ?1 AND name = ?2 AND period = ?3 AND start_ms = ?4";

// The team has a sum in every window. None is longer than eight days, but for `ever`.
constexpr std::string_view kCovering =
    "SELECT start_ms, end_ms FROM balances WHERE scope = 'team' AND name = '' AND period = ?1 "
    "AND start_ms > iif(?1 = 'ever', -1, ?2 - 691200000) AND start_ms <= ?2 AND end_ms > ?2";

constexpr std::string_view kOpen =
    "INSERT OR IGNORE INTO balances (scope, name, period, start_ms, end_ms, spent, outstanding) "
    "VALUES ('team', '', ?1, ?2, ?3, 0, 0)";

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

constexpr std::string_view kPaid = "(reserved > 0 OR charged > 0 OR adjusted <> 0)";

// Each window of `windows` (period, start_ms, end_ms) with what the rows in it make for everybody.
std::string sums_sql(const std::string& windows) {
  std::string sql;
  for (const Scope scope : kScopes) {
    const std::string name(kNameColumns[static_cast<std::size_t>(scope)]);
    sql += sql.empty() ? "" : " UNION ALL ";
    sql += "SELECT '" + std::string(name_of(scope)) + "' AS scope, " + name +
           " AS name, w.period AS period, w.start_ms AS start_ms, w.end_ms AS end_ms, "
           "sum(adjusted + iif(state = 'reserved', 0, charged)) AS spent, "
           "sum(iif(state = 'reserved', charged, 0)) AS outstanding FROM (" +
           windows +
           ") AS w CROSS JOIN attempts "  // in this order: its rows are found by their start
           "WHERE started_ms >= w.start_ms AND started_ms < w.end_ms AND " +
           std::string(kPaid) + (scope == Scope::kTeam ? "" : " AND " + name + " <> ''") +
           " GROUP BY 2, 3, 4, 5";
  }
  return sql;
}

std::string count_sql(const std::string& windows) {
  return "INSERT OR REPLACE INTO balances (scope, name, period, start_ms, end_ms, spent, "
         "outstanding) " +
         sums_sql(windows);
}

bool binds(const Cap& cap, const Place& place) {
  if (!place.counts_for(cap.scope)) return false;
  return cap.scope == Scope::kTeam || cap.name == "*" || cap.name == place.name(cap.scope);
}

std::string whose(Scope scope, std::string_view name) {
  if (scope == Scope::kTeam) return "budget";
  return "budget of " + std::string(name_of(scope)) + " " + std::string(name);
}

std::string way_out(const Cap& cap, const Calendar& calendar, std::int64_t end_ms) {
  switch (cap.window) {
    case Window::kWeek:
      return "a new week begins on " + calendar.weekday_and_time(end_ms);
    case Window::kDay:
      return "a new day begins at " + calendar.time(end_ms);
    case Window::kEver:
      break;
  }
  return cap.scope == Scope::kSession ? "begin a new session" : "it does not renew by itself";
}

std::string refusal(const Cap& cap, std::string_view name, const Balance& gone, NanoUsd amount,
                    const std::string& way_out) {
  constexpr std::array<std::string_view, 3> kWhen{"this week's ", "today's ", "the whole "};
  const std::string_view shown = cap.label.empty() ? name : cap.label;
  return std::string(kWhen[static_cast<std::size_t>(cap.window)]) + whose(cap.scope, shown) +
         " is " + format_usd(cap.limit) + ": " + format_usd(gone.spent) + " of it is spent, " +
         format_usd(gone.outstanding) + " is reserved for requests that still run, and this one " +
         "may cost up to " + format_usd(amount) + "; " + way_out +
         ", a smaller max_tokens reserves less, and [budget] in the configuration sets the cap";
}

}  // namespace

Place place_of(const AttemptStart& start, std::int64_t started_ms) {
  return {{"", start.key_id, start.agent, start.persona, start.session,
           std::string(undated_model(start.model)), start.backend},
          started_ms};
}

std::string balances_of_rows_sql() {
  return sums_sql("SELECT period, start_ms, end_ms FROM balances WHERE scope = 'team'");
}

std::vector<std::string> first_balances_sql() {
  const auto windows = [](const std::string& period, const std::string& start,
                          const std::string& end) {
    return "INSERT INTO balances (scope, name, period, start_ms, end_ms, spent, outstanding) "
           "SELECT DISTINCT 'team', '', '" +
           period + "', " + start + ", " + end + ", 0, 0 FROM attempts WHERE " + std::string(kPaid);
  };
  const std::string day = "started_ms - started_ms % 86400000";
  return {windows("week", "week_ms", "week_ms + 604800000"),
          windows("day", day, day + " + 86400000"), windows("ever", "0", std::to_string(INT64_MAX)),
          count_sql("SELECT period, start_ms, end_ms FROM balances WHERE scope = 'team'")};
}

Result<Balances> Balances::prepare(Db& db) {
  Balances out;
  const std::string count = count_sql("SELECT ?1 AS period, ?2 AS start_ms, ?3 AS end_ms");
  for (const auto& [statement, sql] : {std::pair{&out.add_, kAdd},
                                       {&out.find_, kFind},
                                       {&out.all_, kAll},
                                       {&out.covering_, kCovering},
                                       {&out.open_, kOpen},
                                       {&out.count_, std::string_view(count)}}) {
    TOPHAND_TRY(prepared, "prepare", db.prepare(sql));
    *statement = std::move(prepared);
  }
  return out;
}

void Balances::use(const Calendar& calendar, std::int64_t since_ms) {
  calendar_ = calendar;
  since_ms_ = since_ms;
}

Result<> Balances::count_window(Window window, const Span& span) {
  for (Stmt* statement : {&open_, &count_}) {
    statement->bind(1, name_of(window)).bind(2, span.start_ms).bind(3, span.end_ms);
    TOPHAND_CHECK("balance", statement->run());
  }
  return {};
}

Result<std::vector<Span>> Balances::windows_of(Window window, std::int64_t started_ms) {
  std::vector<Span> out;
  covering_.bind(1, name_of(window)).bind(2, started_ms);
  Result<bool> row = covering_.step();
  for (; row && *row; row = covering_.step())
    out.push_back({covering_.integer(0), covering_.integer(1)});
  covering_.reset();
  if (!row) return tl::unexpected(row.error());
  return out;
}

Result<> Balances::open_windows(std::int64_t now_ms) {
  for (const Window window : {Window::kWeek, Window::kDay}) {
    const Span span = window_at(window, calendar_, now_ms);
    if (span.start_ms >= since_ms_) continue;
    TOPHAND_TRY(there, "balance", windows_of(window, now_ms));
    if (std::ranges::find(there, span.start_ms, &Span::start_ms) == there.end())
      TOPHAND_CHECK("balance", count_window(window, span));
  }
  return {};
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
    const Span span = window_at(cap.window, calendar_, now_ms);
    TOPHAND_TRY(gone, "budget", find(cap.scope, name, cap.window, span.start_ms));
    const auto held = checked_add(gone.spent, gone.outstanding);
    const auto after = held ? checked_add(*held, amount) : std::nullopt;
    if (!after || *after > cap.limit)
      return fail(Code::kBudget,
                  refusal(cap, name, gone, amount, way_out(cap, calendar_, span.end_ms)));
  }
  return {};
}

Result<> Balances::add(const Place& place, const Balance& change) {
  for (const Window window : kWindows) {
    const Span span = window_at(window, calendar_, place.started_ms);
    if (since_ms_ == 0) {  // there is no other
      TOPHAND_CHECK("balance", add_in(window, span, place, change));
      continue;
    }
    TOPHAND_TRY(there, "balance", windows_of(window, place.started_ms));
    if (std::ranges::find(there, span.start_ms, &Span::start_ms) == there.end()) {
      // Counted from the rows, it holds the change already.
      if (span.start_ms < since_ms_) TOPHAND_CHECK("balance", count_window(window, span));
      else there.push_back(span);
    }
    for (const Span& each : there) TOPHAND_CHECK("balance", add_in(window, each, place, change));
  }
  return {};
}

Result<> Balances::add_in(Window window, const Span& span, const Place& place,
                          const Balance& change) {
  for (const Scope scope : kScopes) {
    if (!place.counts_for(scope)) continue;
    add_.bind(1, name_of(scope)).bind(2, place.name(scope)).bind(3, name_of(window));
    add_.bind(4, span.start_ms).bind(5, span.end_ms);
    add_.bind(6, change.spent).bind(7, change.outstanding);
    TOPHAND_CHECK("balance", add_.run());
  }
  return {};
}

Result<std::vector<CapState>> Balances::states(const std::vector<Cap>& caps, std::int64_t now_ms) {
  std::vector<CapState> out;
  for (const Cap& cap : caps) {
    const std::int64_t start_ms = window_at(cap.window, calendar_, now_ms).start_ms;
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

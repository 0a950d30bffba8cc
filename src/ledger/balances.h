// The running sums of what is spent and reserved, one for each window of everything a paid row
// belongs to, so that admission looks at a few sums and never at the rows. A sum is always that of
// all paid rows that began between its window's start and end: a row counts in two weeks at once
// when another calendar has cut them anew meanwhile. Private to this room; used under the ledger's
// mutex, in the transaction that changes the row, after the row itself.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"
#include "ledger/ledger.h"
#include "ledger/sqlite.h"

namespace tophand::ledger {

Place place_of(const AttemptStart& start, std::int64_t started_ms);

// What the rows make of the windows that the table has for the team, in the shape of the table
// `balances`: to check it against.
std::string balances_of_rows_sql();
// The windows of Calendar() that the rows lie in, and their sums: for a file that has none yet.
std::vector<std::string> first_balances_sql();

class Balances {
 public:
  static Result<Balances> prepare(Db& db);

  // Windows are cut by this calendar. Those that begin at `since_ms` or later have been cut by it
  // from their beginning (0: all; the most: none, as long as nobody has said which it is).
  void use(const Calendar& calendar, std::int64_t since_ms);
  // Before a window is looked at that the table may not have though rows lie in it, because it
  // began before this calendar was in force: sums up its rows. In a transaction; cheap otherwise.
  Result<> open_windows(std::int64_t now_ms);

  // kBudget, with the cap, what is gone of it and what to do, when `amount` more does not fit into
  // one of the caps that bind `place` at `now_ms`. The windows are open.
  Result<> admit(const std::vector<Cap>& caps, const Place& place, NanoUsd amount,
                 std::int64_t now_ms);
  // Adds to the sums of every scope of `place`, in all windows that its start lies in.
  Result<> add(const Place& place, const Balance& change);
  Result<std::vector<CapState>> states(const std::vector<Cap>& caps, std::int64_t now_ms);

 private:
  Result<Balance> find(Scope scope, std::string_view name, Window window, std::int64_t start_ms);
  Result<> count_window(Window window, const Span& span);
  Result<std::vector<Span>> windows_of(Window window, std::int64_t started_ms);
  Result<> add_in(Window window, const Span& span, const Place& place, const Balance& change);

  Stmt add_, find_, all_, covering_, count_, open_;
  Calendar calendar_;
  std::int64_t since_ms_ = 0;
};

}  // namespace tophand::ledger

// The running sums of what is spent and reserved, one for each window of everything a paid row
// belongs to, so that admission looks at a few sums and never at the rows. Private to this room;
// used under the ledger's mutex, in the transaction that changes the row.
#pragma once

#include <string>
#include <vector>

#include "base/result.h"
#include "ledger/ledger.h"
#include "ledger/sqlite.h"

namespace tophand::ledger {

Place place_of(const AttemptStart& start, std::int64_t started_ms);

// The sums as the rows say, in the shape of the table `balances`; for a migrated file, and to check
// the table against.
std::string balances_of_rows_sql();

class Balances {
 public:
  static Result<Balances> prepare(Db& db);

  // kBudget, with the cap, what is gone of it and what to do, when `amount` more does not fit into
  // one of the caps that bind `place` at `now_ms`.
  Result<> admit(const std::vector<Cap>& caps, const Place& place, NanoUsd amount,
                 std::int64_t now_ms);
  // Adds to the sums of every scope of `place`, in the windows of its start.
  Result<> add(const Place& place, const Balance& change);
  Result<std::vector<CapState>> states(const std::vector<Cap>& caps, std::int64_t now_ms);

 private:
  Result<Balance> find(Scope scope, std::string_view name, Window window, std::int64_t start_ms);

  Stmt add_, find_, all_;
};

}  // namespace tophand::ledger

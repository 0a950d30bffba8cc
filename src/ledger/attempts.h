// The table of attempts: writing its rows, ending them, reading them back. Knows nothing of caps,
// sums or the journal. Private to this room; used under the ledger's mutex.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"
#include "ledger/ledger.h"
#include "ledger/sqlite.h"

namespace tophand::ledger {

struct RowStart {
  std::int64_t id = 0, week_ms = 0, started_ms = 0;
  AttemptStart start;
};
struct RowEnd {
  std::int64_t id = 0;
  std::string state;  // settled, released
  NanoUsd charged = 0;
  AttemptEnd end;
};

std::string_view outcome_name(AttemptEnd::Outcome outcome);
// "usage", "bound", or "" when nothing was charged.
std::string_view basis_of(const RowEnd& row);

class Attempts {
 public:
  struct Money {  // of one row, and where it counts
    std::string state;
    Place place;
    NanoUsd reserved = 0, charged = 0, adjusted = 0;
  };

  static Result<Attempts> prepare(Db& db);

  Result<> insert(const RowStart& row, std::string_view price_version);
  Result<bool> end(const RowEnd& row);  // false: no such row is open, and nothing was changed
  Result<> recover(std::int64_t id);    // leaves what is charged as it is
  Result<> adjust(std::int64_t id, NanoUsd amount);

  Result<std::optional<Money>> money(std::int64_t id);
  Result<std::vector<std::int64_t>> open_rows();
  Result<Totals> totals(std::int64_t since_ms);
  Result<std::vector<Row>> rows(std::int64_t since_ms, std::int64_t limit);
  Result<std::vector<Row>> rows_after(std::int64_t after_id, std::int64_t since_ms,
                                      std::int64_t limit);
  Result<Balance> spending(const Span& span);
  Result<std::vector<Row>> held_back_after(std::int64_t after_id, std::int64_t since_ms,
                                           std::int64_t limit);
  Result<std::vector<Row>> rows_of(const std::string& request_id);

 private:
  Stmt insert_, end_, recover_, adjust_, money_, open_, totals_, rows_, rows_after_, rows_of_,
      spending_, held_back_;
};

}  // namespace tophand::ledger

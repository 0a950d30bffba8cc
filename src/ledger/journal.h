// Everything that happens to a row, in order, each event chained to the one before it by SHA-256:
// hash = SHA-256(hash of the event before, as 64 hexadecimal digits, then the event's own bytes).
// An event is a JSON object: "event", "row", "at_ms", and the columns that it sets, by their names;
// empty texts and zeros are left out. The stored bytes are what is hashed. Private to this room;
// used under the ledger's mutex, in the transaction that changes the row.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

#include "base/result.h"
#include "ledger/attempts.h"
#include "ledger/sqlite.h"
#include "ledger/verdict.h"

namespace tophand::ledger {

inline constexpr std::string_view kNoHash =  // before the first event
    "0000000000000000000000000000000000000000000000000000000000000000";

std::string chained(std::string_view hash_before, std::string_view event);

std::string reserve_event(const RowStart& row, std::string_view price_version);
// `at_ms`: now. The event is "settle" or "release", as row.state says.
std::string end_event(const RowEnd& row, std::int64_t at_ms);
std::string recover_event(std::int64_t row_id, std::int64_t at_ms);
std::string adjust_event(std::int64_t row_id, std::int64_t at_ms, std::int64_t amount,
                         std::string_view reason);

class Journal {
 public:
  static Result<Journal> prepare(Db& db);

  // Reads where the chain ends; first in every transaction that appends. What a rolled back
  // transaction appended is so forgotten.
  Result<> resume();
  Result<> append(std::int64_t row_id, std::string_view event);
  const JournalHead& head() const { return head_; }

 private:
  Stmt last_, append_;
  JournalHead head_;
};

// Takes the rows of a file that had no journal into it as they are, one "import" event each.
Result<> import_rows(Db& db, Journal& journal, std::int64_t at_ms);

}  // namespace tophand::ledger

// What a recomputation of the whole ledger comes to.
#pragma once

#include <cstdint>
#include <optional>
#include <string>

namespace tophand::ledger {

struct JournalHead {
  std::int64_t seq = 0;  // 0: the journal is empty
  std::string hash;      // SHA-256, 64 hexadecimal digits; of an empty journal zeros
};

// "SEQ:HASH", as `tophand ledger head` prints it; nothing when it is no such text.
std::optional<JournalHead> parse_head(const std::string& text);
std::string format_head(const JournalHead& head);

struct Fault {
  std::int64_t row_id = 0;  // of the table attempts; 0: it is not about one row
  std::int64_t seq = 0;     // of the table journal; 0: it is not about one event
  std::string what;
};

struct Verdict {
  std::optional<Fault> fault;  // the first that was found; the counts go as far as that
  std::int64_t events = 0, rows = 0;
  std::int64_t priced = 0;    // charges that were recomputed from tokens and prices
  std::int64_t bounds = 0;    // charges on the safe side, checked against their reservation
  std::int64_t unpriced = 0;  // charges of a price version that is not at hand
  std::int64_t adjusted = 0;  // rows to which something was booked later, and how much of it
  std::int64_t adjusted_nano_usd = 0;
  std::int64_t balances = 0;
  JournalHead head;
};

}  // namespace tophand::ledger

// Recomputes the whole file from what it says of itself. Private to this room.
#pragma once

#include <mutex>
#include <optional>
#include <vector>

#include "base/result.h"
#include "ledger/prices.h"
#include "ledger/sqlite.h"
#include "ledger/verdict.h"

namespace tophand::ledger {

// Takes `mutex`, which guards `db`, for a short while at a time.
Result<Verdict> verify_file(Db& db, std::mutex& mutex, const std::vector<PriceBook>& books,
                            const std::optional<JournalHead>& expected);

}  // namespace tophand::ledger

// The ledger's tables and how an older file becomes a current one. Private to this room.
#pragma once

#include <cstdint>

#include "base/result.h"
#include "ledger/sqlite.h"

namespace tophand::ledger {

// Brings the file to the current version in one transaction. kCorrupt when it is some other SQLite
// database, kConfig when a newer version of the program made it.
Result<> migrate(Db& db, std::int64_t now_ms);

}  // namespace tophand::ledger

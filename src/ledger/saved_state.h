// What parts of the gateway want to find again after a restart, by name: pacing, say. Not money.
// Used under the ledger's mutex. Private to this room.
#pragma once

#include <string>

#include "base/result.h"
#include "ledger/sqlite.h"

namespace tophand::ledger {

extern const char* const kSavedStateSchema;

class SavedState {
 public:
  static Result<SavedState> prepare(Db& db);

  Result<> put(const std::string& name, const std::string& value);
  Result<std::string> get(const std::string& name);  // "" where nothing was put

 private:
  Stmt put_, get_;
};

}  // namespace tophand::ledger

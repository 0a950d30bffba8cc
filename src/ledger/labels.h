// The table of labels. Rows are only added. Used under the ledger's mutex. Private to this room.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "base/result.h"
#include "ledger/label.h"
#include "ledger/sqlite.h"

namespace tophand::ledger {

extern const char* const kLabelsSchema;

class Labels {
 public:
  static Result<Labels> prepare(Db& db);

  // See Ledger::add_label.
  Result<Label> add(Db& db, Label label, std::int64_t now_ms);
  // The next `limit` after that id, in order.
  Result<std::vector<Label>> after(std::int64_t id, std::int64_t limit);

 private:
  Stmt find_, insert_, after_;
};

}  // namespace tophand::ledger

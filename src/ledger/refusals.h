// The table of refused requests. No money, no part of the journal; the oldest go when there are too
// many. Used under the ledger's mutex. Private to this room.
#pragma once

#include <array>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "base/result.h"
#include "ledger/refusal.h"
#include "ledger/sqlite.h"

namespace tophand::ledger {

extern const char* const kRefusalsSchema;

// Pointers to its texts, in the order of the columns.
template <class Any>
auto texts_of(Any& refusal) {
  return std::array{
      &refusal.request_id, &refusal.key_id,       &refusal.dialect,    &refusal.model_asked,
      &refusal.task_class, &refusal.class_source, &refusal.priority,   &refusal.agent,
      &refusal.persona,    &refusal.session,      &refusal.backend,    &refusal.model,
      &refusal.tier,       &refusal.reason,       &refusal.error_code, &refusal.message};
}

class Refusals {
 public:
  static Result<Refusals> prepare(Db& db);

  Result<> add(const Refusal& refusal);
  Result<std::optional<Refusal>> find(const std::string& request_id);
  Result<std::int64_t> count(std::string_view error_code, std::int64_t since_ms);

 private:
  Stmt insert_, trim_, find_, count_;
};

}  // namespace tophand::ledger

#include "ledger/refusals.h"

#include <utility>

namespace tophand::ledger {
namespace {

constexpr std::string_view kColumns =
    "request_id, key_id, dialect, model_asked, task_class, class_source, priority, agent, persona, "
    "session, backend, model, tier, reason, error_code, message";

std::string insert_sql() {
  return "INSERT INTO refusals (" + std::string(kColumns) +
         ", at_ms) VALUES (?1,?2,?3,?4,?5,?6,?7,?8,?9,?10,?11,?12,?13,?14,?15,?16,?17)";
}
// Every id is one more than the last: SQLite gives max + 1.
constexpr std::string_view kTrim =
    "DELETE FROM refusals WHERE id <= (SELECT max(id) FROM refusals) - ?1";
std::string find_sql() {
  return "SELECT " + std::string(kColumns) +
         ", at_ms FROM refusals WHERE request_id = ?1 ORDER BY id DESC LIMIT 1";
}
constexpr std::string_view kCount =
    "SELECT count(*) FROM refusals WHERE error_code = ?1 AND at_ms >= ?2";

}  // namespace

const char* const kRefusalsSchema = R"sql(
CREATE TABLE refusals (
  id INTEGER PRIMARY KEY,
  at_ms INTEGER NOT NULL,
  request_id TEXT NOT NULL CHECK (request_id <> ''),
  key_id TEXT NOT NULL,
  dialect TEXT NOT NULL,
  model_asked TEXT NOT NULL,
  task_class TEXT NOT NULL,
  class_source TEXT NOT NULL,
  priority TEXT NOT NULL,
  agent TEXT NOT NULL,
  persona TEXT NOT NULL,
  session TEXT NOT NULL,
  backend TEXT NOT NULL,
  model TEXT NOT NULL,
  tier TEXT NOT NULL,
  reason TEXT NOT NULL,
  error_code TEXT NOT NULL CHECK (error_code <> ''),
  message TEXT NOT NULL
) STRICT;
CREATE INDEX refusals_request ON refusals (request_id);
)sql";

Result<Refusals> Refusals::prepare(Db& db) {
  Refusals out;
  const std::string insert = insert_sql(), find = find_sql();
  for (const auto& [statement, sql] : {std::pair{&out.insert_, std::string_view(insert)},
                                       {&out.trim_, kTrim},
                                       {&out.find_, std::string_view(find)},
                                       {&out.count_, kCount}}) {
    TOPHAND_TRY(prepared, "refusals", db.prepare(sql));
    *statement = std::move(prepared);
  }
  return out;
}

Result<> Refusals::add(const Refusal& refusal) {
  int column = 1;
  for (const std::string* text : texts_of(refusal)) insert_.bind(column++, *text);
  TOPHAND_CHECK("refusal", insert_.bind(column, refusal.at_ms).run());
  return trim_.bind(1, kRefusalsKept).run();
}

Result<std::optional<Refusal>> Refusals::find(const std::string& request_id) {
  const Result<bool> found = find_.bind(1, request_id).step();
  std::optional<Refusal> out;
  if (found && *found) {
    int column = 0;
    for (std::string* text : texts_of(out.emplace())) *text = find_.text(column++);
    out->at_ms = find_.integer(column);
  }
  find_.reset();
  if (!found) return tl::unexpected(found.error());
  return out;
}

Result<std::int64_t> Refusals::count(std::string_view error_code, std::int64_t since_ms) {
  const Result<bool> found = count_.bind(1, error_code).bind(2, since_ms).step();
  const std::int64_t count = found && *found ? count_.integer(0) : 0;
  count_.reset();
  if (!found) return tl::unexpected(found.error());
  return count;
}

}  // namespace tophand::ledger

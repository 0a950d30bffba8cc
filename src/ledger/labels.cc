#include "ledger/labels.h"

#include <algorithm>
#include <string_view>
#include <utility>

namespace tophand::ledger {
namespace {

constexpr std::string_view kFind =
    "SELECT id, attempt, task_class, model, backend, arm, "
    "(SELECT count(*) FROM labels WHERE row_id = attempts.id) "
    "FROM attempts WHERE request_id = ?1 AND (attempt = ?2 OR (?2 = 0 AND purpose = 'answer')) "
    "ORDER BY attempt DESC LIMIT 1";
constexpr std::string_view kInsert =
    "INSERT INTO labels (row_id, request_id, attempt, time_ms, source, verdict, note, task_class, "
    "model, version, gate) VALUES (?1,?2,?3,?4,?5,?6,?7,?8,?9,?10,?11)";
constexpr std::string_view kAfter =
    "SELECT id, row_id, request_id, attempt, time_ms, source, verdict, note, task_class, model, "
    "version, gate FROM labels WHERE id > ?1 ORDER BY id LIMIT ?2";

Result<std::vector<Label>> read(Stmt& query) {
  std::vector<Label> out;
  Result<bool> row = query.step();
  for (; row && *row; row = query.step()) {
    Label label;
    int column = 0;
    label.id = query.integer(column++);
    label.row_id = query.integer(column++);
    label.request_id = query.text(column++);
    label.attempt = query.integer(column++);
    label.time_ms = query.integer(column++);
    for (std::string* text : {&label.source, &label.verdict, &label.note, &label.task_class,
                              &label.model, &label.version, &label.gate})
      *text = query.text(column++);
    out.push_back(std::move(label));
  }
  query.reset();
  if (!row) return tl::unexpected(row.error());
  return out;
}

}  // namespace

const char* const kLabelsSchema = R"sql(
CREATE TABLE labels (
  id INTEGER PRIMARY KEY,
  row_id INTEGER NOT NULL,
  request_id TEXT NOT NULL,
  attempt INTEGER NOT NULL,
  time_ms INTEGER NOT NULL,
  source TEXT NOT NULL
    CHECK (source = 'gate' OR source = 'shadow' OR source = 'audit_judge' OR
           source = 'downstream' OR source = 'human'),
  verdict TEXT NOT NULL CHECK (verdict IN ('good','bad')),
  note TEXT NOT NULL,
  task_class TEXT NOT NULL,
  model TEXT NOT NULL,
  version TEXT NOT NULL,
  gate TEXT NOT NULL CHECK (gate IN ('','passed','failed'))
) STRICT;
CREATE INDEX labels_by_row ON labels (row_id);
)sql";

Result<Labels> Labels::prepare(Db& db) {
  Labels out;
  for (const auto& [statement, sql] :
       {std::pair{&out.find_, kFind}, std::pair{&out.insert_, kInsert},
        std::pair{&out.after_, kAfter}}) {
    TOPHAND_TRY(prepared, "labels", db.prepare(sql));
    *statement = std::move(prepared);
  }
  return out;
}

Result<Label> Labels::add(Db& db, Label label, std::int64_t now_ms) {
  const Result<bool> found = find_.bind(1, label.request_id).bind(2, label.attempt).step();
  std::string backend, arm;
  std::int64_t labels = 0;
  if (found && *found) {
    label.row_id = find_.integer(0);
    label.attempt = find_.integer(1);
    if (label.task_class.empty()) label.task_class = find_.text(2);
    backend = find_.text(4);
    if (label.model.empty())
      label.model = (backend == "local" ? "" : backend + "/") + find_.text(3);
    arm = find_.text(5);
    labels = find_.integer(6);
  }
  find_.reset();
  if (!found) return tl::unexpected(found.error());
  if (!*found) return fail(Code::kNotFound, "no request " + label.request_id + " is in the ledger");
  // Of Claude's only those that are compared with local ones.
  if (backend == "claude" && arm != "holdout" && label.source != "audit_judge")
    return fail(Code::kConflict, "claude answered request " + label.request_id +
                                     "; labels are for answers of local models");
  if (labels >= kLabelsOfARowMax)
    return fail(Code::kConflict, "request " + label.request_id + " has " + std::to_string(labels) +
                                     " labels already");
  label.time_ms = now_ms;
  label.note.resize(std::min(label.note.size(), kLabelNoteBytesMax));
  insert_.bind(1, label.row_id).bind(2, label.request_id).bind(3, label.attempt);
  insert_.bind(4, label.time_ms).bind(5, label.source).bind(6, label.verdict).bind(7, label.note);
  insert_.bind(8, label.task_class).bind(9, label.model).bind(10, label.version);
  insert_.bind(11, label.gate);
  TOPHAND_CHECK("labels", insert_.run());
  label.id = db.last_id();
  return label;
}

Result<std::vector<Label>> Labels::after(std::int64_t id, std::int64_t limit) {
  return read(after_.bind(1, id).bind(2, limit));
}

}  // namespace tophand::ledger

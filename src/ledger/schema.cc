#include "ledger/schema.h"

#include <array>
#include <string>

#include "ledger/balances.h"
#include "ledger/journal.h"
#include "ledger/labels.h"
#include "ledger/refusals.h"
#include "ledger/saved_state.h"

namespace tophand::ledger {
namespace {

constexpr std::int64_t kApplicationId = 0x54485044;  // "THPD"

// charged is what the row takes from the week's budget now: the reservation until the row ends, the
// cost when it is settled, 0 when it is released, and the whole reservation when it is recovered.
constexpr const char* kVersion1 = R"sql(
CREATE TABLE attempts (
  id             INTEGER PRIMARY KEY,
  request_id     TEXT    NOT NULL CHECK (request_id <> ''),
  attempt        INTEGER NOT NULL CHECK (attempt >= 1),
  state          TEXT    NOT NULL CHECK (state IN ('reserved','settled','released','recovered')),
  week_ms        INTEGER NOT NULL,
  started_ms     INTEGER NOT NULL,
  key_id         TEXT    NOT NULL,
  dialect        TEXT    NOT NULL,
  task_class     TEXT    NOT NULL,
  priority       TEXT    NOT NULL,
  backend        TEXT    NOT NULL,
  model          TEXT    NOT NULL,
  model_asked    TEXT    NOT NULL,
  reason         TEXT    NOT NULL,
  price_version  TEXT    NOT NULL,
  reserved       INTEGER NOT NULL CHECK (reserved >= 0),
  charged        INTEGER NOT NULL CHECK (charged >= 0),
  counterfactual INTEGER NOT NULL DEFAULT 0 CHECK (counterfactual >= 0),
  input_tokens   INTEGER NOT NULL DEFAULT 0 CHECK (input_tokens >= 0),
  cache_read     INTEGER NOT NULL DEFAULT 0 CHECK (cache_read >= 0),
  cache_write_5m INTEGER NOT NULL DEFAULT 0 CHECK (cache_write_5m >= 0),
  cache_write_1h INTEGER NOT NULL DEFAULT 0 CHECK (cache_write_1h >= 0),
  output_tokens  INTEGER NOT NULL DEFAULT 0 CHECK (output_tokens >= 0),
  ttft_ms        INTEGER NOT NULL DEFAULT 0,
  duration_ms    INTEGER NOT NULL DEFAULT 0,
  outcome        TEXT    NOT NULL DEFAULT ''
                 CHECK (outcome IN ('','done','partial','failed','cancelled')),
  error_code     TEXT    NOT NULL DEFAULT '',
  UNIQUE (request_id, attempt)
) STRICT;
CREATE INDEX attempts_started ON attempts (started_ms);
CREATE INDEX attempts_charged ON attempts (week_ms, charged) WHERE charged > 0;
CREATE INDEX attempts_open ON attempts (id) WHERE state = 'reserved';
)sql";

// Finer rows, sums of the caps' windows, and the journal. The conditions are written with OR:
// SQLite makes a temporary tree for each IN of more than two values at every row that is written,
// which was two thirds of what a row cost.
constexpr const char* kVersion2 = R"sql(
CREATE TABLE attempts_2 (
  id INTEGER PRIMARY KEY,
  request_id TEXT NOT NULL CHECK (request_id <> ''),
  attempt INTEGER NOT NULL CHECK (attempt >= 1),
  state TEXT NOT NULL
    CHECK (state = 'reserved' OR state = 'settled' OR state = 'released' OR
           state = 'recovered'),
  week_ms INTEGER NOT NULL,
  started_ms INTEGER NOT NULL,
  key_id TEXT NOT NULL,
  dialect TEXT NOT NULL,
  task_class TEXT NOT NULL,
  priority TEXT NOT NULL,
  backend TEXT NOT NULL,
  model TEXT NOT NULL,
  model_asked TEXT NOT NULL,
  reason TEXT NOT NULL,
  price_version TEXT NOT NULL,
  reserved INTEGER NOT NULL CHECK (reserved >= 0),
  charged INTEGER NOT NULL CHECK (charged >= 0),
  counterfactual INTEGER NOT NULL DEFAULT 0 CHECK (counterfactual >= 0),
  input_tokens INTEGER NOT NULL DEFAULT 0 CHECK (input_tokens >= 0),
  cache_read INTEGER NOT NULL DEFAULT 0 CHECK (cache_read >= 0),
  cache_write_5m INTEGER NOT NULL DEFAULT 0 CHECK (cache_write_5m >= 0),
  cache_write_1h INTEGER NOT NULL DEFAULT 0 CHECK (cache_write_1h >= 0),
  output_tokens INTEGER NOT NULL DEFAULT 0 CHECK (output_tokens >= 0),
  ttft_ms INTEGER NOT NULL DEFAULT 0,
  duration_ms INTEGER NOT NULL DEFAULT 0,
  outcome TEXT NOT NULL DEFAULT ''
    CHECK (outcome = '' OR outcome = 'done' OR outcome = 'partial' OR
           outcome = 'failed' OR outcome = 'cancelled'),
  error_code TEXT NOT NULL DEFAULT '',
  -- who asked in finer grain, what the attempt was for
  agent TEXT NOT NULL DEFAULT '',
  persona TEXT NOT NULL DEFAULT '',
  session TEXT NOT NULL DEFAULT '',
  class_source TEXT NOT NULL DEFAULT ''
    CHECK (class_source = '' OR class_source = 'declared' OR class_source = 'inferred'),
  tier TEXT NOT NULL DEFAULT ''
    CHECK (tier = '' OR tier = 'local' OR tier = 'small' OR tier = 'default' OR
           tier = 'hard'),
  purpose TEXT NOT NULL DEFAULT 'answer'
    CHECK (purpose = 'answer' OR purpose = 'shadow' OR purpose = 'judge'),
  arm TEXT NOT NULL DEFAULT ''
    CHECK (arm = '' OR arm = 'holdout' OR arm = 'canary' OR arm = 'audit'),
  provider_key TEXT NOT NULL DEFAULT '',
  gate TEXT NOT NULL DEFAULT ''
    CHECK (gate = '' OR gate = 'passed' OR gate = 'mended' OR gate = 'failed'),
  deferred_ms INTEGER NOT NULL DEFAULT 0 CHECK (deferred_ms >= 0),
  -- what savings are reckoned from
  counterfactual_floor INTEGER NOT NULL DEFAULT 0 CHECK (counterfactual_floor >= 0),
  counterfactual_ceiling INTEGER NOT NULL DEFAULT 0 CHECK (counterfactual_ceiling >= 0),
  energy INTEGER NOT NULL DEFAULT 0 CHECK (energy >= 0),
  estimated_tokens INTEGER NOT NULL DEFAULT 0 CHECK (estimated_tokens >= 0),
  counterfactual_basis TEXT NOT NULL DEFAULT '',
  -- what the price hangs on beside the tokens, and what was booked later
  thinking_tokens INTEGER NOT NULL DEFAULT 0 CHECK (thinking_tokens >= 0),
  web_searches INTEGER NOT NULL DEFAULT 0 CHECK (web_searches >= 0),
  batch INTEGER NOT NULL DEFAULT 0 CHECK (batch = 0 OR batch = 1),
  us_only INTEGER NOT NULL DEFAULT 0 CHECK (us_only = 0 OR us_only = 1),
  cost_basis TEXT NOT NULL DEFAULT ''
    CHECK (cost_basis = '' OR cost_basis = 'usage' OR cost_basis = 'bound'),
  adjusted INTEGER NOT NULL DEFAULT 0,
  UNIQUE (request_id, attempt)
) STRICT;
INSERT INTO attempts_2 (id, request_id, attempt, state, week_ms, started_ms, key_id, dialect, task_class,
  priority, backend, model, model_asked, reason, price_version, reserved, charged, counterfactual,
  input_tokens, cache_read, cache_write_5m, cache_write_1h, output_tokens, ttft_ms, duration_ms,
  outcome, error_code)
  SELECT id, request_id, attempt, state, week_ms, started_ms, key_id, dialect, task_class,
  priority, backend, model, model_asked, reason, price_version, reserved, charged, counterfactual,
  input_tokens, cache_read, cache_write_5m, cache_write_1h, output_tokens, ttft_ms, duration_ms,
  outcome, error_code FROM attempts;
DROP TABLE attempts;
ALTER TABLE attempts_2 RENAME TO attempts;
CREATE INDEX attempts_started ON attempts (started_ms);
CREATE INDEX attempts_open ON attempts (id) WHERE state = 'reserved';

-- What is spent and outstanding in each window, for the team and for everything else that a paid
-- row belongs to. Changed in the transaction that changes the row.
CREATE TABLE balances (
  scope       TEXT    NOT NULL,
  name        TEXT    NOT NULL,
  period      TEXT    NOT NULL,  -- week, day, ever
  start_ms    INTEGER NOT NULL,
  spent       INTEGER NOT NULL,
  outstanding INTEGER NOT NULL,
  PRIMARY KEY (scope, name, period, start_ms)
) STRICT, WITHOUT ROWID;

-- Everything that happens to a row, in order: hash is the SHA-256 of the hash before and the event.
CREATE TABLE journal (
  seq    INTEGER PRIMARY KEY,
  row_id INTEGER NOT NULL,
  event  TEXT    NOT NULL,
  hash   TEXT    NOT NULL CHECK (length(hash) = 64)
) STRICT;
CREATE INDEX journal_row ON journal (row_id);
CREATE TRIGGER journal_keeps BEFORE UPDATE ON journal
  BEGIN SELECT raise(ABORT, 'the journal is only added to'); END;
CREATE TRIGGER journal_stays BEFORE DELETE ON journal
  BEGIN SELECT raise(ABORT, 'the journal is only added to'); END;
)sql";

// Windows know their end, since weeks and days may be cut by any calendar.
constexpr const char* kVersion3 = R"sql(
ALTER TABLE balances ADD COLUMN end_ms INTEGER NOT NULL DEFAULT 0;
UPDATE balances SET end_ms = CASE period WHEN 'week' THEN start_ms + 604800000
  WHEN 'day' THEN start_ms + 86400000 ELSE 9223372036854775807 END;
)sql";

// A rule may give a request its class. SQLite has no way to change a CHECK, so the column is made
// anew.
constexpr const char* kVersion4 = R"sql(
ALTER TABLE attempts ADD COLUMN class_source_4 TEXT NOT NULL DEFAULT ''
  CHECK (class_source_4 = '' OR class_source_4 = 'declared' OR class_source_4 = 'rule' OR
         class_source_4 = 'inferred');
UPDATE attempts SET class_source_4 = class_source WHERE class_source <> '';
ALTER TABLE attempts DROP COLUMN class_source;
ALTER TABLE attempts RENAME COLUMN class_source_4 TO class_source;
)sql";

// kSteps[i] takes a file from version i to i + 1. Steps that have been released never change.
const std::array kSteps{kVersion1, kVersion2, kVersion3, kVersion4};

// What version 2 keeps beside the rows, for those that are there.
Result<> add_sums_and_journal(Db& db, std::int64_t now_ms) {
  for (const std::string& sql : first_balances_sql()) TOPHAND_CHECK("sums", db.exec(sql.c_str()));
  TOPHAND_TRY(journal, "journal", Journal::prepare(db));
  return import_rows(db, journal, now_ms);
}

}  // namespace

Result<> migrate(Db& db, std::int64_t now_ms) {
  TOPHAND_TRY(transaction, "schema", Transaction::begin(db));
  TOPHAND_TRY(version, "schema", db.query_integer("PRAGMA user_version"));
  TOPHAND_TRY(owner, "schema", db.query_integer("PRAGMA application_id"));
  TOPHAND_TRY(tables, "schema", db.query_integer("SELECT count(*) FROM sqlite_schema"));
  const bool is_new = version == 0 && owner == 0 && tables == 0;
  if (!is_new && owner != kApplicationId)
    return fail(Code::kCorrupt, "this SQLite file is not a tophand ledger");
  if (version < 0 || version > static_cast<std::int64_t>(kSteps.size()))
    return fail(Code::kConfig, "the ledger has version " + std::to_string(version) +
                                   ", this program knows up to " + std::to_string(kSteps.size()) +
                                   "; use the newer tophand that made it");
  for (std::size_t step = static_cast<std::size_t>(version); step < kSteps.size(); ++step)
    TOPHAND_CHECK("schema", db.exec(kSteps[step]));
  if (version < 2) {
    TOPHAND_CHECK("schema", db.exec(kLabelsSchema));
    TOPHAND_CHECK("schema", db.exec(kSavedStateSchema));
    TOPHAND_CHECK("schema", add_sums_and_journal(db, now_ms));
  }
  if (version < 3) TOPHAND_CHECK("schema", db.exec(kRefusalsSchema));
  const std::string stamp = "PRAGMA application_id = " + std::to_string(kApplicationId) +
                            "; PRAGMA user_version = " + std::to_string(kSteps.size());
  TOPHAND_CHECK("schema", db.exec(stamp.c_str()));
  return transaction.commit();
}

}  // namespace tophand::ledger

#include "ledger/schema.h"

#include <array>
#include <string>

#include "ledger/balances.h"
#include "ledger/journal.h"
#include "ledger/labels.h"
#include "ledger/saved_state.h"

namespace tophand::ledger {
namespace {

constexpr std::int64_t kApplicationId = 0x54485044;  // "THPD"

// charged is what the row takes from the week's budget now: the reservation until the row ends, the
// cost when it is settled, 0 when it is released, and the whole reservation when it is recovered.
// The partial index makes the cap check a scan of this week's paid rows only.
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

// Who asked in finer grain, what the attempt was for, and what savings are reckoned from.
constexpr const char* kVersion2 = R"sql(
ALTER TABLE attempts ADD COLUMN agent TEXT NOT NULL DEFAULT '';
ALTER TABLE attempts ADD COLUMN persona TEXT NOT NULL DEFAULT '';
ALTER TABLE attempts ADD COLUMN session TEXT NOT NULL DEFAULT '';
ALTER TABLE attempts ADD COLUMN class_source TEXT NOT NULL DEFAULT ''
  CHECK (class_source IN ('','declared','inferred'));
ALTER TABLE attempts ADD COLUMN tier TEXT NOT NULL DEFAULT ''
  CHECK (tier IN ('','local','small','default','hard'));
ALTER TABLE attempts ADD COLUMN purpose TEXT NOT NULL DEFAULT 'answer'
  CHECK (purpose IN ('answer','shadow','judge'));
ALTER TABLE attempts ADD COLUMN arm TEXT NOT NULL DEFAULT ''
  CHECK (arm IN ('','holdout','canary','audit'));
ALTER TABLE attempts ADD COLUMN provider_key TEXT NOT NULL DEFAULT '';
ALTER TABLE attempts ADD COLUMN gate TEXT NOT NULL DEFAULT ''
  CHECK (gate IN ('','passed','mended','failed'));
ALTER TABLE attempts ADD COLUMN deferred_ms INTEGER NOT NULL DEFAULT 0 CHECK (deferred_ms >= 0);
ALTER TABLE attempts ADD COLUMN counterfactual_floor INTEGER NOT NULL DEFAULT 0
  CHECK (counterfactual_floor >= 0);
ALTER TABLE attempts ADD COLUMN counterfactual_ceiling INTEGER NOT NULL DEFAULT 0
  CHECK (counterfactual_ceiling >= 0);
ALTER TABLE attempts ADD COLUMN energy INTEGER NOT NULL DEFAULT 0 CHECK (energy >= 0);
ALTER TABLE attempts ADD COLUMN estimated_tokens INTEGER NOT NULL DEFAULT 0
  CHECK (estimated_tokens >= 0);
ALTER TABLE attempts ADD COLUMN counterfactual_basis TEXT NOT NULL DEFAULT '';

-- What the price of an attempt hangs on beside its tokens, and what was booked to it later.
ALTER TABLE attempts ADD COLUMN thinking_tokens INTEGER NOT NULL DEFAULT 0
  CHECK (thinking_tokens >= 0);
ALTER TABLE attempts ADD COLUMN web_searches INTEGER NOT NULL DEFAULT 0 CHECK (web_searches >= 0);
ALTER TABLE attempts ADD COLUMN batch INTEGER NOT NULL DEFAULT 0 CHECK (batch IN (0, 1));
ALTER TABLE attempts ADD COLUMN us_only INTEGER NOT NULL DEFAULT 0 CHECK (us_only IN (0, 1));
ALTER TABLE attempts ADD COLUMN cost_basis TEXT NOT NULL DEFAULT ''
  CHECK (cost_basis IN ('','usage','bound'));
ALTER TABLE attempts ADD COLUMN adjusted INTEGER NOT NULL DEFAULT 0;
DROP INDEX attempts_charged;  -- the sums are kept

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

// kSteps[i] takes a file from version i to i + 1. Steps that have been released never change.
constexpr std::array kSteps{kVersion1, kVersion2};

// What version 2 keeps beside the rows, for those that are there.
Result<> add_sums_and_journal(Db& db, std::int64_t now_ms) {
  TOPHAND_CHECK("sums", db.exec(("INSERT INTO balances " + balances_of_rows_sql()).c_str()));
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
  const std::string stamp = "PRAGMA application_id = " + std::to_string(kApplicationId) +
                            "; PRAGMA user_version = " + std::to_string(kSteps.size());
  TOPHAND_CHECK("schema", db.exec(stamp.c_str()));
  return transaction.commit();
}

}  // namespace tophand::ledger

#include "ledger/ledger.h"

#include <algorithm>
#include <array>
#include <atomic>
#include <chrono>
#include <mutex>
#include <thread>

#include "base/checked.h"
#include "base/log.h"
#include "ledger/file_lock.h"
#include "ledger/free_rows.h"
#include "ledger/labels.h"
#include "ledger/saved_state.h"
#include "ledger/schema.h"
#include "ledger/sqlite.h"

namespace tophand::ledger {
namespace {

constexpr int kBusyMs = 2000;          // a person's sqlite3 shell, a backup
constexpr int kOtherProcessMs = 2000;  // `tophand savings` just before the gateway starts
constexpr std::int64_t kRowsMax = 100'000;
constexpr std::chrono::milliseconds kBatchEvery{20};  // of rows without money

constexpr std::array<std::string_view, 4> kOutcomes{"done", "partial", "failed", "cancelled"};

constexpr std::string_view kInsert = R"sql(
INSERT INTO attempts (request_id, attempt, state, week_ms, started_ms, key_id, dialect, task_class,
  priority, backend, model, model_asked, reason, price_version, reserved, charged, id, agent,
  persona, session, class_source, tier, purpose, arm, deferred_ms)
VALUES (?1, ?2, 'reserved', ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12, ?13, ?14, ?14, ?15, ?16, ?17,
  ?18, ?19, ?20, ?21, ?22, ?23))sql";

constexpr std::string_view kWeekCharged =
    "SELECT coalesce(sum(charged), 0) FROM attempts WHERE week_ms = ?1 AND charged > 0";

constexpr std::string_view kEnd = R"sql(
UPDATE attempts SET state = ?2, charged = ?3, counterfactual = ?4, input_tokens = ?5,
  cache_read = ?6, cache_write_5m = ?7, cache_write_1h = ?8, output_tokens = ?9, ttft_ms = ?10,
  duration_ms = ?11, outcome = ?12, error_code = ?13,
  reason = CASE WHEN ?14 = '' THEN reason ELSE reason || '; ' || ?14 END,
  counterfactual_floor = ?15, counterfactual_ceiling = ?16, energy = ?17, provider_key = ?18,
  gate = ?19, estimated_tokens = ?20, counterfactual_basis = ?21
WHERE id = ?1 AND state = 'reserved')sql";

constexpr std::string_view kIsPaid = "SELECT reserved FROM attempts WHERE id = ?1";

// `last` marks the attempt that decided its request.
constexpr std::string_view kTotals = R"sql(
WITH a AS (
  SELECT *, purpose = 'answer' AND NOT EXISTS (
    SELECT 1 FROM attempts later WHERE later.request_id = attempts.request_id
    AND later.attempt > attempts.attempt AND later.purpose = 'answer') AS last
  FROM attempts WHERE started_ms >= ?1)
SELECT
  count(*) FILTER (WHERE last),
  count(*) FILTER (WHERE last AND backend <> 'claude' AND outcome = 'done'),
  count(*) FILTER (WHERE last AND backend = 'claude' AND outcome = 'done'),
  count(*) FILTER (WHERE last AND state <> 'reserved' AND outcome <> 'done'),
  coalesce(sum(input_tokens + cache_read + cache_write_5m + cache_write_1h)
           FILTER (WHERE backend <> 'claude'), 0),
  coalesce(sum(output_tokens) FILTER (WHERE backend <> 'claude'), 0),
  coalesce(sum(input_tokens + cache_read + cache_write_5m + cache_write_1h)
           FILTER (WHERE backend = 'claude'), 0),
  coalesce(sum(output_tokens) FILTER (WHERE backend = 'claude'), 0),
  coalesce(sum(charged) FILTER (WHERE state <> 'reserved'), 0),
  coalesce(sum(charged) FILTER (WHERE state = 'reserved'), 0),
  coalesce(sum(counterfactual) FILTER (WHERE last AND backend <> 'claude' AND outcome = 'done'), 0)
FROM a)sql";

constexpr std::string_view kColumns =
    "id, request_id, attempt, state, key_id, dialect, task_class, priority, backend, model, "
    "model_asked, reason, outcome, price_version, error_code, agent, persona, session, "
    "class_source, tier, purpose, arm, provider_key, gate, started_ms, ttft_ms, duration_ms, "
    "input_tokens, cache_read, cache_write_5m, cache_write_1h, output_tokens, reserved, charged, "
    "counterfactual, counterfactual_floor, counterfactual_ceiling, energy, deferred_ms, "
    "estimated_tokens, counterfactual_basis";

std::string rows_since() {
  return "SELECT * FROM (SELECT " + std::string(kColumns) +
         " FROM attempts WHERE started_ms >= ?1 ORDER BY id DESC LIMIT ?2) ORDER BY id";
}
std::string rows_in_pages() {
  return "SELECT " + std::string(kColumns) +
         " FROM attempts WHERE id > ?1 AND started_ms >= ?2 ORDER BY id LIMIT ?3";
}
std::string rows_of_request() {
  return "SELECT " + std::string(kColumns) +
         " FROM attempts WHERE request_id = ?1 ORDER BY attempt";
}

struct Statements {
  Stmt insert, week_charged, end, is_paid, totals, rows, rows_after, rows_of;
  Labels labels;
  SavedState saved_state;
};

Result<Statements> prepare_all(Db& db) {
  Statements all;
  const std::string since = rows_since(), pages = rows_in_pages(), of_request = rows_of_request();
  const std::array<std::pair<Stmt*, std::string_view>, 8> list{{{&all.insert, kInsert},
                                                                {&all.week_charged, kWeekCharged},
                                                                {&all.end, kEnd},
                                                                {&all.is_paid, kIsPaid},
                                                                {&all.totals, kTotals},
                                                                {&all.rows, since},
                                                                {&all.rows_after, pages},
                                                                {&all.rows_of, of_request}}};
  for (const auto& [statement, sql] : list) {
    TOPHAND_TRY(prepared, "prepare", db.prepare(sql));
    *statement = std::move(prepared);
  }
  TOPHAND_TRY(labels, "prepare", Labels::prepare(db));
  all.labels = std::move(labels);
  TOPHAND_TRY(saved_state, "prepare", SavedState::prepare(db));
  all.saved_state = std::move(saved_state);
  return all;
}

Row read_row(const Stmt& from) {
  Row row;
  int column = 0;
  row.id = from.integer(column++);
  row.request_id = from.text(column++);
  row.attempt = from.integer(column++);
  for (std::string* text :
       {&row.state,         &row.key_id,     &row.dialect,     &row.task_class, &row.priority,
        &row.backend,       &row.model,      &row.model_asked, &row.reason,     &row.outcome,
        &row.price_version, &row.error_code, &row.agent,       &row.persona,    &row.session,
        &row.class_source,  &row.tier,       &row.purpose,     &row.arm,        &row.provider_key,
        &row.gate})
    *text = from.text(column++);
  for (std::int64_t* number :
       {&row.started_ms, &row.ttft_ms, &row.duration_ms, &row.tokens.input, &row.tokens.cache_read,
        &row.tokens.cache_write_5m, &row.tokens.cache_write_1h, &row.tokens.output, &row.reserved,
        &row.cost, &row.counterfactual, &row.counterfactual_floor, &row.counterfactual_ceiling,
        &row.energy, &row.deferred_ms, &row.estimated_tokens})
    *number = from.integer(column++);
  row.counterfactual_basis = from.text(column++);
  return row;
}

class SqliteLedger final : public Ledger {
 public:
  SqliteLedger(FileLock lock, Db db, Statements statements, const Clock& clock,
               std::string price_version, std::optional<NanoUsd> week_cap, std::int64_t last_id)
      : next_id_(last_id + 1),
        lock_(std::move(lock)),
        db_(std::move(db)),
        statements_(std::move(statements)),
        clock_(clock),
        price_version_(std::move(price_version)),
        week_cap_(week_cap),
        writer_([this] { write_batches(); }) {}
  ~SqliteLedger() override {
    free_.stop();
    writer_.join();
    const std::lock_guard guard(mutex_);
    write_free_rows();
  }

  Result<std::int64_t> begin(const AttemptStart& start) override;
  Result<> settle(std::int64_t row_id, const AttemptEnd& end) override {
    return finish(row_id, "settled", end.cost, end);
  }
  Result<> release(std::int64_t row_id, const AttemptEnd& end) override {
    return finish(row_id, "released", 0, end);
  }
  Result<Totals> totals(std::int64_t since_ms) override;
  Result<std::vector<Row>> rows(std::int64_t since_ms, std::int64_t limit) override;
  Result<std::vector<Row>> rows_after(std::int64_t after_id, std::int64_t since_ms,
                                      std::int64_t limit) override;
  Result<std::vector<Row>> rows_of(const std::string& request_id) override;
  Result<Label> add_label(const Label& label) override;
  Result<std::vector<Label>> labels_after(std::int64_t id, std::int64_t limit) override;
  Result<> put_state(const std::string& name, const std::string& value) override;
  Result<std::string> get_state(const std::string& name) override;

 private:
  Result<> set_durable(bool durable);
  Result<> check_cap(NanoUsd cap, NanoUsd reserved, std::int64_t week_ms);
  Result<> finish(std::int64_t row_id, std::string_view state, NanoUsd charged,
                  const AttemptEnd& end);
  Result<> insert(const RowStart& row);
  Result<> update(const RowEnd& row);
  void write_batches();    // the writer's life
  void write_free_rows();  // under mutex_; before anything else looks at the file
  Result<> write(const std::vector<FreeRows::Write>& writes);

  std::atomic<std::int64_t> next_id_;
  FreeRows free_;
  std::mutex mutex_;  // guards everything below but the constants
  FileLock lock_;     // outlives db_
  Db db_;
  Statements statements_;  // destroyed before db_
  bool durable_ = true;    // what PRAGMA synchronous is now
  const Clock& clock_;
  const std::string price_version_;
  const std::optional<NanoUsd> week_cap_;
  std::thread writer_;
};

Result<> SqliteLedger::insert(const RowStart& row) {
  const AttemptStart& start = row.start;
  Stmt& insert = statements_.insert;
  insert.bind(1, start.request_id).bind(2, start.attempt).bind(3, row.week_ms);
  insert.bind(4, row.started_ms).bind(5, start.key_id).bind(6, start.dialect);
  insert.bind(7, start.task_class).bind(8, start.priority).bind(9, start.backend);
  insert.bind(10, start.model).bind(11, start.model_asked).bind(12, start.reason);
  insert.bind(13, price_version_).bind(14, start.reserved).bind(15, row.id);
  insert.bind(16, start.agent).bind(17, start.persona).bind(18, start.session);
  insert.bind(19, start.class_source).bind(20, start.tier).bind(21, start.purpose);
  insert.bind(22, start.arm).bind(23, start.deferred_ms);
  return insert.run();
}

Result<> SqliteLedger::update(const RowEnd& row) {
  const AttemptEnd& end = row.end;
  const TokenCounts& tokens = end.tokens;
  Stmt& update = statements_.end;
  update.bind(1, row.id).bind(2, row.state).bind(3, row.charged).bind(4, end.counterfactual);
  update.bind(5, tokens.input).bind(6, tokens.cache_read).bind(7, tokens.cache_write_5m);
  update.bind(8, tokens.cache_write_1h).bind(9, tokens.output).bind(10, end.ttft_ms);
  update.bind(11, end.duration_ms);
  update.bind(12, kOutcomes.at(static_cast<std::size_t>(end.outcome)));
  update.bind(13, end.error_code).bind(14, end.note);
  update.bind(15, end.counterfactual_floor).bind(16, end.counterfactual_ceiling);
  update.bind(17, end.energy).bind(18, end.provider_key).bind(19, end.gate);
  update.bind(20, end.estimated_tokens).bind(21, end.counterfactual_basis);
  return update.run();  // no row changed: it had ended before, and that stands
}

void SqliteLedger::write_batches() {
  while (free_.wait()) {
    std::this_thread::sleep_for(kBatchEvery);
    const std::lock_guard guard(mutex_);
    write_free_rows();
  }
}

void SqliteLedger::write_free_rows() {
  std::vector<FreeRows::Write> writes = free_.take();
  if (writes.empty()) return;
  const std::size_t count = writes.size();
  const auto written = write(writes);
  if (written) return;
  const bool kept = free_.put_back(std::move(writes));
  log::error(kept ? "ledger.free_rows_wait" : "ledger.free_rows_lost",
             {{"rows", count}, {"error", written.error().message}});
}

Result<> SqliteLedger::write(const std::vector<FreeRows::Write>& writes) {
  TOPHAND_CHECK("ledger", set_durable(false));
  TOPHAND_TRY(transaction, "ledger", Transaction::begin(db_));
  for (const FreeRows::Write& row : writes) {
    if (row.start) TOPHAND_CHECK("ledger", insert(*row.start));
    if (row.end) TOPHAND_CHECK("ledger", update(*row.end));
  }
  return transaction.commit();
}

// FULL syncs the log at every commit. NORMAL leaves that to the next FULL commit or checkpoint: the
// rows are with the kernel (a killed process loses none) and reach the disk in order.
Result<> SqliteLedger::set_durable(bool durable) {
  if (durable == durable_) return {};
  TOPHAND_CHECK("ledger",
                db_.exec(durable ? "PRAGMA synchronous=FULL" : "PRAGMA synchronous=NORMAL"));
  durable_ = durable;
  return {};
}

Result<> SqliteLedger::check_cap(NanoUsd cap, NanoUsd reserved, std::int64_t week_ms) {
  Stmt& sum = statements_.week_charged.bind(1, week_ms);
  const Result<bool> row = sum.step();
  const NanoUsd charged = row && *row ? sum.integer(0) : 0;
  sum.reset();
  if (!row) return tl::unexpected(row.error());
  const auto after = checked_add(charged, reserved);
  if (after && *after <= cap) return {};
  return fail(Code::kBudget, "this week's budget is " + format_usd(cap) + ", " +
                                 format_usd(charged) + " of it is spent or reserved, and this " +
                                 "request may cost up to " + format_usd(reserved));
}

Result<std::int64_t> SqliteLedger::begin(const AttemptStart& start) {
  if (start.reserved < 0) return fail(Code::kInvalid, "ledger: a negative reservation");
  if (start.request_id.empty() || start.attempt < 1)
    return fail(Code::kInvalid, "ledger: an attempt needs a request id and a number from 1");
  const std::int64_t now_ms = clock_.wall_ms();
  RowStart row{next_id_++, week_start_ms(now_ms), now_ms, start};
  const std::int64_t id = row.id;
  if (start.reserved == 0) {
    free_.add(std::move(row));
    return id;
  }
  const std::lock_guard guard(mutex_);
  write_free_rows();
  TOPHAND_CHECK("ledger", set_durable(true));
  TOPHAND_TRY(transaction, "ledger", Transaction::begin(db_));
  if (week_cap_)
    if (auto fits = check_cap(*week_cap_, start.reserved, row.week_ms); !fits)
      return tl::unexpected(std::move(fits).error());
  TOPHAND_CHECK("ledger", insert(row));
  TOPHAND_CHECK("ledger", transaction.commit());
  return id;
}

Result<> SqliteLedger::finish(std::int64_t row_id, std::string_view state, NanoUsd charged,
                              const AttemptEnd& end) {
  const TokenCounts& tokens = end.tokens;
  if (std::min({charged, end.counterfactual, end.counterfactual_floor, end.counterfactual_ceiling,
                end.energy, tokens.input, tokens.cache_read, tokens.cache_write_5m,
                tokens.cache_write_1h, tokens.output, end.estimated_tokens}) < 0)
    return fail(Code::kInvalid, "ledger: a negative cost or number of tokens");
  const RowEnd row{row_id, std::string(state), charged, end};
  if (charged == 0 && free_.finish(row)) return {};
  const std::lock_guard guard(mutex_);
  write_free_rows();
  Stmt& paid = statements_.is_paid.bind(1, row_id);
  const Result<bool> found = paid.step();
  const NanoUsd reserved = found && *found ? paid.integer(0) : 0;
  paid.reset();
  if (!found) return tl::unexpected(found.error());
  if (!*found) return fail(Code::kNotFound, "ledger: no row " + std::to_string(row_id));
  TOPHAND_CHECK("ledger", set_durable(reserved > 0 || charged > 0));
  return update(row);
}

Result<Totals> SqliteLedger::totals(std::int64_t since_ms) {
  const std::lock_guard guard(mutex_);
  write_free_rows();
  Stmt& query = statements_.totals.bind(1, since_ms);
  const Result<bool> row = query.step();
  Totals out;
  if (row && *row) {
    int column = 0;
    for (std::int64_t* number :
         {&out.requests, &out.local_requests, &out.claude_requests, &out.failed,
          &out.local_input_tokens, &out.local_output_tokens, &out.claude_input_tokens,
          &out.claude_output_tokens, &out.spent, &out.outstanding, &out.counterfactual})
      *number = query.integer(column++);
  }
  query.reset();
  if (!row) return tl::unexpected(row.error());
  return out;
}

Result<std::vector<Row>> read_rows(Stmt& query) {
  std::vector<Row> out;
  Result<bool> row = query.step();
  for (; row && *row; row = query.step()) out.push_back(read_row(query));
  query.reset();
  if (!row) return tl::unexpected(row.error());
  return out;
}

Result<std::vector<Row>> SqliteLedger::rows(std::int64_t since_ms, std::int64_t limit) {
  const std::lock_guard guard(mutex_);
  write_free_rows();
  Stmt& query = statements_.rows.bind(1, since_ms);
  return read_rows(query.bind(2, std::clamp<std::int64_t>(limit, 0, kRowsMax)));
}

Result<std::vector<Row>> SqliteLedger::rows_after(std::int64_t after_id, std::int64_t since_ms,
                                                  std::int64_t limit) {
  const std::lock_guard guard(mutex_);
  write_free_rows();
  Stmt& query = statements_.rows_after.bind(1, after_id).bind(2, since_ms);
  return read_rows(query.bind(3, std::clamp<std::int64_t>(limit, 0, kRowsMax)));
}

Result<std::vector<Row>> SqliteLedger::rows_of(const std::string& request_id) {
  const std::lock_guard guard(mutex_);
  write_free_rows();
  return read_rows(statements_.rows_of.bind(1, request_id));
}

Result<Label> SqliteLedger::add_label(const Label& label) {
  const std::lock_guard guard(mutex_);
  write_free_rows();
  TOPHAND_CHECK("ledger", set_durable(false));
  return statements_.labels.add(db_, label, clock_.wall_ms());
}

Result<std::vector<Label>> SqliteLedger::labels_after(std::int64_t id, std::int64_t limit) {
  const std::lock_guard guard(mutex_);
  return statements_.labels.after(id, std::clamp<std::int64_t>(limit, 0, kRowsMax));
}

Result<> SqliteLedger::put_state(const std::string& name, const std::string& value) {
  const std::lock_guard guard(mutex_);
  TOPHAND_CHECK("ledger", set_durable(false));
  return statements_.saved_state.put(name, value);
}

Result<std::string> SqliteLedger::get_state(const std::string& name) {
  const std::lock_guard guard(mutex_);
  return statements_.saved_state.get(name);
}

// What a crashed process left open: it may have been sent, so it stays charged in full.
Result<> recover(Db& db) {
  TOPHAND_CHECK("recover",
                db.exec("UPDATE attempts SET state = 'recovered' WHERE state = 'reserved'"));
  if (db.changes() > 0) log::warn("ledger.recovered", {{"rows", db.changes()}});
  return {};
}

}  // namespace

Result<Label> Ledger::add_label(const Label&) {
  return fail(Code::kUnavailable, "this ledger keeps no labels");
}

Result<std::vector<Label>> Ledger::labels_after(std::int64_t, std::int64_t) {
  return std::vector<Label>();
}

Result<> Ledger::put_state(const std::string&, const std::string&) {
  return fail(Code::kUnavailable, "this ledger keeps no state");
}

Result<std::string> Ledger::get_state(const std::string&) {
  return std::string();
}

Result<std::unique_ptr<Ledger>> Ledger::open(const std::string& path, const Clock& clock,
                                             std::string price_version,
                                             std::optional<NanoUsd> week_cap) {
  const std::string step = "ledger " + path;
  if (week_cap && *week_cap < 0) return fail(Code::kConfig, "the weekly budget is negative");
  TOPHAND_TRY(lock, step, FileLock::take(path + ".lock", kOtherProcessMs));
  TOPHAND_TRY(db, step, Db::open(path, kBusyMs));
  TOPHAND_CHECK(step, db.exec("PRAGMA journal_mode=WAL; PRAGMA synchronous=FULL; "
                              "PRAGMA trusted_schema=OFF"));
  TOPHAND_CHECK(step, migrate(db));
  TOPHAND_CHECK(step, recover(db));
  TOPHAND_TRY(statements, step, prepare_all(db));
  TOPHAND_TRY(last_id, step, db.query_integer("SELECT coalesce(max(id), 0) FROM attempts"));
  return std::make_unique<SqliteLedger>(std::move(lock), std::move(db), std::move(statements),
                                        clock, std::move(price_version), week_cap, last_id);
}

}  // namespace tophand::ledger

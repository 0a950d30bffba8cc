#include "ledger/ledger.h"

#include <sys/resource.h>

#include <algorithm>
#include <atomic>
#include <charconv>
#include <chrono>
#include <mutex>
#include <thread>
#include <utility>

#include "base/json.h"
#include "base/log.h"
#include "ledger/attempts.h"
#include "ledger/balances.h"
#include "ledger/file_lock.h"
#include "ledger/free_rows.h"
#include "ledger/journal.h"
#include "ledger/killpoint.h"
#include "ledger/labels.h"
#include "ledger/refusals.h"
#include "ledger/saved_state.h"
#include "ledger/schema.h"
#include "ledger/sqlite.h"
#include "ledger/verify.h"

namespace tophand::ledger {
namespace {

constexpr int kBusyMs = 2000;          // a person's sqlite3 shell, a backup
constexpr int kOtherProcessMs = 2000;  // `tophand savings` just before the gateway starts
constexpr std::int64_t kRowsMax = 100'000;
constexpr const char* kCalendarState = "calendar";
constexpr std::chrono::milliseconds kBatchEvery{20};  // of rows without money
constexpr std::chrono::seconds kAgainAfter{1};        // where the file takes none
constexpr int kBatchNiceness = 5;  // a third of the weight: who waits for its lock still gets on

struct Tables {
  Attempts attempts;
  Balances balances;
  Journal journal;
  Labels labels;
  SavedState saved_state;
  Refusals refusals;
};

Result<Tables> prepare_all(Db& db) {
  TOPHAND_TRY(attempts, "attempts", Attempts::prepare(db));
  TOPHAND_TRY(balances, "balances", Balances::prepare(db));
  TOPHAND_TRY(journal, "journal", Journal::prepare(db));
  TOPHAND_TRY(labels, "labels", Labels::prepare(db));
  TOPHAND_TRY(saved_state, "saved state", SavedState::prepare(db));
  TOPHAND_TRY(refusals, "refusals", Refusals::prepare(db));
  return Tables{std::move(attempts), std::move(balances),    std::move(journal),
                std::move(labels),   std::move(saved_state), std::move(refusals)};
}

class SqliteLedger final : public Ledger {
 public:
  SqliteLedger(FileLock lock, Db db, Tables tables, const Clock& clock, std::string price_version,
               std::int64_t last_id)
      : next_id_(last_id + 1),
        lock_(std::move(lock)),
        db_(std::move(db)),
        tables_(std::move(tables)),
        clock_(clock),
        price_version_(std::move(price_version)),
        writer_([this] { write_batches(); }) {}
  ~SqliteLedger() override {
    free_.stop();
    writer_.join();
    const std::lock_guard guard(mutex_);
    write_free_rows();
    write_kept_ends();
    for (const RowEnd& end : free_.take_kept())
      log::error("ledger.end_lost", {{"row", end.id},
                                     {"charged_nano_usd", end.charged},
                                     {"hint", "the next start charges all that was reserved"}});
  }

  Result<> set_limits(Limits limits) override;
  Calendar calendar() override {
    const std::lock_guard guard(week_mutex_);
    return calendar_;
  }
  Result<std::int64_t> begin(const AttemptStart& start) override;
  Result<> settle(std::int64_t row_id, const AttemptEnd& end) override {
    return finish({row_id, "settled", end.cost, end});
  }
  Result<> release(std::int64_t row_id, const AttemptEnd& end) override {
    return finish({row_id, "released", 0, end});
  }
  Result<> adjust(std::int64_t row_id, NanoUsd amount, const std::string& reason) override;
  Result<Totals> totals(std::int64_t since_ms) override;
  Result<Balance> spending(const Span& span) override;
  Result<std::vector<Row>> rows(std::int64_t since_ms, std::int64_t limit) override;
  Result<std::vector<Row>> held_back_after(std::int64_t after_id, std::int64_t since_ms,
                                           std::int64_t limit) override;
  Result<std::vector<Row>> rows_after(std::int64_t after_id, std::int64_t since_ms,
                                      std::int64_t limit) override;
  Result<std::vector<Row>> rows_of(const std::string& request_id) override;
  Result<Label> add_label(const Label& label) override;
  Result<std::vector<Label>> labels_after(std::int64_t id, std::int64_t limit) override;
  Result<> note_refusal(const Refusal& refusal) override;
  Result<std::optional<Refusal>> refusal_of(const std::string& request_id) override;
  Result<std::int64_t> refusals_since(std::string_view error_code, std::int64_t since_ms) override;
  Result<> put_state(const std::string& name, const std::string& value) override;
  Result<std::string> get_state(const std::string& name) override;
  Result<std::vector<CapState>> cap_states() override;
  Result<JournalHead> head() override;
  Result<Verdict> verify(const std::vector<PriceBook>& books,
                         const std::optional<JournalHead>& expected) override;
  std::string write_fault() const override;

 private:
  Result<> noted(Result<> written);
  enum class Sync : std::uint8_t { kLater, kNow };
  Result<> set_sync(Sync sync);
  Result<Transaction> begin_transaction(Sync sync);
  std::int64_t week_ms(std::int64_t now_ms);
  Result<> follow(const Calendar& calendar);
  Result<> reserve(const RowStart& row);
  Result<> finish(RowEnd row);
  Result<> end_row(const RowEnd& row, const Attempts::Money& before);
  Result<> end_once(const RowEnd& row);  // under mutex_; as often as one likes
  void write_kept_ends();                // under mutex_
  void write_batches();                  // the writer's life
  void write_free_rows();                // under mutex_; before anything else looks at the file
  Result<> write(const std::vector<FreeRows::Write>& writes);
  Result<> write_start(const RowStart& row);

  mutable std::mutex fault_mutex_;  // guards the next
  std::string fault_;
  std::mutex week_mutex_;  // guards the next two
  Calendar calendar_;
  Span week_;  // that was asked for last
  std::atomic<std::int64_t> next_id_;
  FreeRows free_;
  std::mutex mutex_;  // guards everything below but the constants
  FileLock lock_;     // outlives db_
  Db db_;
  Tables tables_;           // destroyed before db_
  Sync sync_ = Sync::kNow;  // what PRAGMA synchronous is now
  Limits limits_;
  const Clock& clock_;
  const std::string price_version_;
  std::thread writer_;
};

struct KeptCalendar {
  std::string fingerprint = Calendar().fingerprint();
  std::int64_t since_ms = 0;  // 0: ever
};

// "1790000000000 Europe/Berlin#0123456789abcdef mon 00:00"; nothing was kept as long as it was the
// first one.
Result<KeptCalendar> kept_calendar(SavedState& saved_state) {
  TOPHAND_TRY(text, "calendar", saved_state.get(kCalendarState));
  if (text.empty()) return KeptCalendar{};
  KeptCalendar kept;
  const auto since = std::from_chars(text.data(), text.data() + text.size(), kept.since_ms);
  const std::size_t space = text.find(' ');
  if (since.ec != std::errc() || kept.since_ms < 1 || since.ptr != text.data() + space)
    return fail(Code::kCorrupt, "the saved calendar '" + text + "' cannot be read");
  kept.fingerprint = text.substr(space + 1);
  return kept;
}

// What the file and its journal say must be the same text, and JSON holds only UTF-8.
void clean(std::string& text) {
  if (std::ranges::all_of(text, [](char c) { return static_cast<unsigned char>(c) < 0x80; }))
    return;
  if (auto kept = parse_json(dump_json(Json(text))); kept && kept->is_string())
    text = kept->get<std::string>();
}

void clean(AttemptStart& start) {
  for (std::string* text : {&start.request_id, &start.key_id, &start.dialect, &start.task_class,
                            &start.priority, &start.backend, &start.model, &start.model_asked,
                            &start.reason, &start.agent, &start.persona, &start.session,
                            &start.class_source, &start.tier, &start.purpose, &start.arm})
    clean(*text);
}

// Sync::kNow syncs the log at every commit. kLater leaves that to the next such commit or
// checkpoint: the rows are with the kernel (a killed process loses none) and reach the disk in
// order.
Result<> SqliteLedger::set_sync(Sync sync) {
  if (sync == sync_) return {};
  TOPHAND_CHECK("ledger", db_.exec(sync == Sync::kNow ? "PRAGMA synchronous=FULL"
                                                      : "PRAGMA synchronous=NORMAL"));
  sync_ = sync;
  return {};
}

Result<Transaction> SqliteLedger::begin_transaction(Sync sync) {
  TOPHAND_CHECK("ledger", set_sync(sync));
  auto transaction = Transaction::begin(db_);
  if (transaction) TOPHAND_CHECK("ledger", tables_.journal.resume());
  return transaction;
}

Result<> SqliteLedger::set_limits(Limits limits) {
  for (const Cap& cap : limits.caps)
    if (cap.limit < 0) return fail(Code::kConfig, "a budget is negative");
  const std::lock_guard guard(mutex_);
  TOPHAND_CHECK("ledger", follow(limits.calendar));
  limits_ = std::move(limits);
  return {};
}

// The file remembers by which calendar its windows are cut, and since when.
Result<> SqliteLedger::follow(const Calendar& calendar) {
  TOPHAND_TRY(kept, "calendar", kept_calendar(tables_.saved_state));
  if (kept.fingerprint != calendar.fingerprint()) {
    write_free_rows();
    // Clocks go back: rows may have begun after now.
    TOPHAND_TRY(last_ms, "calendar",
                db_.query_integer("SELECT coalesce(max(started_ms), 0) FROM attempts"));
    kept.since_ms = std::max(clock_.wall_ms(), last_ms + 1);
    const std::string text = std::to_string(kept.since_ms) + " " + calendar.fingerprint();
    TOPHAND_CHECK("calendar", set_sync(Sync::kNow));
    TOPHAND_CHECK("calendar", tables_.saved_state.put(kCalendarState, text));
    log::info("ledger.calendar", {{"calendar", calendar.fingerprint()}});
  }
  tables_.balances.use(calendar, kept.since_ms);
  const std::lock_guard guard(week_mutex_);
  calendar_ = calendar;
  week_ = {};
  return {};
}

std::int64_t SqliteLedger::week_ms(std::int64_t now_ms) {
  const std::lock_guard guard(week_mutex_);
  if (!week_.holds(now_ms)) week_ = calendar_.week(now_ms);
  return week_.start_ms;
}

Result<std::int64_t> SqliteLedger::begin(const AttemptStart& start) {
  if (start.reserved < 0 || start.reserved > kAmountMax)
    return fail(Code::kInvalid, "ledger: a reservation of " + format_usd(start.reserved));
  if (start.request_id.empty() || start.attempt < 1)
    return fail(Code::kInvalid, "ledger: an attempt needs a request id and a number from 1");
  const std::int64_t now_ms = clock_.wall_ms();
  RowStart row{next_id_++, week_ms(now_ms), now_ms, start};
  clean(row.start);
  const std::int64_t id = row.id;
  if (start.reserved == 0) {
    free_.add(std::move(row));
    return id;
  }
  const std::lock_guard guard(mutex_);
  write_free_rows();
  if (auto reserved = noted(reserve(row)); !reserved)
    return tl::unexpected(std::move(reserved).error());
  return id;
}

// Looks at every cap and writes, in one transaction that is on the disk when it returns.
Result<> SqliteLedger::reserve(const RowStart& row) {
  TOPHAND_KILLPOINT("reserve_begins");
  if (limits_.stop_paid)
    return fail(Code::kBudget, "paid requests are stopped: stop_paid in [budget] is true");
  const NanoUsd amount = row.start.reserved;
  const Place place = place_of(row.start, row.started_ms);
  TOPHAND_TRY(transaction, "reserve", begin_transaction(Sync::kNow));
  TOPHAND_CHECK("reserve", tables_.balances.open_windows(row.started_ms));
  if (auto fits = tables_.balances.admit(limits_.caps, place, amount, row.started_ms); !fits)
    return fits;
  TOPHAND_CHECK("reserve", tables_.attempts.insert(row, price_version_));
  TOPHAND_KILLPOINT("reserve_row");
  TOPHAND_CHECK("reserve", tables_.balances.add(place, {.outstanding = amount}));
  TOPHAND_KILLPOINT("reserve_balances");
  TOPHAND_CHECK("reserve", tables_.journal.append(row.id, reserve_event(row, price_version_)));
  TOPHAND_KILLPOINT("before_reserve_commit");
  TOPHAND_CHECK("reserve", transaction.commit());
  TOPHAND_KILLPOINT("after_reserve_commit");
  return {};
}

Result<> SqliteLedger::finish(RowEnd row) {
  const AttemptEnd& end = row.end;
  const TokenCounts& tokens = end.tokens;
  if (std::min({row.charged, end.counterfactual, end.counterfactual_floor,
                end.counterfactual_ceiling, end.energy, tokens.input, tokens.cache_read,
                tokens.cache_write_5m, tokens.cache_write_1h, tokens.output, tokens.thinking,
                tokens.web_searches, end.estimated_tokens}) < 0)
    return fail(Code::kInvalid, "ledger: a negative cost or number of tokens");
  if (row.charged > kAmountMax)
    return fail(Code::kInvalid, "ledger: a cost of " + format_usd(row.charged));
  for (std::string* text : {&row.end.provider_key, &row.end.gate, &row.end.error_code,
                            &row.end.note, &row.end.counterfactual_basis})
    clean(*text);
  if (row.charged == 0 && free_.finish(row)) return {};
  const std::lock_guard guard(mutex_);
  write_free_rows();
  TOPHAND_KILLPOINT("end_begins");
  auto ended = end_once(row);
  if (ended || ended.error().code == Code::kNotFound) return ended;
  free_.keep(std::move(row));
  ended.error().message += "; it is written as soon as the ledger takes it";
  return ended;
}

Result<> SqliteLedger::end_once(const RowEnd& row) {
  TOPHAND_TRY(before, "ledger", tables_.attempts.money(row.id));
  if (!before) return fail(Code::kNotFound, "ledger: no row " + std::to_string(row.id));
  if (before->state != "reserved") return {};  // it had ended before, and that stands
  return noted(end_row(row, *before));
}

// One that fails is tried again by the next call; so are those behind it, without waiting once
// more.
void SqliteLedger::write_kept_ends() {
  bool open = true;
  for (RowEnd& end : free_.take_kept()) {
    if (open) open = end_once(end).has_value();
    if (!open) free_.keep(std::move(end));
  }
}

Result<> SqliteLedger::end_row(const RowEnd& row, const Attempts::Money& before) {
  const bool costs = before.reserved > 0 || row.charged > 0;
  TOPHAND_TRY(transaction, "end", begin_transaction(costs ? Sync::kNow : Sync::kLater));
  TOPHAND_TRY(ended, "end", tables_.attempts.end(row));
  if (!ended) return {};
  TOPHAND_KILLPOINT("end_row");
  if (costs)
    TOPHAND_CHECK("end", tables_.balances.add(before.place, {.spent = row.charged,
                                                             .outstanding = -before.reserved}));
  TOPHAND_KILLPOINT("end_balances");
  TOPHAND_CHECK("end", tables_.journal.append(row.id, end_event(row, clock_.wall_ms())));
  TOPHAND_KILLPOINT("before_end_commit");
  TOPHAND_CHECK("end", transaction.commit());
  TOPHAND_KILLPOINT("after_end_commit");
  return {};
}

Result<> SqliteLedger::adjust(std::int64_t row_id, NanoUsd amount, const std::string& reason) {
  if (reason.empty()) return fail(Code::kInvalid, "adjust: say why");
  if (amount > kAmountMax || amount < -kAmountMax)
    return fail(Code::kInvalid, "adjust: by " + format_usd(amount));
  std::string why = reason;
  clean(why);
  const std::lock_guard guard(mutex_);
  write_free_rows();
  TOPHAND_TRY(row, "adjust", tables_.attempts.money(row_id));
  if (!row) return fail(Code::kNotFound, "adjust: no row " + std::to_string(row_id));
  if (row->state == "reserved")
    return fail(Code::kConflict, "adjust: row " + std::to_string(row_id) + " still runs");
  const NanoUsd cost = row->charged + row->adjusted;
  if (cost + amount < 0)
    return fail(Code::kInvalid, "adjust: row " + std::to_string(row_id) + " cost " +
                                    format_usd(cost) + ", less than what is to be taken off");
  TOPHAND_KILLPOINT("adjust_begins");
  TOPHAND_TRY(transaction, "adjust", begin_transaction(Sync::kNow));
  TOPHAND_CHECK("adjust", tables_.attempts.adjust(row_id, amount));
  TOPHAND_KILLPOINT("adjust_row");
  TOPHAND_CHECK("adjust", tables_.balances.add(row->place, {.spent = amount}));
  TOPHAND_CHECK("adjust", tables_.journal.append(
                              row_id, adjust_event(row_id, clock_.wall_ms(), amount, why)));
  TOPHAND_KILLPOINT("before_adjust_commit");
  TOPHAND_CHECK("adjust", transaction.commit());
  TOPHAND_KILLPOINT("after_adjust_commit");
  return {};
}

void SqliteLedger::write_batches() {
  // Requests go first: on few cores a batch of rows otherwise holds them up for milliseconds.
  ::setpriority(PRIO_PROCESS, 0, kBatchNiceness);
  while (free_.wait()) {
    std::this_thread::sleep_for(kBatchEvery);
    {
      const std::lock_guard guard(mutex_);
      write_free_rows();
      write_kept_ends();
    }
    if (!write_fault().empty()) free_.rest(kAgainAfter);
  }
}

void SqliteLedger::write_free_rows() {
  std::vector<FreeRows::Write> writes = free_.take();
  if (writes.empty()) return;
  const std::size_t count = writes.size();
  const auto written = noted(write(writes));
  if (written) return;
  const bool kept = free_.put_back(std::move(writes));
  log::error(kept ? "ledger.free_rows_wait" : "ledger.free_rows_lost",
             {{"rows", count}, {"error", written.error().message}});
}

Result<> SqliteLedger::write(const std::vector<FreeRows::Write>& writes) {
  TOPHAND_TRY(transaction, "ledger", begin_transaction(Sync::kLater));
  const std::int64_t now_ms = clock_.wall_ms();
  for (const FreeRows::Write& row : writes) {
    if (row.start) TOPHAND_CHECK("ledger", write_start(*row.start));
    TOPHAND_KILLPOINT("batch_row");
    if (!row.end) continue;
    TOPHAND_TRY(ended, "ledger", tables_.attempts.end(*row.end));
    if (ended)
      TOPHAND_CHECK("ledger", tables_.journal.append(row.end->id, end_event(*row.end, now_ms)));
  }
  TOPHAND_KILLPOINT("before_batch_commit");
  TOPHAND_CHECK("ledger", transaction.commit());
  TOPHAND_KILLPOINT("after_batch_commit");
  return {};
}

// A row that the table does not take (the attempt has one already; a value that its CHECKs refuse)
// must not hold up the others.
Result<> SqliteLedger::write_start(const RowStart& row) {
  const auto written = tables_.attempts.insert(row, price_version_);
  const Code code = written ? Code::kIo : written.error().code;
  if (code == Code::kConflict || code == Code::kBug) {
    log::error("ledger.row_refused",
               {{"request", row.start.request_id}, {"error", written.error().message}});
    return {};
  }
  if (!written) return written;
  return tables_.journal.append(row.id, reserve_event(row, price_version_));
}

// What was refused for a reason of its own (the budget, a row that is there) says nothing about the
// file.
Result<> SqliteLedger::noted(Result<> written) {
  const bool refused = !written && (written.error().code == Code::kBudget ||
                                    written.error().code == Code::kConflict);
  if (refused) return written;
  const std::lock_guard guard(fault_mutex_);
  fault_ = written ? std::string() : written.error().message;
  return written;
}

std::string SqliteLedger::write_fault() const {
  const std::lock_guard guard(fault_mutex_);
  return fault_;
}

Result<Totals> SqliteLedger::totals(std::int64_t since_ms) {
  const std::lock_guard guard(mutex_);
  write_free_rows();
  return tables_.attempts.totals(since_ms);
}

Result<Balance> SqliteLedger::spending(const Span& span) {
  const std::lock_guard guard(mutex_);  // rows that wait to be written have no money
  return tables_.attempts.spending(span);
}

Result<std::vector<Row>> SqliteLedger::rows(std::int64_t since_ms, std::int64_t limit) {
  const std::lock_guard guard(mutex_);
  write_free_rows();
  return tables_.attempts.rows(since_ms, std::clamp<std::int64_t>(limit, 0, kRowsMax));
}

Result<std::vector<Row>> SqliteLedger::rows_after(std::int64_t after_id, std::int64_t since_ms,
                                                  std::int64_t limit) {
  const std::lock_guard guard(mutex_);
  write_free_rows();
  return tables_.attempts.rows_after(after_id, since_ms,
                                     std::clamp<std::int64_t>(limit, 0, kRowsMax));
}

Result<std::vector<Row>> SqliteLedger::held_back_after(std::int64_t after_id, std::int64_t since_ms,
                                                       std::int64_t limit) {
  const std::lock_guard guard(mutex_);
  write_free_rows();
  return tables_.attempts.held_back_after(after_id, since_ms,
                                          std::clamp<std::int64_t>(limit, 0, kRowsMax));
}

Result<std::vector<Row>> SqliteLedger::rows_of(const std::string& request_id) {
  const std::lock_guard guard(mutex_);
  write_free_rows();
  return tables_.attempts.rows_of(request_id);
}

Result<Label> SqliteLedger::add_label(const Label& label) {
  const std::lock_guard guard(mutex_);
  write_free_rows();
  TOPHAND_CHECK("ledger", set_sync(Sync::kLater));
  return tables_.labels.add(db_, label, clock_.wall_ms());
}

Result<std::vector<Label>> SqliteLedger::labels_after(std::int64_t id, std::int64_t limit) {
  const std::lock_guard guard(mutex_);
  return tables_.labels.after(id, std::clamp<std::int64_t>(limit, 0, kRowsMax));
}

Result<> SqliteLedger::note_refusal(const Refusal& refusal) {
  if (refusal.request_id.empty() || refusal.error_code.empty())
    return fail(Code::kInvalid, "ledger: a refusal needs a request id and an error code");
  Refusal kept = refusal;
  for (std::string* text : texts_of(kept)) {
    if (text->size() > kRefusalTextBytesMax) text->resize(kRefusalTextBytesMax);
    clean(*text);
  }
  kept.at_ms = clock_.wall_ms();
  const std::lock_guard guard(mutex_);
  TOPHAND_CHECK("ledger", set_sync(Sync::kLater));
  return tables_.refusals.add(kept);
}

Result<std::optional<Refusal>> SqliteLedger::refusal_of(const std::string& request_id) {
  const std::lock_guard guard(mutex_);
  return tables_.refusals.find(request_id);
}

Result<std::int64_t> SqliteLedger::refusals_since(std::string_view error_code,
                                                  std::int64_t since_ms) {
  const std::lock_guard guard(mutex_);
  return tables_.refusals.count(error_code, since_ms);
}

Result<> SqliteLedger::put_state(const std::string& name, const std::string& value) {
  const std::lock_guard guard(mutex_);
  TOPHAND_CHECK("ledger", set_sync(Sync::kLater));
  return tables_.saved_state.put(name, value);
}

Result<std::string> SqliteLedger::get_state(const std::string& name) {
  const std::lock_guard guard(mutex_);
  return tables_.saved_state.get(name);
}

Result<std::vector<CapState>> SqliteLedger::cap_states() {
  const std::lock_guard guard(mutex_);
  const std::int64_t now_ms = clock_.wall_ms();
  TOPHAND_TRY(transaction, "caps", begin_transaction(Sync::kLater));
  TOPHAND_CHECK("caps", tables_.balances.open_windows(now_ms));
  TOPHAND_TRY(states, "caps", tables_.balances.states(limits_.caps, now_ms));
  TOPHAND_CHECK("caps", transaction.commit());
  return std::move(states);
}

Result<JournalHead> SqliteLedger::head() {
  const std::lock_guard guard(mutex_);
  write_free_rows();
  TOPHAND_CHECK("journal", tables_.journal.resume());
  return tables_.journal.head();
}

Result<Verdict> SqliteLedger::verify(const std::vector<PriceBook>& books,
                                     const std::optional<JournalHead>& expected) {
  {
    const std::lock_guard guard(mutex_);
    write_free_rows();
  }
  return verify_file(db_, mutex_, books, expected);
}

// What a crashed process left open: it may have been sent, so it stays charged in full.
Result<> recover(Db& db, Tables& tables, std::int64_t now_ms) {
  TOPHAND_TRY(transaction, "recover", Transaction::begin(db));
  TOPHAND_CHECK("recover", tables.journal.resume());
  TOPHAND_TRY(open, "recover", tables.attempts.open_rows());
  for (const std::int64_t id : open) {
    TOPHAND_TRY(row, "recover", tables.attempts.money(id));
    if (!row) return fail(Code::kBug, "recover: a row is gone");
    TOPHAND_CHECK("recover", tables.attempts.recover(id));
    TOPHAND_KILLPOINT("recover_row");
    if (row->reserved > 0)
      TOPHAND_CHECK("recover", tables.balances.add(row->place, {.spent = row->charged,
                                                                .outstanding = -row->reserved}));
    TOPHAND_CHECK("recover", tables.journal.append(id, recover_event(id, now_ms)));
  }
  TOPHAND_KILLPOINT("before_recover_commit");
  TOPHAND_CHECK("recover", transaction.commit());
  TOPHAND_KILLPOINT("after_recover_commit");
  if (!open.empty()) log::warn("ledger.recovered", {{"rows", open.size()}});
  return {};
}

}  // namespace

Result<std::unique_ptr<Ledger>> Ledger::open(const std::string& path, const Clock& clock,
                                             std::string price_version,
                                             std::optional<NanoUsd> week_cap) {
  const std::string step = "ledger " + path;
  TOPHAND_TRY(lock, step, FileLock::take(path + ".lock", kOtherProcessMs));
  TOPHAND_TRY(db, step, Db::open(path, kBusyMs));
  TOPHAND_CHECK(step, db.exec("PRAGMA journal_mode=WAL; PRAGMA synchronous=FULL; "
                              "PRAGMA trusted_schema=OFF"));
  TOPHAND_CHECK(step, migrate(db, clock.wall_ms()));
  TOPHAND_TRY(tables, step, prepare_all(db));
  TOPHAND_TRY(kept, step, kept_calendar(tables.saved_state));
  tables.balances.use(Calendar(), kept.since_ms > 0 ? INT64_MAX : 0);  // until the limits say it
  TOPHAND_CHECK(step, recover(db, tables, clock.wall_ms()));
  TOPHAND_TRY(last_id, step, db.query_integer("SELECT coalesce(max(id), 0) FROM attempts"));
  auto ledger = std::make_unique<SqliteLedger>(std::move(lock), std::move(db), std::move(tables),
                                               clock, std::move(price_version), last_id);
  if (week_cap) TOPHAND_CHECK(step, ledger->set_limits({{{.limit = *week_cap}}, false}));
  return ledger;
}

}  // namespace tophand::ledger

#include "ledger/attempts.h"

#include <array>
#include <utility>

#include "ledger/balances.h"

namespace tophand::ledger {
namespace {

constexpr std::array<std::string_view, 4> kOutcomes{"done", "partial", "failed", "cancelled"};

constexpr std::string_view kInsert = R"sql(
INSERT INTO attempts (request_id, attempt, state, week_ms, started_ms, key_id, dialect, task_class,
  priority, backend, model, model_asked, reason, price_version, reserved, charged, id, agent,
  persona, session, class_source, tier, purpose, arm, deferred_ms)
VALUES (?1, ?2, 'reserved', ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12, ?13, ?14, ?14, ?15, ?16, ?17,
  ?18, ?19, ?20, ?21, ?22, ?23))sql";

constexpr std::string_view kEnd = R"sql(
UPDATE attempts SET state = ?2, charged = ?3, counterfactual = ?4, input_tokens = ?5,
  cache_read = ?6, cache_write_5m = ?7, cache_write_1h = ?8, output_tokens = ?9, ttft_ms = ?10,
  duration_ms = ?11, outcome = ?12, error_code = ?13,
  reason = CASE WHEN ?14 = '' THEN reason ELSE reason || '; ' || ?14 END,
  counterfactual_floor = ?15, counterfactual_ceiling = ?16, energy = ?17, provider_key = ?18,
  gate = ?19, thinking_tokens = ?20, web_searches = ?21, batch = ?22, us_only = ?23,
  cost_basis = ?24, estimated_tokens = ?25, counterfactual_basis = ?26
WHERE id = ?1 AND state = 'reserved')sql";

constexpr std::string_view kRecover = "UPDATE attempts SET state = 'recovered' WHERE id = ?1";

constexpr std::string_view kAdjust = "UPDATE attempts SET adjusted = adjusted + ?2 WHERE id = ?1";

constexpr std::string_view kMoney =
    "SELECT state, key_id, agent, persona, session, model, backend, started_ms, reserved, charged, "
    "adjusted FROM attempts WHERE id = ?1";

constexpr std::string_view kOpen = "SELECT id FROM attempts WHERE state = 'reserved' ORDER BY id";

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
  coalesce(sum(charged + adjusted) FILTER (WHERE state <> 'reserved'), 0),
  coalesce(sum(charged) FILTER (WHERE state = 'reserved'), 0),
  coalesce(sum(counterfactual) FILTER (WHERE last AND backend <> 'claude' AND outcome = 'done'), 0)
FROM a)sql";

// As kTotals has it.
constexpr std::string_view kSpending =
    "SELECT coalesce(sum(charged + adjusted) FILTER (WHERE state <> 'reserved'), 0), "
    "coalesce(sum(charged) FILTER (WHERE state = 'reserved'), 0) "
    "FROM attempts WHERE started_ms >= ?1 AND started_ms < ?2";

constexpr std::string_view kColumns =
    "id, request_id, attempt, state, key_id, dialect, task_class, priority, backend, model, "
    "model_asked, reason, outcome, price_version, error_code, agent, persona, session, "
    "class_source, tier, purpose, arm, provider_key, gate, cost_basis, started_ms, ttft_ms, "
    "duration_ms, "
    "input_tokens, cache_read, cache_write_5m, cache_write_1h, output_tokens, thinking_tokens, "
    "web_searches, reserved, charged + adjusted, adjusted, "
    "counterfactual, counterfactual_floor, counterfactual_ceiling, energy, deferred_ms, "
    "estimated_tokens, batch, us_only, counterfactual_basis";

std::string rows_since() {
  return "SELECT * FROM (SELECT " + std::string(kColumns) +
         " FROM attempts WHERE started_ms >= ?1 ORDER BY id DESC LIMIT ?2) ORDER BY id";
}
std::string rows_in_pages() {
  return "SELECT " + std::string(kColumns) +
         " FROM attempts WHERE id > ?1 AND started_ms >= ?2 ORDER BY id LIMIT ?3";
}
std::string rows_held_back() {
  return "SELECT " + std::string(kColumns) +
         " FROM attempts WHERE id > ?1 AND started_ms >= ?2 AND "
         "(deferred_ms > 0 OR instr(reason, 'budget: ') > 0) ORDER BY id LIMIT ?3";
}
std::string rows_of_request() {
  return "SELECT " + std::string(kColumns) +
         " FROM attempts WHERE request_id = ?1 ORDER BY attempt";
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
        &row.gate,          &row.cost_basis})
    *text = from.text(column++);
  for (std::int64_t* number :
       {&row.started_ms, &row.ttft_ms, &row.duration_ms, &row.tokens.input, &row.tokens.cache_read,
        &row.tokens.cache_write_5m, &row.tokens.cache_write_1h, &row.tokens.output,
        &row.tokens.thinking, &row.tokens.web_searches, &row.reserved, &row.cost, &row.adjusted,
        &row.counterfactual, &row.counterfactual_floor, &row.counterfactual_ceiling, &row.energy,
        &row.deferred_ms, &row.estimated_tokens})
    *number = from.integer(column++);
  row.terms = {from.integer(column) != 0, from.integer(column + 1) != 0};
  row.counterfactual_basis = from.text(column + 2);
  return row;
}

Result<std::vector<Row>> read_rows(Stmt& query) {
  std::vector<Row> out;
  Result<bool> row = query.step();
  for (; row && *row; row = query.step()) out.push_back(read_row(query));
  query.reset();
  if (!row) return tl::unexpected(row.error());
  return out;
}

}  // namespace

std::string_view outcome_name(AttemptEnd::Outcome outcome) {
  return kOutcomes.at(static_cast<std::size_t>(outcome));
}

std::string_view basis_of(const RowEnd& row) {
  if (row.charged == 0) return "";
  return row.end.cost_is_exact ? "usage" : "bound";
}

Result<Attempts> Attempts::prepare(Db& db) {
  Attempts out;
  const std::string since = rows_since(), pages = rows_in_pages(), of_request = rows_of_request(),
                    held_back = rows_held_back();
  const std::array<std::pair<Stmt*, std::string_view>, 12> list{{{&out.insert_, kInsert},
                                                                 {&out.end_, kEnd},
                                                                 {&out.recover_, kRecover},
                                                                 {&out.adjust_, kAdjust},
                                                                 {&out.money_, kMoney},
                                                                 {&out.open_, kOpen},
                                                                 {&out.totals_, kTotals},
                                                                 {&out.rows_, since},
                                                                 {&out.rows_after_, pages},
                                                                 {&out.rows_of_, of_request},
                                                                 {&out.spending_, kSpending},
                                                                 {&out.held_back_, held_back}}};
  for (const auto& [statement, sql] : list) {
    TOPHAND_TRY(prepared, "prepare", db.prepare(sql));
    *statement = std::move(prepared);
  }
  return out;
}

Result<> Attempts::insert(const RowStart& row, std::string_view price_version) {
  const AttemptStart& start = row.start;
  insert_.bind(1, start.request_id).bind(2, start.attempt).bind(3, row.week_ms);
  insert_.bind(4, row.started_ms).bind(5, start.key_id).bind(6, start.dialect);
  insert_.bind(7, start.task_class).bind(8, start.priority).bind(9, start.backend);
  insert_.bind(10, start.model).bind(11, start.model_asked).bind(12, start.reason);
  insert_.bind(13, price_version).bind(14, start.reserved).bind(15, row.id);
  insert_.bind(16, start.agent).bind(17, start.persona).bind(18, start.session);
  insert_.bind(19, start.class_source).bind(20, start.tier).bind(21, start.purpose);
  insert_.bind(22, start.arm).bind(23, start.deferred_ms);
  return insert_.run();
}

Result<bool> Attempts::end(const RowEnd& row) {
  const AttemptEnd& end = row.end;
  const TokenCounts& tokens = end.tokens;
  end_.bind(1, row.id).bind(2, row.state).bind(3, row.charged).bind(4, end.counterfactual);
  end_.bind(5, tokens.input).bind(6, tokens.cache_read).bind(7, tokens.cache_write_5m);
  end_.bind(8, tokens.cache_write_1h).bind(9, tokens.output).bind(10, end.ttft_ms);
  end_.bind(11, end.duration_ms).bind(12, outcome_name(end.outcome));
  end_.bind(13, end.error_code).bind(14, end.note);
  end_.bind(15, end.counterfactual_floor).bind(16, end.counterfactual_ceiling);
  end_.bind(17, end.energy).bind(18, end.provider_key).bind(19, end.gate);
  end_.bind(20, tokens.thinking).bind(21, tokens.web_searches);
  end_.bind(22, static_cast<std::int64_t>(end.terms.batch));
  end_.bind(23, static_cast<std::int64_t>(end.terms.us_only)).bind(24, basis_of(row));
  end_.bind(25, end.estimated_tokens).bind(26, end.counterfactual_basis);
  // RETURNING would tell it too, but costs more than the rest: SQLite makes a trigger of it.
  TOPHAND_CHECK("end", end_.run());
  return end_.changed_rows() > 0;
}

Result<> Attempts::recover(std::int64_t id) {
  return recover_.bind(1, id).run();
}

Result<> Attempts::adjust(std::int64_t id, NanoUsd amount) {
  return adjust_.bind(1, id).bind(2, amount).run();
}

Result<std::optional<Attempts::Money>> Attempts::money(std::int64_t id) {
  const Result<bool> row = money_.bind(1, id).step();
  std::optional<Money> out;
  if (row && *row) {
    AttemptStart start;
    int column = 1;
    for (std::string* text : {&start.key_id, &start.agent, &start.persona, &start.session,
                              &start.model, &start.backend})
      *text = money_.text(column++);
    out = Money{money_.text(0), place_of(start, money_.integer(7)), money_.integer(8),
                money_.integer(9), money_.integer(10)};
  }
  money_.reset();
  if (!row) return tl::unexpected(row.error());
  return out;
}

Result<std::vector<std::int64_t>> Attempts::open_rows() {
  std::vector<std::int64_t> out;
  Result<bool> row = open_.step();
  for (; row && *row; row = open_.step()) out.push_back(open_.integer(0));
  open_.reset();
  if (!row) return tl::unexpected(row.error());
  return out;
}

Result<Totals> Attempts::totals(std::int64_t since_ms) {
  const Result<bool> row = totals_.bind(1, since_ms).step();
  Totals out;
  if (row && *row) {
    int column = 0;
    for (std::int64_t* number :
         {&out.requests, &out.local_requests, &out.claude_requests, &out.failed,
          &out.local_input_tokens, &out.local_output_tokens, &out.claude_input_tokens,
          &out.claude_output_tokens, &out.spent, &out.outstanding, &out.counterfactual})
      *number = totals_.integer(column++);
  }
  totals_.reset();
  if (!row) return tl::unexpected(row.error());
  return out;
}

Result<std::vector<Row>> Attempts::rows(std::int64_t since_ms, std::int64_t limit) {
  return read_rows(rows_.bind(1, since_ms).bind(2, limit));
}

Result<std::vector<Row>> Attempts::rows_after(std::int64_t after_id, std::int64_t since_ms,
                                              std::int64_t limit) {
  return read_rows(rows_after_.bind(1, after_id).bind(2, since_ms).bind(3, limit));
}

Result<Balance> Attempts::spending(const Span& span) {
  const Result<bool> row = spending_.bind(1, span.start_ms).bind(2, span.end_ms).step();
  Balance out;
  if (row && *row) out = {.spent = spending_.integer(0), .outstanding = spending_.integer(1)};
  spending_.reset();
  if (!row) return tl::unexpected(row.error());
  return out;
}

Result<std::vector<Row>> Attempts::held_back_after(std::int64_t after_id, std::int64_t since_ms,
                                                   std::int64_t limit) {
  return read_rows(held_back_.bind(1, after_id).bind(2, since_ms).bind(3, limit));
}

Result<std::vector<Row>> Attempts::rows_of(const std::string& request_id) {
  return read_rows(rows_of_.bind(1, request_id));
}

}  // namespace tophand::ledger

#include "ledger/verify.h"

#include <algorithm>
#include <map>
#include <string>
#include <utility>
#include <variant>

#include "base/checked.h"
#include "base/json.h"
#include "ledger/balances.h"
#include "ledger/journal.h"

namespace tophand::ledger {
namespace {

// How much is looked at before others may have the ledger again: some milliseconds.
constexpr std::int64_t kSlice = 200;
constexpr std::int64_t kWeekMsMost = 8 * 86'400'000LL;  // whatever clocks do in it

constexpr std::string_view kChain =
    "SELECT seq, row_id, event, hash FROM journal WHERE seq > ?1 ORDER BY seq LIMIT ?2";
constexpr std::string_view kRows = "SELECT * FROM attempts WHERE id > ?1 ORDER BY id LIMIT ?2";
constexpr std::string_view kEvents =
    "SELECT seq, event FROM journal WHERE row_id = ?1 ORDER BY seq";
constexpr std::string_view kLostRow =
    "SELECT row_id, seq FROM journal WHERE row_id NOT IN (SELECT id FROM attempts) "
    "ORDER BY seq LIMIT 1";
constexpr std::string_view kTwice =
    "SELECT max(id), request_id FROM attempts GROUP BY request_id, attempt HAVING count(*) > 1 "
    "LIMIT 1";
constexpr std::string_view kBalances =
    "SELECT scope, name, period, start_ms, end_ms, spent, outstanding FROM balances";
// No window is longer than eight days, but for `ever`.
constexpr std::string_view kUncounted =
    "SELECT id, p FROM attempts, (SELECT 'week' AS p UNION SELECT 'day' UNION SELECT 'ever') "
    "WHERE (reserved > 0 OR charged > 0 OR adjusted <> 0) AND NOT EXISTS (SELECT 1 FROM balances "
    "WHERE scope = 'team' AND name = '' AND period = p AND start_ms > "
    "iif(p = 'ever', -1, started_ms - 691200000) AND start_ms <= started_ms AND "
    "end_ms > started_ms) LIMIT 1";

using Value = std::variant<std::int64_t, std::string>;
using Columns = std::map<std::string, Value>;

std::int64_t number(const Columns& columns, const std::string& name) {
  const auto found = columns.find(name);
  const auto* value = found == columns.end() ? nullptr : std::get_if<std::int64_t>(&found->second);
  return value == nullptr ? 0 : *value;
}
std::string text(const Columns& columns, const std::string& name) {
  const auto found = columns.find(name);
  const auto* value = found == columns.end() ? nullptr : std::get_if<std::string>(&found->second);
  return value == nullptr ? "" : *value;
}

std::string shown(const Value& value) {
  const auto* number = std::get_if<std::int64_t>(&value);
  return number != nullptr ? std::to_string(*number) : "'" + std::get<std::string>(value) + "'";
}

bool is_default(const Value& value) {
  const auto* number = std::get_if<std::int64_t>(&value);
  return number != nullptr ? *number == 0 : std::get<std::string>(value).empty();
}

// One row as its events make it. Each step says what cannot be, or "".
class Replay {
 public:
  std::string apply(const std::string& event) {
    const auto json = parse_json(event);
    if (!json || !json->is_object()) return "the event is no JSON object";
    const std::string_view kind = string_or(*json, "event", "");
    if (kind == "import" || kind == "reserve") return create(*json, kind);
    if (!exists_) return "the row's first event is \"" + std::string(kind) + "\"";
    if (kind == "adjust") return adjust(*json);
    if (text(columns_, "state") != "reserved")
      return "\"" + std::string(kind) + "\" of a row that had ended";
    if (kind == "recover") columns_["state"] = "recovered";
    else if (kind == "settle" || kind == "release") end(*json, kind);
    else return "an unknown event, \"" + std::string(kind) + "\"";
    return "";
  }

  bool exists() const { return exists_; }
  bool imported() const { return imported_; }
  const Columns& columns() const { return columns_; }

 private:
  void take(const Json& json, std::initializer_list<std::string_view> but) {
    for (const auto& [key, value] : json.items()) {
      if (key == "event" || key == "row" || key == "at_ms") continue;
      if (std::ranges::find(but, key) != but.end()) continue;
      if (value.is_number_integer()) columns_[key] = value.get<std::int64_t>();
      else if (value.is_string()) columns_[key] = value.get<std::string>();
    }
  }

  std::string create(const Json& json, std::string_view kind) {
    if (exists_) return "a second beginning of the row";
    exists_ = true;
    imported_ = kind == "import";
    take(json, {});
    if (imported_) return "";
    columns_["state"] = "reserved";
    columns_["charged"] = number(columns_, "reserved");
    return "";
  }

  void end(const Json& json, std::string_view kind) {
    columns_["state"] = kind == "settle" ? "settled" : "released";
    columns_["charged"] = std::int64_t{0};
    take(json, {"note"});
    if (const auto note = string_or(json, "note", ""); !note.empty())
      columns_["reason"] = text(columns_, "reason") + "; " + std::string(note);
  }

  std::string adjust(const Json& json) {
    if (text(columns_, "state") == "reserved") return "an adjustment of a row that still runs";
    if (string_or(json, "reason", "").empty()) return "an adjustment without a reason";
    columns_["adjusted"] = number(columns_, "adjusted") + int_or(json, "amount", 0);
    return "";
  }

  bool exists_ = false, imported_ = false;
  Columns columns_;
};

Columns read_columns(const Stmt& row) {
  Columns out;
  for (int column = 0; column < row.columns(); ++column) {
    if (row.is_integer(column)) out[row.name(column)] = row.integer(column);
    else out[row.name(column)] = row.text(column);
  }
  return out;
}

TokenCounts tokens_of(const Columns& row) {
  return {.input = number(row, "input_tokens"),
          .cache_read = number(row, "cache_read"),
          .cache_write_5m = number(row, "cache_write_5m"),
          .cache_write_1h = number(row, "cache_write_1h"),
          .output = number(row, "output_tokens"),
          .thinking = number(row, "thinking_tokens"),
          .web_searches = number(row, "web_searches")};
}

class Verifier {
 public:
  Verifier(Db& db, std::mutex& mutex, const std::vector<PriceBook>& books,
           const std::optional<JournalHead>& expected)
      : db_(db), mutex_(mutex), books_(books), expected_(expected) {}

  Result<Verdict> run() {
    verdict_.head = {0, std::string(kNoHash)};
    using Pass = Result<> (Verifier::*)();
    for (const Pass pass :
         {&Verifier::chain, &Verifier::rows, &Verifier::lost_and_doubled, &Verifier::balances}) {
      TOPHAND_CHECK("verify", (this->*pass)());
      if (verdict_.fault) break;
    }
    return std::move(verdict_);
  }

 private:
  void fault(std::int64_t row_id, std::int64_t seq, std::string what) {
    if (!verdict_.fault) verdict_.fault = Fault{row_id, seq, std::move(what)};
  }

  Result<> chain();
  void link(const Stmt& event);
  Result<> rows();
  Result<> row(const Columns& columns);
  Result<Replay> replay(std::int64_t row_id);
  void compare(std::int64_t row_id, const Columns& row, const Columns& events);
  void money(std::int64_t row_id, const Columns& row, bool imported);
  void price(std::int64_t row_id, const Columns& row);
  Result<> lost_and_doubled();
  Result<> balances();
  Result<std::optional<Columns>> first(const std::string& sql);

  Db& db_;
  std::mutex& mutex_;
  const std::vector<PriceBook>& books_;
  const std::optional<JournalHead>& expected_;
  Verdict verdict_;
};

Result<> Verifier::chain() {
  // No event has number 0, so link() never meets such a head.
  if (expected_ && expected_->seq == 0 && expected_->hash != kNoHash)
    fault(0, 0, "the head that was kept is of an empty journal, of which the hash is all zeros");
  for (bool more = true; more && !verdict_.fault;) {
    const std::lock_guard guard(mutex_);
    TOPHAND_TRY(events, "chain", db_.prepare(kChain));
    events.bind(1, verdict_.head.seq).bind(2, kSlice);
    Result<bool> event = events.step();
    more = event && *event;
    for (; event && *event && !verdict_.fault; event = events.step()) link(events);
    if (!event) return tl::unexpected(event.error());
  }
  if (!verdict_.fault && expected_ && expected_->seq > verdict_.head.seq)
    fault(0, verdict_.head.seq,
          "the journal ends here; the head that was kept is event " +
              std::to_string(expected_->seq) + ": what came between is gone");
  return {};
}

void Verifier::link(const Stmt& event) {
  const JournalHead& before = verdict_.head;
  const std::int64_t seq = event.integer(0), row_id = event.integer(1);
  const std::string bytes = event.text(2), hash = event.text(3);
  if (seq != before.seq + 1)
    return fault(row_id, seq, "event " + std::to_string(before.seq + 1) + " is missing before it");
  if (chained(before.hash, bytes) != hash)
    return fault(row_id, seq, "its hash is not that of the event and the hash before it");
  const auto json = parse_json(bytes);
  if (!json || int_or(*json, "row", 0) != row_id)
    return fault(row_id, seq, "the event is about another row");
  if (expected_ && expected_->seq == seq && expected_->hash != hash)
    return fault(row_id, seq, "the head that was kept has another hash: the journal was rewritten");
  verdict_.head = {seq, hash};
  ++verdict_.events;
}

Result<> Verifier::rows() {
  std::int64_t last_id = 0;
  for (bool more = true; more && !verdict_.fault;) {
    const std::lock_guard guard(mutex_);
    TOPHAND_TRY(rows, "rows", db_.prepare(kRows));
    rows.bind(1, last_id).bind(2, kSlice);
    Result<bool> next = rows.step();
    more = next && *next;
    for (; next && *next && !verdict_.fault; next = rows.step()) {
      last_id = rows.integer(0);
      TOPHAND_CHECK("rows", row(read_columns(rows)));
    }
    if (!next) return tl::unexpected(next.error());
  }
  return {};
}

Result<> Verifier::row(const Columns& columns) {
  const std::int64_t id = number(columns, "id");
  TOPHAND_TRY(replayed, "row", replay(id));
  if (verdict_.fault) return {};
  if (!replayed.exists()) {
    fault(id, 0, "no event of the journal is about this row");
    return {};
  }
  compare(id, columns, replayed.columns());
  if (!verdict_.fault) money(id, columns, replayed.imported());
  ++verdict_.rows;
  return {};
}

Result<Replay> Verifier::replay(std::int64_t row_id) {
  Replay out;
  TOPHAND_TRY(events, "events", db_.prepare(kEvents));
  Result<bool> event = events.bind(1, row_id).step();
  for (; event && *event; event = events.step()) {
    const std::string wrong = out.apply(events.text(1));
    if (wrong.empty()) continue;
    fault(row_id, events.integer(0), wrong);
    return out;
  }
  if (!event) return tl::unexpected(event.error());
  return out;
}

// Every column must be what the events say; what they leave out is empty or zero.
void Verifier::compare(std::int64_t row_id, const Columns& row, const Columns& events) {
  for (const auto& [name, value] : row) {
    if (name == "id") continue;
    const auto said = events.find(name);
    const bool same = said == events.end() ? is_default(value) : said->second == value;
    if (!same)
      return fault(row_id, 0,
                   name + " is " + shown(value) + ", the journal says " +
                       (said == events.end() ? "nothing of it" : shown(said->second)));
  }
  for (const auto& [name, value] : events)
    if (!row.contains(name))
      return fault(row_id, 0, "the journal sets a column that is not there: " + name);
}

void Verifier::money(std::int64_t row_id, const Columns& row, bool imported) {
  const std::string state = text(row, "state"), basis = text(row, "cost_basis");
  const NanoUsd reserved = number(row, "reserved"), charged = number(row, "charged");
  const std::int64_t into_week_ms = number(row, "started_ms") - number(row, "week_ms");
  if (into_week_ms < 0 || into_week_ms >= kWeekMsMost)
    return fault(row_id, 0, "it counts for another week than that in which it began");
  if (const NanoUsd adjusted = number(row, "adjusted"); adjusted != 0) {
    ++verdict_.adjusted;
    verdict_.adjusted_nano_usd =
        checked_add(verdict_.adjusted_nano_usd, adjusted).value_or(INT64_MAX);
  }
  if (state == "released" && charged != 0) return fault(row_id, 0, "released, but charged");
  if (state == "recovered" && charged != reserved)
    return fault(row_id, 0, "recovered, but not charged what it had reserved");
  if (charged + number(row, "adjusted") < 0) return fault(row_id, 0, "it costs less than nothing");
  if (state != "settled" || charged == 0) return;
  if (basis == "usage") return price(row_id, row);
  if (basis == "bound") {
    ++verdict_.bounds;
    if (charged > reserved) fault(row_id, 0, "a bound is charged that is above the reservation");
    return;
  }
  if (!imported) return fault(row_id, 0, "charged, but it does not say by what");
  ++verdict_.unpriced;
}

void Verifier::price(std::int64_t row_id, const Columns& row) {
  const std::string version = text(row, "price_version");
  const auto book = std::ranges::find(books_, version, &PriceBook::version);
  if (book == books_.end()) {
    ++verdict_.unpriced;
    return;
  }
  ++verdict_.priced;
  const Terms terms{number(row, "batch") != 0, number(row, "us_only") != 0};
  const auto cost = book->cost(text(row, "model"), tokens_of(row), terms);
  const NanoUsd charged = number(row, "charged");
  if (!cost) return fault(row_id, 0, "it cannot be priced: " + cost.error().message);
  if (*cost != charged)
    fault(row_id, 0,
          "charged " + std::to_string(charged) + " nano-dollars, but its tokens cost " +
              std::to_string(*cost) + " by prices " + version);
}

Result<std::optional<Columns>> Verifier::first(const std::string& sql) {
  const std::lock_guard guard(mutex_);
  TOPHAND_TRY(query, "query", db_.prepare(sql));
  TOPHAND_TRY(found, "query", query.step());
  if (!found) return std::optional<Columns>();
  return std::optional(read_columns(query));
}

Result<> Verifier::lost_and_doubled() {
  TOPHAND_TRY(lost, "rows", first(std::string(kLostRow)));
  if (lost)
    fault(number(*lost, "row_id"), number(*lost, "seq"),
          "the journal tells of a row that is not in the table");
  TOPHAND_TRY(twice, "rows", first(std::string(kTwice)));
  if (twice)
    fault(number(*twice, "max(id)"), 0,
          "another row is about the same attempt of request " + text(*twice, "request_id"));
  return {};
}

Result<> Verifier::balances() {
  const std::string want = "SELECT * FROM (" + balances_of_rows_sql() + ")";
  const std::string have = std::string(kBalances);
  const auto what = [](const Columns& sum) {
    const std::string name = text(sum, "name");
    return "the balance of " + text(sum, "scope") + (name.empty() ? "" : " " + name) + ", " +
           text(sum, "period") + " from " + std::to_string(number(sum, "start_ms"));
  };
  TOPHAND_TRY(missing, "balances", first(want + " EXCEPT " + have));
  if (missing)
    fault(0, 0,
          what(*missing) + " should be " + std::to_string(number(*missing, "spent")) + " spent, " +
              std::to_string(number(*missing, "outstanding")) + " outstanding, by the rows");
  TOPHAND_TRY(surplus, "balances",
              first(have + " WHERE spent <> 0 OR outstanding <> 0 EXCEPT " + want));
  if (surplus) fault(0, 0, what(*surplus) + " is of no row");
  TOPHAND_TRY(uncounted, "balances", first(std::string(kUncounted)));
  if (uncounted) fault(number(*uncounted, "id"), 0, "it counts in no " + text(*uncounted, "p"));
  const std::lock_guard guard(mutex_);
  TOPHAND_TRY(count, "balances", db_.query_integer("SELECT count(*) FROM balances"));
  verdict_.balances = count;
  return {};
}

}  // namespace

Result<Verdict> verify_file(Db& db, std::mutex& mutex, const std::vector<PriceBook>& books,
                            const std::optional<JournalHead>& expected) {
  return Verifier(db, mutex, books, expected).run();
}

}  // namespace tophand::ledger

#include "ledger/journal.h"

#include <openssl/sha.h>

#include <array>
#include <charconv>
#include <span>
#include <utility>

#include "base/hex.h"
#include "base/json_text.h"

namespace tophand::ledger {
namespace {

class Event {
 public:
  Event(std::string_view kind, std::int64_t row_id, std::int64_t at_ms) {
    constexpr std::size_t kUsualBytes = 1024;
    text_.reserve(kUsualBytes);
    json_.open('{').key("event").string(kind).key("row").number(row_id);
    json_.key("at_ms").number(at_ms);
  }
  Event(const Event&) = delete;
  Event& operator=(const Event&) = delete;

  Event& set(std::string_view column, std::string_view text) {
    if (!text.empty()) json_.key(column).string(text);
    return *this;
  }
  Event& set(std::string_view column, std::int64_t number) {
    if (number != 0) json_.key(column).number(number);
    return *this;
  }
  std::string text() {  // once
    json_.close('}');
    return std::move(text_);
  }

 private:
  std::string text_;
  JsonText json_{text_};
};

bool is_hash(std::string_view text) {
  return text.size() == kNoHash.size() &&
         text.find_first_not_of("0123456789abcdef") == std::string_view::npos;
}

}  // namespace

std::string chained(std::string_view hash_before, std::string_view event) {
  std::array<unsigned char, SHA256_DIGEST_LENGTH> digest{};
  const std::string bytes = std::string(hash_before) + std::string(event);
  SHA256(reinterpret_cast<const unsigned char*>(bytes.data()), bytes.size(), digest.data());
  return to_hex(digest);
}

std::string reserve_event(const RowStart& row, std::string_view price_version) {
  const AttemptStart& start = row.start;
  return Event("reserve", row.id, row.started_ms)
      .set("request_id", start.request_id)
      .set("attempt", start.attempt)
      .set("week_ms", row.week_ms)
      .set("started_ms", row.started_ms)
      .set("key_id", start.key_id)
      .set("dialect", start.dialect)
      .set("task_class", start.task_class)
      .set("priority", start.priority)
      .set("backend", start.backend)
      .set("model", start.model)
      .set("model_asked", start.model_asked)
      .set("reason", start.reason)
      .set("price_version", price_version)
      .set("reserved", start.reserved)
      .set("agent", start.agent)
      .set("persona", start.persona)
      .set("session", start.session)
      .set("class_source", start.class_source)
      .set("tier", start.tier)
      .set("purpose", start.purpose)
      .set("arm", start.arm)
      .set("deferred_ms", start.deferred_ms)
      .text();
}

std::string end_event(const RowEnd& row, std::int64_t at_ms) {
  const AttemptEnd& end = row.end;
  return Event(row.state == "released" ? "release" : "settle", row.id, at_ms)
      .set("charged", row.charged)
      .set("cost_basis", basis_of(row))
      .set("outcome", outcome_name(end.outcome))
      .set("input_tokens", end.tokens.input)
      .set("cache_read", end.tokens.cache_read)
      .set("cache_write_5m", end.tokens.cache_write_5m)
      .set("cache_write_1h", end.tokens.cache_write_1h)
      .set("output_tokens", end.tokens.output)
      .set("thinking_tokens", end.tokens.thinking)
      .set("web_searches", end.tokens.web_searches)
      .set("batch", end.terms.batch ? 1 : 0)
      .set("us_only", end.terms.us_only ? 1 : 0)
      .set("counterfactual", end.counterfactual)
      .set("counterfactual_floor", end.counterfactual_floor)
      .set("counterfactual_ceiling", end.counterfactual_ceiling)
      .set("counterfactual_basis", end.counterfactual_basis)
      .set("estimated_tokens", end.estimated_tokens)
      .set("energy", end.energy)
      .set("provider_key", end.provider_key)
      .set("gate", end.gate)
      .set("ttft_ms", end.ttft_ms)
      .set("duration_ms", end.duration_ms)
      .set("error_code", end.error_code)
      .set("note", end.note)
      .text();
}

std::string recover_event(std::int64_t row_id, std::int64_t at_ms) {
  return Event("recover", row_id, at_ms).text();
}

std::string adjust_event(std::int64_t row_id, std::int64_t at_ms, std::int64_t amount,
                         std::string_view reason) {
  return Event("adjust", row_id, at_ms).set("amount", amount).set("reason", reason).text();
}

Result<Journal> Journal::prepare(Db& db) {
  Journal out;
  TOPHAND_TRY(last, "prepare",
              db.prepare("SELECT seq, hash FROM journal ORDER BY seq DESC LIMIT 1"));
  TOPHAND_TRY(append, "prepare",
              db.prepare("INSERT INTO journal (seq, row_id, event, hash) VALUES (?1, ?2, ?3, ?4)"));
  out.last_ = std::move(last);
  out.append_ = std::move(append);
  return out;
}

Result<> Journal::resume() {
  const Result<bool> row = last_.step();
  if (row && *row) head_ = {last_.integer(0), last_.text(1)};
  else head_ = {0, std::string(kNoHash)};
  last_.reset();
  if (!row) return tl::unexpected(row.error());
  return {};
}

Result<> Journal::append(std::int64_t row_id, std::string_view event) {
  JournalHead next{head_.seq + 1, chained(head_.hash, event)};
  append_.bind(1, next.seq).bind(2, row_id).bind(3, event).bind(4, next.hash);
  TOPHAND_CHECK("journal", append_.run());
  head_ = std::move(next);
  return {};
}

Result<> import_rows(Db& db, Journal& journal, std::int64_t at_ms) {
  TOPHAND_TRY(rows, "import", db.prepare("SELECT * FROM attempts ORDER BY id"));
  TOPHAND_CHECK("import", journal.resume());
  Result<bool> row = rows.step();
  for (; row && *row; row = rows.step()) {
    Event event("import", rows.integer(0), at_ms);
    for (int column = 1; column < rows.columns(); ++column) {
      const std::string name = rows.name(column);
      if (rows.is_integer(column)) event.set(name, rows.integer(column));
      else event.set(name, rows.text(column));
    }
    TOPHAND_CHECK("import", journal.append(rows.integer(0), event.text()));
  }
  if (!row) return tl::unexpected(row.error());
  return {};
}

std::string format_head(const JournalHead& head) {
  return std::to_string(head.seq) + ":" + head.hash;
}

std::optional<JournalHead> parse_head(const std::string& text) {
  const std::size_t colon = text.find(':');
  if (colon == std::string::npos) return std::nullopt;
  JournalHead head{0, text.substr(colon + 1)};
  const auto [end, error] = std::from_chars(text.data(), text.data() + colon, head.seq);
  if (error != std::errc() || end != text.data() + colon || head.seq < 0) return std::nullopt;
  if (!is_hash(head.hash)) return std::nullopt;
  return head;
}

}  // namespace tophand::ledger

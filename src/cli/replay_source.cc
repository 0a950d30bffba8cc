#include "cli/replay_source.h"

#include <array>
#include <filesystem>
#include <fstream>
#include <utility>

#include "base/clock.h"
#include "base/json.h"
#include "cli/ledger_copy.h"
#include "cli/text_input.h"
#include "steering/replay.h"

namespace tophand::cli {
namespace {

constexpr std::size_t kRowsMax = 1'000'000;
constexpr std::int64_t kPageRows = 5000;
constexpr std::string_view kSqlite = "SQLite format 3";

Result<std::vector<ledger::Row>> read_ledger(const std::string& path, std::int64_t since_ms) {
  TOPHAND_TRY(copy, "ledger", LedgerCopy::of(path));
  TOPHAND_TRY(opened, path, ledger::Ledger::open(copy.path(), system_clock(), "", {}));
  std::vector<ledger::Row> rows;
  for (std::int64_t last = 0;;) {
    TOPHAND_TRY(page, path, opened->rows_after(last, since_ms, kPageRows));
    if (page.empty()) return rows;
    last = page.back().id;
    rows.insert(rows.end(), std::make_move_iterator(page.begin()),
                std::make_move_iterator(page.end()));
    if (rows.size() > kRowsMax)
      return fail(Code::kTooLarge, "more than a million rows: give --since");
  }
}

std::string text_of(const Json& row, const char* key) {
  return std::string(string_or(row, key, ""));
}

// Far beyond what there is, and so little that a million rows add up.
struct Number {
  const char* key;
  std::int64_t fallback, max;
};
constexpr std::array kNumbers{
    Number{"started_ms", -1, 253'402'300'799'999},  // the end of the year 9999
    Number{"input_tokens", -1, 100'000'000},
    Number{"output_tokens", -1, 100'000'000},
    Number{"cost_nano_usd", 0, 1'000'000'000'000},  // a thousand dollars
    // Of input_tokens, and how Claude would have counted a local model's prompt.
    Number{"cache_read_tokens", 0, 100'000'000},
    Number{"cache_write_5m_tokens", 0, 100'000'000},
    Number{"cache_write_1h_tokens", 0, 100'000'000},
    Number{"web_searches", 0, 100'000},
    Number{"estimated_tokens", 0, 100'000'000},
};

Result<ledger::Row> row_of(const Json& json, std::size_t line) {
  ledger::Row row;
  for (const Number& number : kNumbers) {
    const std::int64_t value = int_or(json, number.key, number.fallback);
    if (value < 0 || value > number.max)
      return fail(Code::kInvalid, std::string(number.key) + ": expected a whole number, 0 to " +
                                      std::to_string(number.max));
  }
  for (const char* key : {"backend", "model"})
    if (text_of(json, key).empty())
      return fail(Code::kInvalid, std::string(key) + ": expected a text");
  row.request_id = text_of(json, "request_id");
  if (row.request_id.empty()) row.request_id = "line " + std::to_string(line);
  row.started_ms = int_or(json, "started_ms", 0);
  row.tokens.cache_read = int_or(json, "cache_read_tokens", 0);
  row.tokens.cache_write_5m = int_or(json, "cache_write_5m_tokens", 0);
  row.tokens.cache_write_1h = int_or(json, "cache_write_1h_tokens", 0);
  row.tokens.input = int_or(json, "input_tokens", 0) - row.tokens.cache_read -
                     row.tokens.cache_write_5m - row.tokens.cache_write_1h;
  if (row.tokens.input < 0)
    return fail(Code::kInvalid, "input_tokens: expected those of the cache to be among them");
  row.tokens.output = int_or(json, "output_tokens", 0);
  row.tokens.web_searches = int_or(json, "web_searches", 0);
  row.estimated_tokens = int_or(json, "estimated_tokens", 0);
  row.terms = {.batch = bool_or(json, "batch", false), .us_only = bool_or(json, "us_only", false)};
  row.cost = int_or(json, "cost_nano_usd", steering::kCostNotSaid);
  struct Text {
    const char* key;
    std::string& to;
  };
  for (const Text& text : std::array{
           Text{"backend", row.backend}, Text{"model", row.model},
           Text{"model_asked", row.model_asked}, Text{"key_id", row.key_id},
           Text{"agent", row.agent}, Text{"persona", row.persona}, Text{"session", row.session},
           Text{"task_class", row.task_class}, Text{"class_source", row.class_source},
           Text{"priority", row.priority}, Text{"reason", row.reason}, Text{"tier", row.tier},
           Text{"purpose", row.purpose}, Text{"dialect", row.dialect}, Text{"outcome", row.outcome},
           Text{"state", row.state}})
    text.to = text_of(json, text.key);
  return row;
}

}  // namespace

Result<std::vector<ledger::Row>> parse_trace(std::string_view text, std::int64_t since_ms) {
  std::vector<ledger::Row> rows;
  std::size_t number = 0;
  for (std::size_t at = 0; at < text.size();) {
    const std::size_t end = std::min(text.find('\n', at), text.size());
    const std::string_view line = text.substr(at, end - at);
    at = end + 1;
    ++number;
    if (line.find_first_not_of(" \t\r") == std::string_view::npos) continue;
    const std::string where = "line " + std::to_string(number);
    TOPHAND_TRY(json, where, parse_json(line));
    if (!json.is_object()) return fail(Code::kInvalid, where + ": expected an object");
    TOPHAND_TRY(row, where, row_of(json, number));
    if (row.started_ms >= since_ms) rows.push_back(std::move(row));
    if (rows.size() > kRowsMax)
      return fail(Code::kTooLarge, "more than a million rows: give --since");
  }
  return rows;
}

Result<std::vector<ledger::Row>> read_past(const std::string& path, std::int64_t since_ms) {
  std::error_code ignored;
  const std::string file = std::filesystem::is_directory(path, ignored)
                               ? path + "/" + std::string(ledger::kLedgerFile)
                               : path;
  std::array<char, kSqlite.size()> head{};
  std::ifstream(file).read(head.data(), head.size());
  if (std::string_view(head.data(), head.size()) == kSqlite) return read_ledger(file, since_ms);
  TOPHAND_TRY(text, "read", read_text_file(file));
  return parse_trace(text, since_ms);
}

}  // namespace tophand::cli

// A trace of any bytes: rows whose numbers can be added up, or an error that names the line; the
// same rows when it is read in two pieces.
#include <algorithm>
#include <charconv>
#include <cstdint>
#include <string_view>

#include "base/assert.h"
#include "cli/replay_source.h"
#include "steering/replay.h"

namespace {

using namespace tophand;
using Rows = std::vector<ledger::Row>;

// "line 3: ...", a line that the text has.
void check_fault(const Error& error, std::string_view text) {
  const std::string_view message = error.message;
  TOPHAND_ASSERT(message.starts_with("line "));
  std::int64_t line = 0;
  const auto read = std::from_chars(message.data() + 5, message.data() + message.size(), line);
  TOPHAND_ASSERT(read.ec == std::errc() && *read.ptr == ':');
  TOPHAND_ASSERT(line >= 1 && line <= std::count(text.begin(), text.end(), '\n') + 1);
}

bool same(const ledger::Row& a, const ledger::Row& b) {
  return a.started_ms == b.started_ms && a.backend == b.backend && a.model == b.model &&
         a.cost == b.cost && a.tokens.input == b.tokens.input && a.reason == b.reason;
}

void check_pieces(std::string_view text, const Rows& rows) {
  const std::size_t cut = text.find('\n', text.size() / 2);
  if (cut == std::string_view::npos) return;
  auto first = cli::parse_trace(text.substr(0, cut), 0);
  const auto second = cli::parse_trace(text.substr(cut), 0);
  TOPHAND_ASSERT(first && second);
  first->insert(first->end(), second->begin(), second->end());
  TOPHAND_ASSERT(std::ranges::equal(*first, rows, same));
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const std::string_view text(reinterpret_cast<const char*>(data), size);
  const auto rows = cli::parse_trace(text, 0);
  if (!rows) {
    check_fault(rows.error(), text);
    return 0;
  }
  for (const ledger::Row& row : *rows) {
    TOPHAND_ASSERT(!row.request_id.empty() && !row.model.empty() && !row.backend.empty());
    for (const std::int64_t number : {row.started_ms, row.tokens.input, row.tokens.output,
                                      row.estimated_tokens, row.cost - steering::kCostNotSaid})
      TOPHAND_ASSERT(number >= 0 && number < 1'000'000'000'000'000);
  }
  if (!rows->empty()) {
    const std::int64_t since = rows->front().started_ms;
    const auto late = cli::parse_trace(text, since);
    const auto expected =
        std::ranges::count_if(*rows, [&](const auto& row) { return row.started_ms >= since; });
    TOPHAND_ASSERT(late && static_cast<std::ptrdiff_t>(late->size()) == expected);
  }
  check_pieces(text, *rows);
  return 0;
}

#include "ledger/saved_state.h"

#include <string_view>
#include <utility>

namespace tophand::ledger {
namespace {

constexpr std::string_view kPut = "INSERT OR REPLACE INTO saved_state (name, value) VALUES (?1,?2)";
constexpr std::string_view kGet = "SELECT value FROM saved_state WHERE name = ?1";
constexpr std::size_t kValueBytesMax = 1u << 20;

}  // namespace

const char* const kSavedStateSchema = R"sql(
CREATE TABLE saved_state (
  name TEXT PRIMARY KEY CHECK (name <> ''),
  value TEXT NOT NULL
) STRICT;
)sql";

Result<SavedState> SavedState::prepare(Db& db) {
  SavedState out;
  for (const auto& [statement, sql] : {std::pair{&out.put_, kPut}, std::pair{&out.get_, kGet}}) {
    TOPHAND_TRY(prepared, "saved state", db.prepare(sql));
    *statement = std::move(prepared);
  }
  return out;
}

Result<> SavedState::put(const std::string& name, const std::string& value) {
  if (value.size() > kValueBytesMax)
    return fail(Code::kTooLarge, "saved state " + name + ": more than a MiB");
  return put_.bind(1, name).bind(2, value).run();
}

Result<std::string> SavedState::get(const std::string& name) {
  const Result<bool> found = get_.bind(1, name).step();
  std::string value = found && *found ? std::string(get_.text(0)) : "";
  get_.reset();
  if (!found) return tl::unexpected(found.error());
  return value;
}

}  // namespace tophand::ledger

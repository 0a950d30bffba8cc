// What a ledger says that keeps rows only: fakes and simulations, mostly.
#include <optional>
#include <vector>

#include "ledger/ledger.h"

namespace tophand::ledger {

Result<Label> Ledger::add_label(const Label&) {
  return fail(Code::kUnavailable, "this ledger keeps no labels");
}

Result<std::vector<Label>> Ledger::labels_after(std::int64_t, std::int64_t) {
  return std::vector<Label>();
}

Result<> Ledger::note_refusal(const Refusal&) {
  return {};
}

Result<std::optional<Refusal>> Ledger::refusal_of(const std::string&) {
  return std::optional<Refusal>();
}

Result<std::int64_t> Ledger::refusals_since(std::string_view, std::int64_t) {
  return 0;
}

Result<> Ledger::put_state(const std::string&, const std::string&) {
  return fail(Code::kUnavailable, "this ledger keeps no state");
}

Result<std::string> Ledger::get_state(const std::string&) {
  return std::string();
}

}  // namespace tophand::ledger

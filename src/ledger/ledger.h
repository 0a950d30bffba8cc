// The account: one row an attempt, reserve before send, settle from the provider's usage. The only
// owner of the SQLite connection (one, WAL, synchronous=FULL). Thread-safe.
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/clock.h"
#include "base/result.h"
#include "ledger/label.h"
#include "ledger/prices.h"
#include "ledger/refusal.h"
#include "ledger/scopes.h"
#include "ledger/verdict.h"

namespace tophand::ledger {

inline constexpr std::string_view kLedgerFile = "ledger.db";  // in the data folder
inline constexpr NanoUsd kAmountMax = 1'000'000'000'000'000;  // a million dollars for one attempt

struct AttemptStart {
  std::string request_id = {};
  std::int64_t attempt = 1;  // 1, 2, ... within the request; (request_id, attempt) is unique
  std::string key_id = {};   // never the key itself
  std::string dialect = {}, task_class = {}, priority = {};
  std::string backend =
      {};                  // "claude", else a machine of the team: "local" (the own engine), "ws2"
  std::string model = {};  // that answers
  std::string model_asked = {};
  NanoUsd reserved = 0;                                // 0 for local work
  std::string reason = {};                             // why this backend
  std::string agent = {}, persona = {}, session = {};  // as the caller declared them
  std::string class_source = {};                       // "declared", "rule", "inferred", ""
  std::string tier = {};                               // "local", "small", "default", "hard"
  std::string purpose = "answer";  // "shadow", "judge": work that no client was given
  std::string arm = {};            // of an experiment: "holdout", "canary", "audit"
  std::int64_t deferred_ms = 0;    // how long it was kept waiting on purpose
};

struct AttemptEnd {
  enum class Outcome : std::uint8_t {
    kDone,
    kPartial,
    kFailed,
    kCancelled
  } outcome = Outcome::kDone;
  TokenCounts tokens = {};
  Terms terms = {};
  NanoUsd cost = 0;            // in full, whatever was reserved
  bool cost_is_exact = false;  // from the provider's final usage; else a bound on the safe side
  // What Claude would have cost; 0 when it went to Claude. Expected, and the least and most it may
  // have been (all of the context cached, none of it).
  NanoUsd counterfactual = 0, counterfactual_floor = 0, counterfactual_ceiling = 0;
  NanoUsd energy = 0;  // of local work
  // Claude's tokens of the prompt by the offline estimate, uncorrected; 0: not estimated. Beside
  // what the provider counted it tells how far the estimate is off.
  std::int64_t estimated_tokens = 0;
  std::string counterfactual_basis = {};  // what it was reckoned from; see counterfactual.h
  std::string provider_key = {};          // which of several; its name, never the key
  std::string gate = {};  // what the gate said: "passed", "mended", "failed", "" (no gate)
  std::int64_t ttft_ms = 0, duration_ms = 0;
  std::string error_code = {};
  std::string note = {};  // put behind the row's reason
};

// Requests are counted by their last attempt: answered whole by one backend, failed (ended without
// a whole answer, for whatever reason), or still running.
struct Totals {
  std::int64_t requests = 0, local_requests = 0, claude_requests = 0, failed = 0;
  std::int64_t local_input_tokens = 0, local_output_tokens = 0;    // of every attempt; input
  std::int64_t claude_input_tokens = 0, claude_output_tokens = 0;  // includes cached tokens
  NanoUsd spent = 0;        // settled with Claude, what crashed processes left reserved, adjusted
  NanoUsd outstanding = 0;  // reserved, not yet settled
  NanoUsd counterfactual = 0;  // what the local answers would have cost; failed ones and those
                               // that were then asked of Claude count 0
};

struct Row {
  std::int64_t id = 0;
  std::string request_id, state, key_id, dialect, task_class, priority, backend, model, model_asked,
      reason, outcome, price_version, error_code, agent, persona, session, class_source, tier,
      purpose, arm, provider_key, gate, counterfactual_basis;
  std::int64_t attempt = 0, started_ms = 0, ttft_ms = 0, duration_ms = 0;
  TokenCounts tokens;
  Terms terms;
  std::string cost_basis;  // "usage": exact; "bound": on the safe side; "": nothing was charged
  std::int64_t deferred_ms = 0, estimated_tokens = 0;
  NanoUsd reserved = 0, counterfactual = 0, counterfactual_floor = 0, counterfactual_ceiling = 0;
  NanoUsd energy = 0;
  NanoUsd cost = 0;      // what the row takes from the budget: while `reserved`, the reservation
  NanoUsd adjusted = 0;  // part of `cost`: what was booked later, by adjust()
};

// What one cap allows and how much of it is gone, in the window of the clock's now.
struct CapState {
  Cap cap;  // its name is that of one scope, also where the cap is for each ("*")
  Balance balance;
  std::int64_t window_start_ms = 0;
};

class Ledger {
 public:
  virtual ~Ledger() = default;
  // Creates or migrates the file (mode 0600); rows that a crashed process left reserved become
  // `recovered` and stay charged in full. One process has it open at a time: kUnavailable when
  // another one keeps it for two seconds. kCorrupt when it is damaged or no ledger, kConfig when a
  // newer version made it. `week_cap` is for the team; none: nothing is refused.
  static Result<std::unique_ptr<Ledger>> open(const std::string& path, const Clock& clock,
                                              std::string price_version,
                                              std::optional<NanoUsd> week_cap);
  // From now on these hold, for what is spent and reserved already as well. kConfig for a negative
  // limit; the old ones stay. Another calendar than before cuts the windows anew, and what has been
  // spent in the ones that now lie in counts in them.
  virtual Result<> set_limits(Limits limits) = 0;
  virtual Calendar calendar() { return {}; }  // of the limits
  // Returns the row's id. Durable when it returns (fsync) if anything is reserved. Rows that
  // reserve nothing are written together, some 20 ms later, and synced with the next paid row or
  // checkpoint: what a killed process or a power cut takes is counted savings, never spending.
  // kBudget when for any scope of the attempt settled + outstanding + reserved > its cap, in the
  // window of the clock's now; kConflict when this attempt of this request has a row already (if
  // anything is reserved); kInvalid for a negative amount, or one above kAmountMax.
  virtual Result<std::int64_t> begin(const AttemptStart& start) = 0;
  // Why the last row that was to be written was not ("disk full"); "" when it was. Until the next
  // one is, whatever costs money is refused. Does not wait for the file.
  virtual std::string write_fault() const { return {}; }
  // Charges end.cost. The first settle or release of a row wins; later ones change nothing.
  // kNotFound for an unknown row.
  virtual Result<> settle(std::int64_t row_id, const AttemptEnd& end) = 0;
  // Never sent, or refused by the provider with a definite no-charge error: charges nothing.
  virtual Result<> release(std::int64_t row_id, const AttemptEnd& end) = 0;
  // Books a difference that is known later (the provider's own account) to a row that has ended, in
  // the windows of that row. Durable. kInvalid without a reason or if the row's cost would become
  // negative, kConflict while it is reserved, kNotFound for an unknown row.
  virtual Result<> adjust(std::int64_t row_id, NanoUsd amount, const std::string& reason) = 0;
  // Looks for the attempt that decided each request: seconds for 100,000 of them, while nothing can
  // be reserved.
  virtual Result<Totals> totals(std::int64_t since_ms) = 0;
  // The money of the rows begun in it, in one quick pass: what is asked while the gateway serves.
  virtual Result<Balance> spending(const Span& span) = 0;
  // Oldest first; the latest `limit` of those started since.
  virtual Result<std::vector<Row>> rows(std::int64_t since_ms, std::int64_t limit) = 0;
  // Oldest first, from the first id after `after_id`: for reading all of them in pages.
  virtual Result<std::vector<Row>> rows_after(std::int64_t after_id, std::int64_t since_ms,
                                              std::int64_t limit) = 0;
  // Of these the ones whose reason speaks of the budget, and those that waited.
  virtual Result<std::vector<Row>> held_back_after(std::int64_t after_id, std::int64_t since_ms,
                                                   std::int64_t limit) = 0;
  // The attempts of one request, in order; none when it is unknown.
  virtual Result<std::vector<Row>> rows_of(const std::string& request_id) = 0;
  // Writes the label and gives it back with what the ledger adds. Not synced: a power cut may take
  // it. kInvalid without a request, kNotFound: no such request or attempt. kConflict: Claude
  // answered it (of which judges may speak), or its row has kLabelsOfARowMax labels already.
  virtual Result<Label> add_label(const Label& label);
  // The next `limit` labels after that id, in the order of their coming; from 0: the first.
  virtual Result<std::vector<Label>> labels_after(std::int64_t id, std::int64_t limit);
  // A request that ended without any attempt at it. Not synced, and no money: a power cut may take
  // it. kInvalid without a request or an error code.
  virtual Result<> note_refusal(const Refusal& refusal);
  virtual Result<std::optional<Refusal>> refusal_of(const std::string& request_id);
  virtual Result<std::int64_t> refusals_since(std::string_view error_code, std::int64_t since_ms);
  // What a part of the gateway wants to find again after a restart; not synced. kTooLarge above a
  // MiB. "" where nothing was put.
  virtual Result<> put_state(const std::string& name, const std::string& value);
  virtual Result<std::string> get_state(const std::string& name);
  // Every cap; one that is for each agent, key ... once for each that has spent in its window.
  virtual Result<std::vector<CapState>> cap_states() = 0;
  // The journal's last event: whoever keeps it elsewhere can tell later that nothing before it was
  // changed.
  virtual Result<JournalHead> head() = 0;
  // Recomputes everything in the file: the chain, every row from its events, every charge from its
  // tokens and the prices of its version (where one of `books` has it), every balance. Others go on
  // meanwhile. `expected`: a head that was kept elsewhere and must be in the chain.
  virtual Result<Verdict> verify(const std::vector<PriceBook>& books,
                                 const std::optional<JournalHead>& expected) = 0;
};

// "$0.01235": four significant digits below a dollar, cents above; rounded half away from zero.
std::string format_usd(NanoUsd amount);

}  // namespace tophand::ledger

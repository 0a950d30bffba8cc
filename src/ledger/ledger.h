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

namespace tophand::ledger {

inline constexpr std::string_view kLedgerFile = "ledger.db";  // in the data folder

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
  std::string class_source = {};                       // "declared", "inferred", ""
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
  NanoUsd cost = 0;  // in full, whatever was reserved
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
  NanoUsd spent = 0;           // settled with Claude, plus what crashed processes left reserved
  NanoUsd outstanding = 0;     // reserved, not yet settled
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
  std::int64_t deferred_ms = 0, estimated_tokens = 0;
  NanoUsd reserved = 0, counterfactual = 0, counterfactual_floor = 0, counterfactual_ceiling = 0;
  NanoUsd energy = 0;
  NanoUsd cost = 0;  // what the row takes from the budget: while `reserved`, the reservation
};

class Ledger {
 public:
  virtual ~Ledger() = default;
  // Creates or migrates the file (mode 0600); rows that a crashed process left reserved become
  // `recovered` and stay charged in full. One process has it open at a time: kUnavailable when
  // another one keeps it for two seconds. kCorrupt when it is damaged or no ledger, kConfig when a
  // newer version made it. No cap: nothing is refused.
  static Result<std::unique_ptr<Ledger>> open(const std::string& path, const Clock& clock,
                                              std::string price_version,
                                              std::optional<NanoUsd> week_cap);
  // Returns the row's id. Durable when it returns (fsync) if anything is reserved. Rows that
  // reserve nothing are written together, some 20 ms later, and synced with the next paid row or
  // checkpoint: what a killed process or a power cut takes is counted savings, never spending.
  // kBudget when settled + outstanding + reserved > cap, in the week of the clock's now; kConflict
  // when this attempt of this request has a row already (if anything is reserved); kInvalid for a
  // negative amount.
  virtual Result<std::int64_t> begin(const AttemptStart& start) = 0;
  // Charges end.cost. The first settle or release of a row wins; later ones change nothing.
  // kNotFound for an unknown row.
  virtual Result<> settle(std::int64_t row_id, const AttemptEnd& end) = 0;
  // Never sent, or refused by the provider with a definite no-charge error: charges nothing.
  virtual Result<> release(std::int64_t row_id, const AttemptEnd& end) = 0;
  virtual Result<Totals> totals(std::int64_t since_ms) = 0;
  // Oldest first; the latest `limit` of those started since.
  virtual Result<std::vector<Row>> rows(std::int64_t since_ms, std::int64_t limit) = 0;
  // Oldest first, from the first id after `after_id`: for reading all of them in pages.
  virtual Result<std::vector<Row>> rows_after(std::int64_t after_id, std::int64_t since_ms,
                                              std::int64_t limit) = 0;
  // The attempts of one request, in order; none when it is unknown.
  virtual Result<std::vector<Row>> rows_of(const std::string& request_id) = 0;
  // Writes the label and gives it back with what the ledger adds. Not synced: a power cut may take
  // it. kInvalid without a request, kNotFound: no such request or attempt. kConflict: Claude
  // answered it, or its row has kLabelsOfARowMax labels already.
  virtual Result<Label> add_label(const Label& label);
  // The next `limit` labels after that id, in the order of their coming; from 0: the first.
  virtual Result<std::vector<Label>> labels_after(std::int64_t id, std::int64_t limit);
  // What a part of the gateway wants to find again after a restart; not synced. kTooLarge above a
  // MiB. "" where nothing was put.
  virtual Result<> put_state(const std::string& name, const std::string& value);
  virtual Result<std::string> get_state(const std::string& name);
};

// "$0.01235": four significant digits below a dollar, cents above; rounded half away from zero.
std::string format_usd(NanoUsd amount);
std::int64_t week_start_ms(std::int64_t wall_ms);  // Monday 00:00 UTC

}  // namespace tophand::ledger

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
#include "ledger/prices.h"

namespace tophand::ledger {

struct AttemptStart {
  std::string request_id;
  std::int64_t attempt = 1;       // 1, 2, ... within the request; (request_id, attempt) is unique
  std::string key_id;             // never the key itself
  std::string dialect, task_class, priority;
  std::string backend;            // "local", "claude"
  std::string model;              // that answers
  std::string model_asked;
  NanoUsd reserved = 0;           // 0 for local work
  std::string reason;             // why this backend
};

struct AttemptEnd {
  enum class Outcome : std::uint8_t { kDone, kPartial, kFailed, kCancelled } outcome = Outcome::kDone;
  TokenCounts tokens;
  NanoUsd cost = 0;
  NanoUsd counterfactual = 0;     // what Claude would have cost; 0 when it went to Claude
  std::int64_t ttft_ms = 0, duration_ms = 0;
  std::string error_code;
};

struct Totals {
  std::int64_t requests = 0, local_requests = 0, claude_requests = 0, failed = 0;
  std::int64_t local_input_tokens = 0, local_output_tokens = 0;
  std::int64_t claude_input_tokens = 0, claude_output_tokens = 0;
  NanoUsd spent = 0;              // settled with Claude
  NanoUsd outstanding = 0;        // reserved, not yet settled
  NanoUsd counterfactual = 0;     // what the local answers would have cost
};

struct Row {
  std::int64_t id = 0;
  std::string request_id, state, key_id, dialect, task_class, priority, backend, model, model_asked,
      reason, outcome, price_version;
  std::int64_t attempt = 0, started_ms = 0, ttft_ms = 0, duration_ms = 0;
  TokenCounts tokens;
  NanoUsd reserved = 0, cost = 0, counterfactual = 0;
};

class Ledger {
 public:
  virtual ~Ledger() = default;
  // Creates or migrates the file; rows that a crashed process left reserved become `recovered` and
  // stay charged in full.
  static Result<std::unique_ptr<Ledger>> open(const std::string& path, const Clock& clock,
                                              std::string price_version,
                                              std::optional<NanoUsd> week_cap);
  // Durable when it returns (fsync). kBudget when settled + outstanding + reserved > cap.
  virtual Result<std::int64_t> begin(const AttemptStart& start) = 0;
  virtual Result<> settle(std::int64_t row_id, const AttemptEnd& end) = 0;
  // Never sent, or refused by the provider with a definite no-charge error.
  virtual Result<> release(std::int64_t row_id, const AttemptEnd& end) = 0;
  virtual Result<Totals> totals(std::int64_t since_ms) = 0;
  virtual Result<std::vector<Row>> rows(std::int64_t since_ms, std::int64_t limit) = 0;
};

std::string format_usd(NanoUsd amount);  // "$0.012345", four significant digits below a dollar
std::int64_t week_start_ms(std::int64_t wall_ms);  // Monday 00:00 UTC

}  // namespace tophand::ledger

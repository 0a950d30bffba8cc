// Once a night: the ledger is compared with Anthropic's account, and the residual is logged. Owns a
// thread, which ends with the object.
#pragma once

#include <condition_variable>
#include <functional>
#include <mutex>
#include <stop_token>
#include <thread>

#include "base/clock.h"

namespace tophand::server {

// The next half past three (UTC) after `now_ms`: yesterday is complete then (kReportLagMs).
std::int64_t next_night_ms(std::int64_t now_ms);

class Nightly {
 public:
  // Calls `work` every night; it must not throw. `clock` outlives it.
  Nightly(const Clock& clock, std::function<void()> work);

 private:
  void run(const std::stop_token& stop);

  const Clock& clock_;
  const std::function<void()> work_;
  std::mutex mutex_;
  std::condition_variable_any wake_;
  std::jthread thread_;  // last: ends before what it uses
};

}  // namespace tophand::server

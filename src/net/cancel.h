// A cancellation that somebody fires by hand: a supervisor that gives up, a test, a server that
// stops.
#pragma once

#include <atomic>
#include <cstdint>

#include "net/http.h"

namespace tophand::net {

// Thread-safe; any thread may fire it, any number of waits may watch it. Fired stays fired.
class CancelFlag final : public Cancellation {
 public:
  CancelFlag();
  ~CancelFlag() override;
  CancelFlag(const CancelFlag&) = delete;
  CancelFlag& operator=(const CancelFlag&) = delete;

  void cancel();
  bool cancelled() const override { return fired_.load(std::memory_order_acquire); }
  Signs signs() const override { return Signs().add(fd_, POLLIN); }
  // An eventfd; -1 when the process had no descriptor left (waits then look at the flag at times).
  int fd() const { return fd_; }

 private:
  std::atomic<bool> fired_{false};
  int fd_ = -1;
};

// Waits for `wait_ms` of the system's clock. False as soon as `stop` is cancelled.
bool pause(const Cancellation& stop, std::int64_t wait_ms);

}  // namespace tophand::net

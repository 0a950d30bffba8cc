// What ends an attempt early: its client has left, its time is up, or nobody wants it any more. A
// Cancellation that backends wait on like on the client's own. Descriptors are made only when
// somebody has to wait. Thread-safe. Private to dispatch/.
#pragma once

#include <atomic>
#include <cstdint>
#include <mutex>

#include "base/clock.h"
#include "net/http.h"

namespace tophand::dispatch {

class Stop final : public net::Cancellation {
 public:
  enum class Why : std::uint8_t { kNone, kClient, kDeadline, kUnwanted };

  // `client` and `clock` outlive this. deadline_ns: on the clock; 0 for none.
  Stop(const net::Cancellation& client, const Clock& clock, std::int64_t deadline_ns);
  ~Stop() override;
  Stop(const Stop&) = delete;
  Stop& operator=(const Stop&) = delete;

  void fire();           // nobody wants it any more
  void lift_deadline();  // the answer has begun, it may take its time
  // kNone while it may go on.
  Why why() const;

  bool cancelled() const override { return why() != Why::kNone; }
  int watch_fd() const override;

 private:
  void arm(std::int64_t after_ns) const;  // 0 disarms; with mutex_ held

  const net::Cancellation& client_;
  const Clock& clock_;
  std::atomic<std::int64_t> deadline_ns_;
  std::atomic<bool> unwanted_ = false;
  mutable std::mutex mutex_;  // guards the descriptors' making
  mutable int epoll_ = -1, timer_ = -1;
};

}  // namespace tophand::dispatch

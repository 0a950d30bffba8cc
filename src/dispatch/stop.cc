#include "dispatch/stop.h"

#include <algorithm>

#include "base/assert.h"

namespace tophand::dispatch {

Stop::Stop(const net::Cancellation& client, const Clock& clock, std::int64_t deadline_ns, Fire fire)
    : client_(client), clock_(clock), deadline_ns_(deadline_ns) {
  if (fire == Fire::kMay) unwanted_.emplace();
}

void Stop::fire() {
  TOPHAND_ASSERT(unwanted_.has_value());
  unwanted_->cancel();
}

void Stop::lift_deadline() {
  deadline_ns_ = 0;
}

Stop::Why Stop::why() const {
  if (unwanted_ && unwanted_->cancelled()) return Why::kUnwanted;
  const std::int64_t deadline_ns = deadline_ns_;
  if (deadline_ns != 0 && clock_.mono_ns() >= deadline_ns) return Why::kDeadline;
  if (!client_.cancelled()) return Why::kNone;
  return client_.stopping() ? Why::kStopping : Why::kClient;
}

// Our clock may be another one than the system's, by which a wait is timed.
net::Cancellation::Signs Stop::signs() const {
  Signs signs = client_.signs();
  const std::int64_t deadline_ns = deadline_ns_;
  if (deadline_ns != 0) {
    const std::int64_t system_ns = system_clock().mono_ns() + deadline_ns - clock_.mono_ns();
    signs.deadline_ns = signs.deadline_ns == 0 ? system_ns : std::min(signs.deadline_ns, system_ns);
  }
  if (unwanted_) signs.add(unwanted_->fd(), POLLIN);
  return signs;
}

}  // namespace tophand::dispatch

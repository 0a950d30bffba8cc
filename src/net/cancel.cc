#include "net/cancel.h"

#include <sys/eventfd.h>
#include <unistd.h>

#include <algorithm>

#include "base/clock.h"

namespace tophand::net {
namespace {

constexpr std::int64_t kNsPerMs = 1'000'000;
// How often a pause looks by itself: with a descriptor it is woken anyway.
constexpr std::int64_t kLookMs = 50, kLookWithSignsMs = 1000;

}  // namespace

CancelFlag::CancelFlag() : fd_(eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK)) {}

CancelFlag::~CancelFlag() {
  if (fd_ >= 0) close(fd_);
}

void CancelFlag::cancel() {
  fired_.store(true, std::memory_order_release);
  if (fd_ >= 0) eventfd_write(fd_, 1);  // never read, so that it stays readable
}

bool pause(const Cancellation& stop, std::int64_t wait_ms) {
  const std::int64_t end_ns = system_clock().mono_ns() + wait_ms * kNsPerMs;
  for (;;) {
    if (stop.cancelled()) return false;
    const std::int64_t left_ms = (end_ns - system_clock().mono_ns() + kNsPerMs - 1) / kNsPerMs;
    if (left_ms <= 0) return true;
    auto signs = stop.signs();
    const std::int64_t look_ms = signs.count > 0 ? kLookWithSignsMs : kLookMs;
    ::poll(signs.fds.data(), signs.count, static_cast<int>(std::min(left_ms, look_ms)));
  }
}

}  // namespace tophand::net

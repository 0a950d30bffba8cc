#include "dispatch/stop.h"

#include <sys/epoll.h>
#include <sys/timerfd.h>
#include <unistd.h>

#include <algorithm>

namespace tophand::dispatch {
namespace {

constexpr std::int64_t kNsPerS = 1'000'000'000;

bool watch(int epoll, int fd) {
  epoll_event event{};
  event.events = EPOLLIN;
  return epoll_ctl(epoll, EPOLL_CTL_ADD, fd, &event) == 0;
}

}  // namespace

Stop::Stop(const net::Cancellation& client, const Clock& clock, std::int64_t deadline_ns)
    : client_(client), clock_(clock), deadline_ns_(deadline_ns) {}

Stop::~Stop() {
  if (timer_ >= 0) ::close(timer_);
  if (epoll_ >= 0) ::close(epoll_);
}

void Stop::arm(std::int64_t after_ns) const {
  if (timer_ < 0) return;
  itimerspec when{};
  when.it_value.tv_sec = after_ns / kNsPerS;
  when.it_value.tv_nsec = after_ns % kNsPerS;
  ::timerfd_settime(timer_, 0, &when, nullptr);
}

void Stop::fire() {
  unwanted_ = true;
  const std::lock_guard lock(mutex_);
  arm(1);
}

void Stop::lift_deadline() {
  if (deadline_ns_.exchange(0) == 0) return;
  const std::lock_guard lock(mutex_);
  if (!unwanted_) arm(0);
}

Stop::Why Stop::why() const {
  if (unwanted_) return Why::kUnwanted;
  const std::int64_t deadline_ns = deadline_ns_;
  if (deadline_ns != 0 && clock_.mono_ns() >= deadline_ns) return Why::kDeadline;
  return client_.cancelled() ? Why::kClient : Why::kNone;
}

int Stop::watch_fd() const {
  const std::lock_guard lock(mutex_);
  if (epoll_ >= 0) return epoll_;
  const int client = client_.watch_fd();
  if (client < 0) return -1;  // to be asked now and then
  const int made = ::epoll_create1(EPOLL_CLOEXEC);
  timer_ = ::timerfd_create(CLOCK_MONOTONIC, TFD_CLOEXEC | TFD_NONBLOCK);
  if (made < 0 || timer_ < 0 || !watch(made, client) || !watch(made, timer_)) {
    if (made >= 0) ::close(made);
    if (timer_ >= 0) ::close(timer_);
    timer_ = -1;
    return -1;
  }
  epoll_ = made;
  const std::int64_t deadline_ns = deadline_ns_;
  if (unwanted_) arm(1);
  else if (deadline_ns != 0) arm(std::max<std::int64_t>(1, deadline_ns - clock_.mono_ns()));
  return epoll_;
}

}  // namespace tophand::dispatch

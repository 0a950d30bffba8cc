#include <fcntl.h>
#include <signal.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include <atomic>

#include "cli/gateway_client.h"

namespace tophand::cli {
namespace {

// A signal handler can reach nothing but globals; these two belong to the one live scope.
std::atomic<bool> g_interrupted{false};
std::atomic<int> g_event_fd{-1};

void on_interrupt(int) {
  g_interrupted.store(true);
  const std::uint64_t one = 1;
  [[maybe_unused]] const ssize_t n = ::write(g_event_fd.load(), &one, sizeof one);
}

}  // namespace

struct InterruptScope::State {
  int fd = -1;
  struct sigaction before{};
};

InterruptScope::InterruptScope() : state_(std::make_unique<State>()) {
  state_->fd = ::eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
  g_event_fd.store(state_->fd);
  g_interrupted.store(false);
  struct sigaction action{};
  action.sa_handler = on_interrupt;
  ::sigaction(SIGINT, &action, &state_->before);  // no SA_RESTART: a blocked read returns
}

InterruptScope::~InterruptScope() {
  ::sigaction(SIGINT, &state_->before, nullptr);
  g_event_fd.store(-1);
  ::close(state_->fd);
}

bool InterruptScope::cancelled() const {
  return g_interrupted.load();
}
net::Cancellation::Signs InterruptScope::signs() const {
  return Signs().add(state_->fd, POLLIN);
}

void InterruptScope::reset() {
  std::uint64_t count = 0;
  [[maybe_unused]] const ssize_t n = ::read(state_->fd, &count, sizeof count);
  g_interrupted.store(false);
}

}  // namespace tophand::cli

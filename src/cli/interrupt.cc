#include <fcntl.h>
#include <signal.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include <atomic>
#include <utility>
#include <vector>

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
  std::vector<std::pair<int, struct sigaction>> before;  // of each signal
};

InterruptScope::InterruptScope(std::initializer_list<int> also)
    : state_(std::make_unique<State>()) {
  state_->fd = ::eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
  g_event_fd.store(state_->fd);
  g_interrupted.store(false);
  struct sigaction action{};
  action.sa_handler = on_interrupt;
  std::vector<int> signals{SIGINT};
  signals.insert(signals.end(), also.begin(), also.end());
  for (const int number : signals) {
    struct sigaction before{};
    ::sigaction(number, &action, &before);  // no SA_RESTART: a blocked read returns
    state_->before.emplace_back(number, before);
  }
}

InterruptScope::~InterruptScope() {
  for (const auto& [number, before] : state_->before) ::sigaction(number, &before, nullptr);
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

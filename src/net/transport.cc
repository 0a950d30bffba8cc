#include "net/transport.h"

#include <poll.h>
#include <sys/socket.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <system_error>

#include "base/clock.h"

namespace tophand::net {
namespace {

// A cancellation without a descriptor is a flag that is looked at this often.
constexpr std::int64_t kFlagPollMs = 20;
constexpr std::int64_t kNsPerMs = 1'000'000;

bool would_block(int error_number) {
  return error_number == EAGAIN || error_number == EWOULDBLOCK;
}

// Milliseconds to hand to poll(), rounded up so that a wait never spins in its last millisecond.
int poll_timeout(std::int64_t deadline_ns, bool flag_only) {
  const std::int64_t left_ns = deadline_ns - system_clock().mono_ns();
  std::int64_t left_ms = left_ns <= 0 ? 0 : (left_ns + kNsPerMs - 1) / kNsPerMs;
  if (flag_only) left_ms = std::min(left_ms, kFlagPollMs);
  return static_cast<int>(std::min<std::int64_t>(left_ms, 1'000'000'000));
}

}  // namespace

void Fd::reset(int fd) {
  if (fd_ >= 0) close(fd_);
  fd_ = fd;
}

std::string system_message(int error_number) {
  std::string text = std::system_category().message(error_number);
  if (!text.empty() && text[0] >= 'A' && text[0] <= 'Z') text[0] = static_cast<char>(text[0] + 32);
  return text;
}

Wait wait_ms(std::int64_t timeout_ms, const Cancellation* cancel) {
  return Wait{.deadline_ns = system_clock().mono_ns() + timeout_ms * kNsPerMs, .cancel = cancel};
}

Result<> wait_for(int fd, short events, const Wait& wait) {
  int watch = wait.cancel ? wait.cancel->watch_fd() : -1;
  short watch_events = POLLIN | POLLRDHUP;
  for (;;) {
    if (wait.cancel && wait.cancel->cancelled()) return fail(Code::kCancelled, "cancelled");
    const bool flag_only = wait.cancel && watch < 0;
    std::array<pollfd, 2> set{pollfd{fd, events, 0}, pollfd{watch, watch_events, 0}};
    const int timeout = poll_timeout(wait.deadline_ns, flag_only);
    const int ready = poll(set.data(), set.size(), timeout);
    if (ready < 0 && errno != EINTR) return fail(Code::kIo, "poll: " + system_message(errno));
    if (ready > 0 && set[0].revents != 0) return {};
    if (ready > 0 && set[1].revents != 0) {
      if (wait.cancel->cancelled()) return fail(Code::kCancelled, "cancelled");
      // Readable without being cancelled (bytes on a watched socket): that must not make us spin.
      if (watch_events & POLLIN) watch_events = POLLRDHUP;
      else watch = -1;
    }
    if (ready == 0 && system_clock().mono_ns() >= wait.deadline_ns)
      return fail(Code::kDeadline, "timed out");
  }
}

Result<std::size_t> read_socket(int fd, char* into, std::size_t size, const Wait& wait) {
  for (;;) {
    const ssize_t n = recv(fd, into, size, MSG_DONTWAIT);
    if (n >= 0) return static_cast<std::size_t>(n);
    if (errno == EINTR) continue;
    if (!would_block(errno)) return fail(Code::kIo, "read: " + system_message(errno));
    if (auto ready = wait_for(fd, POLLIN, wait); !ready) return tl::unexpected(ready.error());
  }
}

Result<> write_socket(int fd, std::string_view bytes, int stall_ms, const Cancellation* cancel) {
  while (!bytes.empty()) {
    const ssize_t n = send(fd, bytes.data(), bytes.size(), MSG_NOSIGNAL | MSG_DONTWAIT);
    if (n >= 0) {
      bytes.remove_prefix(static_cast<std::size_t>(n));
      continue;
    }
    if (errno == EINTR) continue;
    if (!would_block(errno)) return fail(Code::kIo, "write: " + system_message(errno));
    if (auto ready = wait_for(fd, POLLOUT, wait_ms(stall_ms, cancel)); !ready) return ready;
  }
  return {};
}

Result<std::size_t> PlainTransport::read(char* into, std::size_t size, const Wait& wait) {
  return read_socket(fd_.get(), into, size, wait);
}

Result<> PlainTransport::write(std::string_view bytes, int stall_ms, const Cancellation* cancel) {
  return write_socket(fd_.get(), bytes, stall_ms, cancel);
}

}  // namespace tophand::net

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

using Signs = Cancellation::Signs;

// Signs that showed without a cancellation: to go on looking at them would make a wait spin.
class Muted {
 public:
  void add(const pollfd& sign) {
    if (sign.revents != 0) signs_[count_++ % signs_.size()] = sign;
  }
  bool has(const pollfd& sign) const {
    return std::ranges::any_of(signs_, [&](const pollfd& one) {
      return one.fd >= 0 && one.fd == sign.fd && one.events == sign.events;
    });
  }

 private:
  std::array<pollfd, Signs::kMax> signs_ = Signs().fds;
  std::size_t count_ = 0;
};

// Writes while it can, waiting for `events` when it cannot; returns how much it wrote. Less than
// all of it: it was woken and still could not write, so another of the events has come.
Result<std::size_t> write_while_waiting_for(short events, int fd, std::string_view bytes,
                                            int stall_ms, const Cancellation* cancel) {
  std::size_t written = 0;
  for (bool woken = false; written < bytes.size();) {
    const ssize_t n =
        send(fd, bytes.data() + written, bytes.size() - written, MSG_NOSIGNAL | MSG_DONTWAIT);
    if (n >= 0) {
      written += static_cast<std::size_t>(n);
      woken = false;
      continue;
    }
    if (errno == EINTR) continue;
    if (!would_block(errno)) return fail(Code::kIo, "write: " + system_message(errno));
    if (woken && events != POLLOUT) return written;
    if (auto ready = wait_for(fd, events, wait_ms(stall_ms, cancel)); !ready)
      return tl::unexpected(ready.error());
    woken = true;
  }
  return written;
}

}  // namespace

std::string system_message(int error_number) {
  std::string text = std::system_category().message(error_number);
  if (!text.empty() && text[0] >= 'A' && text[0] <= 'Z') text[0] = static_cast<char>(text[0] + 32);
  return text;
}

Wait wait_ms(std::int64_t timeout_ms, const Cancellation* cancel) {
  return Wait{.deadline_ns = system_clock().mono_ns() + timeout_ms * kNsPerMs, .cancel = cancel};
}

Result<> wait_for(int fd, short events, const Wait& wait) {
  Muted muted;
  for (;;) {
    if (wait.cancel && wait.cancel->cancelled()) return fail(Code::kCancelled, "cancelled");
    const Signs signs = wait.cancel ? wait.cancel->signs() : Signs();
    std::array<pollfd, 1 + Signs::kMax> set{pollfd{fd, events, 0}};
    nfds_t count = 1;
    for (std::size_t i = 0; i < signs.count; ++i)
      if (!muted.has(signs.fds[i])) set[count++] = signs.fds[i];
    const std::int64_t until_ns =
        signs.deadline_ns != 0 ? std::min(wait.deadline_ns, signs.deadline_ns) : wait.deadline_ns;
    const int timeout = poll_timeout(until_ns, wait.cancel && count == 1);
    const int ready = poll(set.data(), count, timeout);
    if (ready < 0 && errno != EINTR) return fail(Code::kIo, "poll: " + system_message(errno));
    if (ready > 0 && set[0].revents != 0) return {};
    if (ready > 0) {
      if (wait.cancel->cancelled()) return fail(Code::kCancelled, "cancelled");
      std::for_each_n(set.begin() + 1, count - 1, [&](const pollfd& sign) { muted.add(sign); });
    }
    if (ready == 0 && system_clock().mono_ns() >= wait.deadline_ns)
      return fail(Code::kDeadline, "timed out");
  }
}

bool is_readable(const Transport& connection) {
  pollfd socket{connection.fd(), POLLIN | POLLRDHUP, 0};
  return connection.has_buffered() || poll(&socket, 1, 0) != 0;
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
  const auto written = write_while_waiting_for(POLLOUT, fd, bytes, stall_ms, cancel);
  return written ? Result<>() : tl::unexpected(written.error());
}

Result<std::size_t> PlainTransport::read(char* into, std::size_t size, const Wait& wait) {
  if (auto goes_on = lookout_.look(wait); !goes_on) return tl::unexpected(goes_on.error());
  return read_socket(fd_.get(), into, size, wait);
}

Result<> PlainTransport::write(std::string_view bytes, int stall_ms, const Cancellation* cancel) {
  return write_socket(fd_.get(), bytes, stall_ms, cancel);
}

Result<std::size_t> PlainTransport::write_until_answered(std::string_view bytes, int stall_ms,
                                                         const Cancellation* cancel) {
  return write_while_waiting_for(POLLOUT | POLLIN, fd_.get(), bytes, stall_ms, cancel);
}

}  // namespace tophand::net

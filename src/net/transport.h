// Bytes over a connected socket: waiting with a deadline and a cancellation, and the plain and TLS
// transports. Private to net/. A transport is used by one thread at a time.
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <string>
#include <string_view>
#include <utility>

#include "base/fd.h"
#include "base/result.h"
#include "net/http.h"

namespace tophand::net {

// Until when a call may wait, and what ends the wait early. `cancel` may be nullptr.
struct Wait {
  std::int64_t deadline_ns = 0;  // on the monotonic clock
  const Cancellation* cancel = nullptr;
};
Wait wait_ms(std::int64_t timeout_ms, const Cancellation* cancel);

// Waits until `fd` has one of the poll(2) `events` or is in error. kDeadline, kCancelled.
Result<> wait_for(int fd, short events, const Wait& wait);

// Looks at a cancellation for a peer that always has bytes ready: a read of what is there never
// waits, and only waits look. Each sixteenth read, as many as a moment holds, so that it costs
// nothing beside reading. Not thread-safe.
class Lookout {
 public:
  // Before each read. kCancelled.
  Result<> look(const Wait& wait) {
    if (wait.cancel == nullptr || ++reads_ % kEvery != 0 || !wait.cancel->cancelled()) return {};
    return fail(Code::kCancelled, "cancelled");
  }

 private:
  static constexpr unsigned kEvery = 16;
  unsigned reads_ = 0;
};

class Transport {
 public:
  virtual ~Transport() = default;
  // Reads what there is, at least one byte; 0 means that the peer ended its side properly.
  // kDeadline, kCancelled, kIo (reset, broken TLS).
  virtual Result<std::size_t> read(char* into, std::size_t size, const Wait& wait) = 0;
  // Writes everything. The stall clock starts again whenever the peer takes bytes. kDeadline when
  // it took none for `stall_ms`; kCancelled; kIo when the connection is broken.
  virtual Result<> write(std::string_view bytes, int stall_ms, const Cancellation* cancel) = 0;
  // The same, until the peer takes nothing for now and has said something itself, if only its end:
  // then it returns early. Returns how much was written. Costs no more than write().
  virtual Result<std::size_t> write_until_answered(std::string_view bytes, int stall_ms,
                                                   const Cancellation* cancel) = 0;
  virtual int fd() const = 0;
  // Bytes that were read from the socket but not by read() yet.
  virtual bool has_buffered() const { return false; }
};

class PlainTransport final : public Transport {
 public:
  explicit PlainTransport(Fd fd) : fd_(std::move(fd)) {}  // a connected, non-blocking socket
  Result<std::size_t> read(char* into, std::size_t size, const Wait& wait) override;
  Result<> write(std::string_view bytes, int stall_ms, const Cancellation* cancel) override;
  Result<std::size_t> write_until_answered(std::string_view bytes, int stall_ms,
                                           const Cancellation* cancel) override;
  int fd() const override { return fd_.get(); }

 private:
  Fd fd_;
  Lookout lookout_;
};

// The two loops of PlainTransport, for a descriptor that somebody else owns.
Result<std::size_t> read_socket(int fd, char* into, std::size_t size, const Wait& wait);
Result<> write_socket(int fd, std::string_view bytes, int stall_ms, const Cancellation* cancel);

// Whether bytes or the peer's end are there, without waiting for them.
bool is_readable(const Transport& connection);

// "connection reset by peer" and the like, without addresses or payload.
std::string system_message(int error_number);

}  // namespace tophand::net

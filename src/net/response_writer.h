// ResponseWriter over a socket, and the cancellation that notices that its peer has gone. Private
// to net/.
#pragma once

#include <atomic>
#include <string>
#include <string_view>

#include "base/result.h"
#include "net/http.h"
#include "net/transport.h"

namespace tophand::net {

// Cancelled once the peer has closed its side (POLLRDHUP), reset the connection, or the server hung
// up on it. A FIN from close() and a half-close look the same on the wire, and only the first write
// would tell them apart; since a computation must stop without writing, a half-close counts as
// gone.
class PeerWatch final : public Cancellation {
 public:
  explicit PeerWatch(int fd) : fd_(fd) {}  // a connected socket that outlives this
  bool cancelled() const override;
  bool stopping() const override { return stopping_.load(std::memory_order_relaxed); }
  // Cancelled from now on, because the server stops. Wakes whoever waits; what is written still
  // reaches the client. Any thread.
  void stop();
  // Bytes that the client pipelines are no sign, its hang-up is.
  Signs signs() const override { return Signs().add(fd_, POLLRDHUP); }

 private:
  int fd_;
  mutable std::atomic<bool> gone_{false};
  std::atomic<bool> stopping_{false};
};

// What the request decides about the shape of its answer.
struct ResponseShape {
  bool head_only = false;  // HEAD
  bool http_1_0 = false;   // no chunks: the end of a stream is the end of the connection
  bool keep_alive = true;
};

class SocketResponseWriter final : public ResponseWriter {
 public:
  SocketResponseWriter(int fd, const PeerWatch& peer, ResponseShape shape, int stall_timeout_ms)
      : fd_(fd), peer_(peer), shape_(shape), stall_timeout_ms_(stall_timeout_ms) {}

  Headers& headers() override { return headers_; }
  Result<> send(int status, std::string_view content_type, std::string_view body) override;
  Result<> start_stream(int status, std::string_view content_type) override;
  Result<> write(std::string_view bytes) override;
  Result<> finish() override;
  void abort() override;
  bool started() const override { return state_ != State::kIdle; }
  bool can_write() const override;
  const Cancellation& client() const override { return peer_; }

  // The answer was complete and the connection may carry another one.
  bool reusable() const { return state_ == State::kDone && shape_.keep_alive; }
  bool complete() const { return state_ == State::kDone; }
  void close_after() { shape_.keep_alive = false; }

 private:
  enum class State : std::uint8_t { kIdle, kStreaming, kDone, kBroken };
  enum class Ending : std::uint8_t { kNone, kLength, kChunked, kClose };
  std::string head(int status, std::string_view content_type, Ending ending, std::size_t bytes);
  Result<> put(std::string_view bytes, const Cancellation* cancel);
  // What a write of a stream watches. Nothing once the server stops: the last words are for a
  // client that is there, and the server hangs up on one that is not.
  const Cancellation* watched() const { return peer_.stopping() ? nullptr : &peer_; }

  int fd_;
  const PeerWatch& peer_;
  ResponseShape shape_;
  int stall_timeout_ms_;
  Headers headers_;
  State state_ = State::kIdle;
};

}  // namespace tophand::net

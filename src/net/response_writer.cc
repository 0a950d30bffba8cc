#include "net/response_writer.h"

#include <poll.h>
#include <sys/socket.h>

#include <algorithm>
#include <array>
#include <cstdio>

#include "net/head.h"

namespace tophand::net {
namespace {

// Bodies up to this size go out in one write with their head.
constexpr std::size_t kJoinedBodyMax = 64u << 10;

bool has_no_body(int status) {
  return status < 200 || status == 204 || status == 304;
}

// These frame the message, so a handler does not get to set them.
bool is_ours(std::string_view name) {
  return equals_ignoring_case(name, "Content-Length") ||
         equals_ignoring_case(name, "Transfer-Encoding") ||
         equals_ignoring_case(name, "Connection") || equals_ignoring_case(name, "Content-Type");
}

}  // namespace

// The end of reading shows as POLLRDHUP, like the peer's own.
void PeerWatch::stop() {
  stopping_.store(true, std::memory_order_relaxed);
  shutdown(fd_, SHUT_RD);
}

bool PeerWatch::cancelled() const {
  if (stopping()) return true;
  if (gone_.load(std::memory_order_relaxed)) return true;
  pollfd peer{fd_, POLLRDHUP, 0};
  if (poll(&peer, 1, 0) > 0 && peer.revents != 0) gone_.store(true, std::memory_order_relaxed);
  return gone_.load(std::memory_order_relaxed);
}

std::string SocketResponseWriter::head(int status, std::string_view content_type, Ending ending,
                                       std::size_t bytes) {
  constexpr std::size_t kUsualBytes = 1024;
  std::string out;
  out.reserve(kUsualBytes + (ending == Ending::kLength ? std::min(bytes, kJoinedBodyMax) : 0));
  ((out += "HTTP/1.1 ") += std::to_string(status)) += ' ';
  out += reason_phrase(status);
  out += "\r\n";
  const auto put_line = [&out](const Header& header) {
    ((out += header.name) += ": ") += header.value;
    out += "\r\n";
  };
  if (!content_type.empty() && is_field_value(content_type))
    ((out += "Content-Type: ") += content_type) += "\r\n";
  for (const Header& header : headers_.all()) {
    if (equals_ignoring_case(header.name, "Connection") &&
        equals_ignoring_case(header.value, "close"))
      shape_.keep_alive = false;
    if (!is_ours(header.name)) put_line(header);
  }
  if (ending == Ending::kLength) out += "Content-Length: " + std::to_string(bytes) + "\r\n";
  if (ending == Ending::kChunked) out += "Transfer-Encoding: chunked\r\n";
  if (!shape_.keep_alive) out += "Connection: close\r\n";
  out += "\r\n";
  return out;
}

Result<> SocketResponseWriter::put(std::string_view bytes, const Cancellation* cancel) {
  auto written = write_socket(fd_, bytes, stall_timeout_ms_, cancel);
  if (written) return {};
  state_ = State::kBroken;
  const bool stalled = written.error().code == Code::kDeadline;
  return fail(Code::kCancelled, stalled ? "the client stopped reading" : "the client has gone");
}

Result<> SocketResponseWriter::send(int status, std::string_view content_type,
                                    std::string_view body) {
  if (state_ != State::kIdle) return fail(Code::kBug, "a second response to one request");
  state_ = State::kDone;
  const bool bodiless = has_no_body(status);
  std::string out = head(status, bodiless ? "" : content_type,
                         bodiless ? Ending::kNone : Ending::kLength, body.size());
  // A whole answer is tried even when the client has closed its side: whoever half-closes after the
  // request still gets it, and to a dead peer it costs one failing system call.
  if (bodiless || shape_.head_only) return put(out, nullptr);
  if (body.size() <= kJoinedBodyMax) return put(out.append(body), nullptr);
  if (auto sent = put(out, nullptr); !sent) return sent;
  return put(body, nullptr);
}

Result<> SocketResponseWriter::start_stream(int status, std::string_view content_type) {
  if (state_ != State::kIdle) return fail(Code::kBug, "a second response to one request");
  if (has_no_body(status)) return fail(Code::kBug, "a stream with a status that has no body");
  state_ = State::kStreaming;
  if (shape_.http_1_0) shape_.keep_alive = false;
  return put(head(status, content_type, shape_.http_1_0 ? Ending::kClose : Ending::kChunked, 0),
             watched());
}

Result<> SocketResponseWriter::write(std::string_view bytes) {
  if (state_ == State::kBroken) return fail(Code::kCancelled, "the client has gone");
  if (state_ != State::kStreaming) return fail(Code::kBug, "a write outside a stream");
  if (!peer_.stopping() && peer_.cancelled()) {
    state_ = State::kBroken;
    return fail(Code::kCancelled, "the client has gone");
  }
  if (bytes.empty() || shape_.head_only) return {};  // an empty chunk would end the stream
  if (shape_.http_1_0) return put(bytes, watched());
  std::array<char, 24> size{};
  const int digits = std::snprintf(size.data(), size.size(), "%zx\r\n", bytes.size());
  std::string chunk;
  chunk.reserve(bytes.size() + static_cast<std::size_t>(digits) + 2);
  chunk.append(size.data(), static_cast<std::size_t>(digits)).append(bytes).append("\r\n");
  return put(chunk, watched());
}

Result<> SocketResponseWriter::finish() {
  if (state_ == State::kBroken) return fail(Code::kCancelled, "the client has gone");
  if (state_ != State::kStreaming) return fail(Code::kBug, "the end of a stream that never began");
  state_ = State::kDone;
  if (shape_.http_1_0 || shape_.head_only) return {};
  return put("0\r\n\r\n", nullptr);
}

bool SocketResponseWriter::can_write() const {
  pollfd waiting{fd_, POLLOUT, 0};
  return poll(&waiting, 1, 0) > 0 && (waiting.revents & POLLOUT) != 0;
}

void SocketResponseWriter::abort() {
  state_ = State::kBroken;
  shutdown(fd_, SHUT_RDWR);
}

}  // namespace tophand::net

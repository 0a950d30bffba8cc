#include "net/connection.h"

#include <poll.h>
#include <sys/socket.h>

#include <algorithm>
#include <array>
#include <exception>
#include <utility>

#include "base/clock.h"
#include "base/heap.h"
#include "base/log.h"
#include "net/chunked.h"
#include "net/socket.h"

namespace tophand::net {
namespace {

constexpr std::size_t kHeadReadBytes = 4u << 10;
constexpr std::size_t kBodyReadBytes = 64u << 10;
constexpr std::uint64_t kReservedBytesMax = 4u << 20;
// Few are larger: an agent's whole context is less, pictures are not. Two dozen times as much stays
// with the heap of a thread otherwise, if it was of small messages.
constexpr std::size_t kLargeBodyBytes = 1u << 20;
// After a refusal the rest of the request is read and dropped within these bounds, so that a client
// that writes first and reads later sees the answer and not a reset.
constexpr std::size_t kDrainBytesMax = 64u << 20;
constexpr int kDrainTimeoutMs = 5'000;
// A client that is one too many may take so long to say what it asks for; most have said it by
// then.
constexpr std::int64_t kRefusedHeadMs = 500;
// A body may take its timeout plus the time that this rate needs: a slow link passes, a drip not.
constexpr std::int64_t kBodyBytesPerMsMin = 64;
constexpr std::int64_t kNsPerMs = 1'000'000;

Refusal refusal(int status, Code code, std::string message) {
  return Refusal{status, Error{code, std::move(message)}};
}

Refusal body_too_large(std::uint64_t bytes_max) {
  return refusal(413, Code::kTooLarge,
                 "the request body is over " + std::to_string(bytes_max) + " bytes");
}

Refusal body_too_slow() {
  return refusal(408, Code::kDeadline, "the request body came too slowly");
}

// Passes on what came of the body, where it has a sink. Counts it either way.
std::optional<Refusal> hand_over(Request& request, std::uint64_t& received) {
  if (!request.sink) {
    received = request.body.size();
    return std::nullopt;
  }
  received += request.body.size();
  Result<> taken;
  try {
    taken = request.sink->write(request.body);
  } catch (const std::exception&) {
    log::error("http.body_sink_threw");
    taken = fail(Code::kBug, "internal error");
  }
  request.body.clear();
  if (taken) return std::nullopt;
  return Refusal{info(taken.error().code).http_status, taken.error()};
}

// What of a request is known whose head is refused, for the form of the refusal: its method and its
// path as it was sent, if its first line is there.
Request begun(std::string_view buffer) {
  Request request;
  const std::string_view line = buffer.substr(0, buffer.find("\r\n"));
  const std::size_t target = line.find(' '), end = line.rfind(" HTTP/1.");
  if (line.size() == buffer.size() || target == std::string_view::npos || target >= end ||
      end == std::string_view::npos)
    return request;
  request.method = line.substr(0, target);
  const std::string_view path = line.substr(target + 1, end - target - 1);
  request.path = path.substr(0, path.find('?'));
  return request;
}

// The deadline of a body of which `received` bytes have come.
Wait body_wait(std::int64_t start_ns, int timeout_ms, std::uint64_t received) {
  const std::int64_t allowed_ms =
      timeout_ms + static_cast<std::int64_t>(received) / kBodyBytesPerMsMin;
  return Wait{.deadline_ns = start_ns + allowed_ms * kNsPerMs, .cancel = nullptr};
}

}  // namespace

Connection::Connection(Fd socket, const ServerOptions& options, const CancelFlag& stopping,
                       Admission admission)
    : socket_(std::move(socket)),
      options_(options),
      stopping_(stopping),
      admission_(admission),
      watch_(socket_.get()),
      peer_(peer_name(socket_.get())) {
  set_no_delay(socket_.get());
}

void Connection::hang_up() {
  shutdown(socket_.get(), SHUT_RDWR);
}

void Connection::serve() {
  if (admission_ == Admission::kTooMany) {
    // For the form of the refusal, which is its path's, as far as it comes in time.
    static_cast<void>(read_head(system_clock().mono_ns() + kRefusedHeadMs * kNsPerMs));
    const Request request = begun(buffer_);
    refuse_and_close(refusal(503, Code::kExhausted, "too many connections"), request);
    return;
  }
  Next next = Next::kRequest;
  while (next == Next::kRequest) {
    next = serve_one();
    first_ = false;
    // Its answer is written and its memory free; what a body is read into takes many times as much.
    if (std::exchange(body_bytes_, 0) >= kLargeBodyBytes) return_free_memory();
  }
}

Connection::Next Connection::serve_one() {
  if (buffer_.empty() && !wait_for_first_byte()) return Next::kClose;
  const std::int64_t deadline_ns =
      system_clock().mono_ns() + options_.limits.header_timeout_ms * kNsPerMs;
  const auto head_size = read_head(deadline_ns);
  if (!head_size) return Next::kClose;
  const auto refuse_head = [this](const Refusal& no) {
    return refuse_and_close(no, begun(buffer_));
  };
  if (!*head_size) return refuse_head(head_size->error());
  auto head = parse_request_head(std::string_view(buffer_).substr(0, **head_size));
  if (!head) return refuse_head(head.error());
  buffer_.erase(0, **head_size);
  if (buffer_.empty()) buffer_.shrink_to_fit();  // an idle connection holds no buffer
  return serve_request(std::move(*head));
}

bool Connection::wait_for_first_byte() {
  const ServerLimits& limits = options_.limits;
  const Wait wait = wait_ms(first_ ? limits.header_timeout_ms : limits.idle_timeout_ms, &stopping_);
  return wait_for(socket_.get(), POLLIN, wait).has_value();
}

Result<std::size_t> Connection::read_more(std::string& into, std::size_t bytes, const Wait& wait) {
  if (bytes > kHeadReadBytes) {
    const std::size_t before = into.size();
    into.resize(before + bytes);
    auto n = read_socket(socket_.get(), into.data() + before, bytes, wait);
    into.resize(before + n.value_or(0));
    return n;
  }
  std::array<char, kHeadReadBytes> piece;  // not zeroed: a head is mostly much smaller
  auto n = read_socket(socket_.get(), piece.data(), bytes, wait);
  into.append(piece.data(), n.value_or(0));
  return n;
}

std::optional<Parsed<std::size_t>> Connection::read_head(std::int64_t deadline_ns) {
  const ServerLimits& limits = options_.limits;
  HeadScanner scanner(HeadLimits{.first_line_bytes_max = 8u << 10,
                                 .bytes_max = limits.header_bytes_max,
                                 .headers_max = limits.headers_max});
  bool skipped_empty_line = false;
  for (;;) {
    // RFC 9112, 2.2: one empty line before a request line is forgiven.
    if (!skipped_empty_line && buffer_.starts_with("\r\n")) {
      buffer_.erase(0, 2);
      skipped_empty_line = true;
    }
    if (buffer_ != "\r" || skipped_empty_line) {
      auto size = scanner.scan(buffer_);
      if (!size || *size != 0) return size;
    }
    auto n =
        read_more(buffer_, kHeadReadBytes, Wait{.deadline_ns = deadline_ns, .cancel = &stopping_});
    if (!n && n.error().code == Code::kDeadline && !buffer_.empty())
      return refuse(408, Code::kDeadline, "the request headers came too slowly");
    if (!n || *n == 0) return std::nullopt;
  }
}

Connection::Next Connection::serve_request(RequestHead head) {
  Request& request = head.request;
  request.peer = peer_;
  if (options_.gatekeeper) {
    Result<std::string> admitted;
    try {
      admitted = options_.gatekeeper(request);
    } catch (const std::exception&) {
      log::error("http.gatekeeper_threw");
      admitted = fail(Code::kBug, "internal error");
    }
    if (!admitted) {
      const Refusal no{info(admitted.error().code).http_status, admitted.error()};
      return refuse_and_close(no, request);
    }
    request.caller = *std::move(admitted);
  }
  bool gone = false;
  if (const auto no = read_body(head, gone)) return refuse_and_close(*no, request);
  body_bytes_ = request.body.size();
  if (gone) return Next::kClose;
  const ResponseShape shape{.head_only = request.method == "HEAD",
                            .http_1_0 = head.minor_version == 0,
                            .keep_alive = head.keep_alive && !stopping_.cancelled()};
  SocketResponseWriter writer(socket_.get(), watch_, shape, options_.limits.stall_timeout_ms);
  return call_handler(request, writer);
}

std::optional<Refusal> Connection::choose_body_place(Request& request, std::uint64_t& bytes_max) {
  bytes_max = options_.limits.body_bytes_max;
  if (!options_.body_chooser) return std::nullopt;
  Result<BodyPlace> place;
  try {
    place = options_.body_chooser(request);
  } catch (const std::exception&) {
    log::error("http.body_chooser_threw");
    place = fail(Code::kBug, "internal error");
  }
  if (!place) return Refusal{info(place.error().code).http_status, place.error()};
  if (!place->sink) return std::nullopt;
  request.sink = std::move(place->sink);
  bytes_max = place->bytes_max;
  return std::nullopt;
}

std::optional<Refusal> Connection::read_body(RequestHead& head, bool& gone) {
  std::uint64_t bytes_max = 0;
  if (const auto no = choose_body_place(head.request, bytes_max)) return no;
  if (head.body == BodyKind::kNone) return std::nullopt;
  if (head.body == BodyKind::kLength && head.body_bytes > bytes_max)
    return body_too_large(bytes_max);
  if (head.expects_continue && buffer_.empty() &&
      !write_socket(socket_.get(), "HTTP/1.1 100 Continue\r\n\r\n", options_.limits.body_timeout_ms,
                    nullptr)) {
    gone = true;
    return std::nullopt;
  }
  return head.body == BodyKind::kLength ? read_length_body(head, gone)
                                        : read_chunked_body(head, bytes_max, gone);
}

std::optional<Refusal> Connection::read_length_body(RequestHead& head, bool& gone) {
  const std::uint64_t size = head.body_bytes;
  std::string& body = head.request.body;
  const auto have = static_cast<std::size_t>(std::min<std::uint64_t>(size, buffer_.size()));
  body = buffer_.substr(0, have);
  buffer_.erase(0, have);
  // What is announced and may not come takes addresses, and memory only when it does.
  if (!head.request.sink) body.reserve(static_cast<std::size_t>(std::min(size, kReservedBytesMax)));
  std::uint64_t received = 0;
  if (const auto no = hand_over(head.request, received)) return no;
  const std::int64_t start_ns = system_clock().mono_ns();
  while (received < size) {
    const Wait wait = body_wait(start_ns, options_.limits.body_timeout_ms, received);
    const auto piece =
        static_cast<std::size_t>(std::min<std::uint64_t>(size - received, kBodyReadBytes));
    const auto n = read_more(body, piece, wait);
    if (!n && n.error().code == Code::kDeadline) return body_too_slow();
    gone = !n || *n == 0;
    if (gone) return std::nullopt;
    if (const auto no = hand_over(head.request, received)) return no;
  }
  return std::nullopt;
}

std::optional<Refusal> Connection::read_chunked_body(RequestHead& head, std::uint64_t bytes_max,
                                                     bool& gone) {
  ChunkDecoder decoder(ChunkSource::kClient);
  std::uint64_t received = 0;
  const std::int64_t start_ns = system_clock().mono_ns();
  for (;;) {
    const auto used = decoder.push(buffer_, head.request.body);
    if (!used) return refusal(400, Code::kInvalid, used.error().message);
    buffer_.erase(0, *used);
    if (const auto no = hand_over(head.request, received)) return no;
    if (received > bytes_max || decoder.chunk_left() > bytes_max - received)
      return body_too_large(bytes_max);
    if (decoder.done()) return std::nullopt;
    const Wait wait = body_wait(start_ns, options_.limits.body_timeout_ms, received);
    const auto n = read_more(buffer_, kBodyReadBytes, wait);
    if (!n && n.error().code == Code::kDeadline) return body_too_slow();
    gone = !n || *n == 0;
    if (gone) return std::nullopt;
  }
}

Connection::Next Connection::call_handler(const Request& request, SocketResponseWriter& writer) {
  bool threw = false;
  try {
    options_.handler(request, writer);
  } catch (const std::exception&) {
    threw = true;  // its text may hold a prompt, so it is not logged
  } catch (...) {
    threw = true;
  }
  if (threw) log::error("http.handler_threw");
  if (!writer.started()) {
    writer.close_after();
    send_error(writer, refusal(500, Code::kBug, "internal error"), request.path);
  }
  // A stream that was not finished ends without its last chunk, so that nobody takes it for whole.
  if (threw || !writer.complete()) return Next::kClose;
  return writer.reusable() && !stopping_.cancelled() ? Next::kRequest : Next::kClose;
}

void Connection::send_error(SocketResponseWriter& writer, const Refusal& no,
                            std::string_view path) {
  ErrorReply reply{"text/plain; charset=utf-8", no.error.message + "\n"};
  try {
    if (options_.error_formatter) reply = options_.error_formatter(no.error, path);
  } catch (const std::exception&) {
    log::error("http.error_formatter_threw");
  }
  for (const Header& header : reply.headers.all()) writer.headers().add(header.name, header.value);
  static_cast<void>(writer.send(no.status, reply.content_type, reply.body));
}

Connection::Next Connection::refuse_and_close(const Refusal& no, const Request& request) {
  const ResponseShape shape{.head_only = request.method == "HEAD", .keep_alive = false};
  SocketResponseWriter writer(socket_.get(), watch_, shape, kDrainTimeoutMs);
  send_error(writer, no, request.path);
  shutdown(socket_.get(), SHUT_WR);
  drain();
  return Next::kClose;
}

void Connection::drain() {
  const Wait wait = wait_ms(kDrainTimeoutMs, &stopping_);
  std::size_t drained = 0;
  while (drained < kDrainBytesMax) {
    buffer_.clear();
    const auto n = read_more(buffer_, kBodyReadBytes, wait);
    if (!n || *n == 0) return;
    drained += *n;
  }
}

}  // namespace tophand::net

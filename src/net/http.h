// HTTP/1.1 messages, the server, and what a handler sees. Blocking calls on one small-stack thread
// a connection (docs/decisions/0001): no coroutines, so no library type leaks out of this room.
#pragma once

#include <poll.h>

#include <array>

#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"

namespace tophand::net {

struct Header {
  std::string name, value;
};

// What may stand around a header's value without being a part of it (RFC 9110, 5.5).
inline constexpr std::string_view kValueSpaces = " \t";

class Headers {
 public:
  // False, and nothing changes, when the name is no token or the value holds CR, LF, NUL or another
  // control character: such a value would forge a header.
  bool add(std::string_view name, std::string_view value);
  // For names and values that cannot be refused: they have been checked.
  void add_checked(std::string_view name, std::string_view value);
  bool set(std::string_view name, std::string_view value);  // replaces every one of that name
  void erase(std::string_view name);
  std::optional<std::string_view> find(std::string_view name) const;  // case-insensitive, first
  std::string_view get(std::string_view name, std::string_view fallback = "") const;
  const std::vector<Header>& all() const { return items_; }

 private:
  std::vector<Header> items_;
};

// Takes a request's body as it comes, where it is too large to be held in memory. Called from the
// connection's thread; gone with the request, whether or not the whole body came.
class BodySink {
 public:
  virtual ~BodySink() = default;
  // An error refuses the request with its status.
  virtual Result<> write(std::string_view bytes) = 0;
};

struct Request {
  std::string method;  // upper case
  std::string target;  // as sent: "/v1/messages?beta=true"
  std::string path;    // percent-decoded, without the query
  std::string query;   // raw, without '?'
  Headers headers;
  std::string body;                // empty when it went to a sink
  std::shared_ptr<BodySink> sink;  // that has the whole body; usually none
  std::string peer;                // "127.0.0.1:55012" or "unix"
  std::string caller;              // whom the gatekeeper took it for; "" without one
};

// Tells a blocking call to stop early. Waits watch a file descriptor too (the client's socket, to
// notice that it has gone), a flag, and a deadline. Thread-safe.
class Cancellation {
 public:
  // What a wait has to look at beside its own descriptor. Asked anew for each poll(2): it may
  // change. With no descriptor at all, cancelled() is asked every few milliseconds.
  struct Signs {
    static constexpr std::size_t kMax = 3;  // a client, a retry in its place, a rival of a hedge
    std::array<pollfd, kMax> fds{pollfd{-1, 0, 0}, pollfd{-1, 0, 0}, pollfd{-1, 0, 0}};
    std::size_t count = 0;
    std::int64_t deadline_ns = 0;  // of the system's monotonic clock; 0: none

    Signs& add(int fd, short events) {
      if (fd >= 0 && count < kMax) fds[count++] = {fd, events, 0};
      return *this;
    }
  };
  virtual ~Cancellation() = default;
  virtual bool cancelled() const = 0;  // flag set, or the peer has hung up
  virtual Signs signs() const = 0;     // one of them shows when cancelled() may have become true
  // Cancelled by the server, which stops, while the client may still be there: there is a moment
  // left to tell it so.
  virtual bool stopping() const { return false; }
};

// Writes one response. Either send() once, or start_stream() then write()... then finish().
// Every call returns kCancelled once the client has gone. Not thread-safe.
class ResponseWriter {
 public:
  virtual ~ResponseWriter() = default;
  virtual Headers& headers() = 0;  // added to whatever is sent; changes after the start are lost
  virtual Result<> send(int status, std::string_view content_type, std::string_view body) = 0;
  // Chunked. Blocks while the client reads slowly (backpressure); a client that takes nothing for
  // the stall limit is dropped.
  virtual Result<> start_stream(int status, std::string_view content_type) = 0;
  virtual Result<> write(std::string_view bytes) = 0;
  virtual Result<> finish() = 0;
  // Ends the connection without the closing chunk, so that the client sees a broken stream.
  virtual void abort() = 0;
  virtual bool started() const = 0;
  // False while a client that reads slowly would make a small write wait.
  virtual bool can_write() const { return true; }
  virtual const Cancellation& client() const = 0;  // cancelled when the client hangs up
};

struct ServerLimits {
  std::size_t body_bytes_max = 32u << 20;  // Anthropic's own limit
  std::size_t header_bytes_max = 32u << 10;
  std::size_t headers_max = 100;
  std::size_t connections_max = 1024;
  int header_timeout_ms = 10'000;
  int body_timeout_ms = 30'000;
  int idle_timeout_ms = 120'000;  // keep-alive between requests
  int stall_timeout_ms = 60'000;  // a client that reads nothing while we stream
};

using Handler = std::function<void(const Request&, ResponseWriter&)>;
// Writes the body of an error that the HTTP layer itself raises (413, 431, 400, 408): the caller
// picks the dialect's shape. `path` is "" when the request line could not be read.
struct ErrorReply {
  std::string content_type, body;
  Headers headers = {};  // added to the response
};
using ErrorFormatter = std::function<ErrorReply(const Error&, std::string_view path)>;
// Called once the headers are read, before any body byte: an Error refuses the request (auth,
// Host), so that strangers cannot make us buffer. What it returns becomes Request::caller.
using Gatekeeper = std::function<Result<std::string>(const Request& head)>;

// Asked after the gatekeeper, before any body byte: where the body goes, and how large it may be.
// No sink: it is held in Request::body, within ServerLimits.
struct BodyPlace {
  std::shared_ptr<BodySink> sink = {};
  std::uint64_t bytes_max = 0;
};
using BodyChooser = std::function<Result<BodyPlace>(const Request& head)>;

struct ServerOptions {
  std::string address = "127.0.0.1";  // or "unix:/path/to.sock" (mode 0600)
  std::uint16_t port = 0;             // 0: a free one
  ServerLimits limits = {};
  std::size_t stack_bytes = std::size_t{256} << 10;  // of a connection's thread (decisions/0001)
  Handler handler = {};
  Gatekeeper gatekeeper = {};           // may be empty
  BodyChooser body_chooser = {};        // may be empty
  ErrorFormatter error_formatter = {};  // may be empty: plain text
};

class Server {
 public:
  virtual ~Server() = default;  // stops
  // Binds and listens; connections are served from now on. kConflict when the address is taken.
  static Result<std::unique_ptr<Server>> start(ServerOptions options);
  virtual std::uint16_t port() const = 0;
  virtual std::size_t open_connections() const = 0;
  // Stops accepting, waits up to `grace_ms` for running requests, then cancels them, and hangs up
  // on those that are not over a second later.
  virtual void stop(int grace_ms) = 0;
};

}  // namespace tophand::net

// One accepted connection: reads requests, asks the gatekeeper, calls the handler, keeps the order.
// Private to net/. serve() runs on the connection's own thread; last_call() and hang_up() may be
// called from others.
#pragma once

#include <cstddef>
#include <optional>
#include <string>
#include <string_view>

#include "net/cancel.h"
#include "net/head.h"
#include "net/http.h"
#include "net/response_writer.h"
#include "net/transport.h"

namespace tophand::net {

enum class Admission : std::uint8_t { kServe, kTooMany };  // kTooMany: answer 503 and close

class Connection {
 public:
  // `options` and `stopping` outlive the connection.
  Connection(Fd socket, const ServerOptions& options, const CancelFlag& stopping,
             Admission admission);
  // Serves until the peer leaves, an error, a timeout, or `stopping` between two requests.
  void serve();
  // Cancels the request under way, whose handler may still tell the client; see Cancellation.
  void last_call() { watch_.stop(); }
  // Breaks the connection: whatever waits on it returns, and its handler sees the client as gone.
  void hang_up();

 private:
  enum class Next : std::uint8_t { kRequest, kClose };
  Next serve_one();
  bool wait_for_first_byte();
  // Nothing: close without a word (the peer has gone, or the server stops).
  std::optional<Parsed<std::size_t>> read_head(std::int64_t deadline_ns);
  Next serve_request(RequestHead head);
  std::optional<Refusal> choose_body_place(Request& request, std::uint64_t& bytes_max);
  std::optional<Refusal> read_body(RequestHead& head, bool& gone);
  std::optional<Refusal> read_length_body(RequestHead& head, bool& gone);
  std::optional<Refusal> read_chunked_body(RequestHead& head, std::uint64_t bytes_max, bool& gone);
  Result<std::size_t> read_more(std::string& into, std::size_t bytes, const Wait& wait);
  Next call_handler(const Request& request, SocketResponseWriter& writer);
  void send_error(SocketResponseWriter& writer, const Refusal& refusal, std::string_view path);
  // `request`: as far as it could be read.
  Next refuse_and_close(const Refusal& refusal, const Request& request);
  void drain();

  Fd socket_;
  const ServerOptions& options_;
  const CancelFlag& stopping_;
  Admission admission_;
  PeerWatch watch_;
  std::string peer_;
  std::string buffer_;          // received and not yet used
  std::size_t body_bytes_ = 0;  // of the request under way
  bool first_ = true;
};

}  // namespace tophand::net

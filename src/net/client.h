// HTTP/1.1 client: TCP, TLS (verified, system roots) and Unix sockets; keep-alive pool; streamed
// bodies; no redirects, no proxies from the environment, no decompression.
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <string_view>

#include "base/result.h"
#include "net/http.h"

namespace tophand::net {

// "http://host:port/base", "https://host/base" or "unix:/path/to.sock" (requests go to "/").
struct Endpoint {
  std::string scheme;  // "http", "https", "unix"
  std::string host;    // or the socket's path
  std::uint16_t port = 0;
  std::string base_path;  // without trailing '/'
};
Result<Endpoint> parse_endpoint(std::string_view url);

struct ClientRequest {
  std::string method = "POST";
  std::string path = {};  // with query; appended to base_path
  Headers headers = {};   // Host, Content-Length and Connection are ours
  std::string_view body = {};
  int connect_timeout_ms = 5'000;
  int first_byte_timeout_ms = 600'000;     // until the response headers
  int idle_timeout_ms = 300'000;           // between body bytes
  std::size_t body_bytes_max = 64u << 20;  // of read_all()
  // Set once all of it has been written, the first time or again: what was not cannot have been
  // understood. May be nullptr.
  bool* written = nullptr;
  // Called when the request has been written, before the response is waited for, unless it is there
  // already: what is done here costs no time. Once more when it is written again to a fresh
  // connection. May be empty.
  std::function<void()> meanwhile = {};
};

// A response whose body is read as it comes. Destroying it before the end closes the connection
// (which is how an upstream is told to stop); after the end the connection goes back to the pool.
class ClientResponse {
 public:
  virtual ~ClientResponse() = default;
  virtual int status() const = 0;
  virtual const Headers& headers() const = 0;
  // The next piece of the body; empty at its proper end. kUpstream when it is cut short, kDeadline
  // when idle too long, kCancelled when `cancel` fires while waiting.
  virtual Result<std::string> read(const Cancellation* cancel) = 0;
  Result<std::string> read_all(const Cancellation* cancel, std::size_t bytes_max);
};

class Client {
 public:
  virtual ~Client() = default;
  // `ca_file`: extra trusted root (PEM) for private endpoints and tests; "" for the system's only.
  static std::unique_ptr<Client> create(std::string ca_file = "");
  // Sends the request and reads the response's head. A stale pooled connection is retried once on a
  // fresh one, only while no byte of the response has come. A refusal that comes while a large body
  // is still being written ends the writing, and its connection. kUnavailable: cannot connect.
  virtual Result<std::unique_ptr<ClientResponse>> send(const Endpoint& to,
                                                       const ClientRequest& request,
                                                       const Cancellation* cancel) = 0;
};

}  // namespace tophand::net

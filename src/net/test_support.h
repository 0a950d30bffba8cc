// What the tests and benchmarks of this room share: a raw client that sends exact bytes, a raw
// server that answers with exact bytes, and names. Header-only; never included by the product.
#pragma once

#include <poll.h>
#include <sys/socket.h>
#include <unistd.h>

#include <functional>
#include <string>
#include <string_view>
#include <thread>
#include <utility>

#include "base/random.h"
#include "net/cancel.h"
#include "net/client.h"
#include "net/http.h"
#include "net/socket.h"
#include "net/transport.h"

namespace tophand::net::testing_support {

constexpr int kPatienceMs = 20'000;  // only ever reached by a test that fails

// A TCP connection on which a test says exactly what it wants.
class RawClient {
 public:
  explicit RawClient(std::uint16_t port) {
    Resolver names;
    auto fd = connect_tcp(names, "127.0.0.1", port, wait_ms(kPatienceMs, nullptr));
    if (fd) fd_ = std::move(*fd);
  }
  // False when the peer had already closed: refusals may come before everything is written.
  bool send(std::string_view bytes) {
    return write_socket(fd_.get(), bytes, kPatienceMs, nullptr).has_value();
  }
  // Reads until the text holds `mark`, the peer closes, or patience ends.
  std::string read_until(std::string_view mark) {
    while (text_.find(mark) == std::string::npos && read_some()) {
    }
    return text_;
  }
  std::string read_to_end() {
    while (read_some()) {
    }
    return text_;
  }
  // True when the peer has closed and nothing is left to read.
  bool closed() {
    while (read_some()) {
    }
    return ended_;
  }
  void end_writing() { shutdown(fd_.get(), SHUT_WR); }
  void close() { fd_.reset(); }
  void forget() { text_.clear(); }
  int fd() const { return fd_.get(); }

 private:
  bool read_some() {
    char piece[4096];
    const auto n = read_socket(fd_.get(), piece, sizeof piece, wait_ms(kPatienceMs, nullptr));
    ended_ = (n && *n == 0) || (!n && n.error().code == Code::kIo);
    if (!n || *n == 0) return false;
    text_.append(piece, *n);
    return true;
  }

  Fd fd_;
  std::string text_;
  bool ended_ = false;
};

// Accepts connections one after another and gives each, with its number, to `script`.
class RawServer {
 public:
  using Script = std::function<void(int fd, int connection)>;
  explicit RawServer(Script script)
      : script_(std::move(script)),
        listener_(std::move(*listen_tcp("127.0.0.1", 0, 16))),
        port_(local_port(listener_.get())),
        thread_([this] { run(); }) {}
  ~RawServer() {
    stop_.cancel();
    thread_.join();
  }
  std::uint16_t port() const { return port_; }
  Endpoint endpoint() const { return *parse_endpoint("http://127.0.0.1:" + std::to_string(port_)); }

 private:
  void run() {
    for (int number = 0;; ++number) {
      if (!wait_for(listener_.get(), POLLIN, wait_ms(kPatienceMs * 10, &stop_))) return;
      const Fd fd(accept4(listener_.get(), nullptr, nullptr, SOCK_CLOEXEC | SOCK_NONBLOCK));
      if (fd) script_(fd.get(), number);
    }
  }

  Script script_;
  Fd listener_;
  std::uint16_t port_;
  CancelFlag stop_;
  std::thread thread_;
};

// Reads one request with a known end; what came is returned.
inline std::string read_request(int fd, std::string_view mark = "\r\n\r\n") {
  std::string text;
  char piece[4096];
  while (text.find(mark) == std::string::npos) {
    const auto n = read_socket(fd, piece, sizeof piece, wait_ms(kPatienceMs, nullptr));
    if (!n || *n == 0) return text;
    text.append(piece, *n);
  }
  return text;
}

inline void say(int fd, std::string_view bytes) {
  static_cast<void>(write_socket(fd, bytes, kPatienceMs, nullptr));
}

// Waits until the peer closes, so that a script does not end the connection first.
inline void wait_for_close(int fd) {
  char piece[4096];
  for (;;) {
    const auto n = read_socket(fd, piece, sizeof piece, wait_ms(kPatienceMs, nullptr));
    if (!n || *n == 0) return;
  }
}

// How much is read of what is there already once a cancellation has fired; ~0 when it all was.
inline std::size_t read_after_cancelling(Transport& from) {
  CancelFlag cancel;
  cancel.cancel();
  char piece[64];
  for (std::size_t bytes = 0;;) {
    const auto n = from.read(piece, sizeof piece, wait_ms(kPatienceMs, &cancel));
    if (!n) return n.error().code == Code::kCancelled ? bytes : ~std::size_t{0};
    if (*n == 0) return ~std::size_t{0};
    bytes += *n;
  }
}

inline Endpoint endpoint_of(const Server& server) {
  return *parse_endpoint("http://127.0.0.1:" + std::to_string(server.port()));
}

inline std::string scratch_path(std::string_view suffix) {
  const char* folder = std::getenv("TMPDIR");
  return std::string(folder != nullptr ? folder : "/tmp") + "/tophand-" + random_hex(8) +
         std::string(suffix);
}

struct Answer {
  int status = 0;
  std::string body;
};

// One request, its whole answer; status 0 and the error's message when there was none.
inline Answer ask(Client& client, const Endpoint& to, const ClientRequest& request) {
  auto response = client.send(to, request, nullptr);
  if (!response) return Answer{0, response.error().message};
  auto body = (*response)->read_all(nullptr, request.body_bytes_max);
  return Answer{(*response)->status(), body ? *body : body.error().message};
}

}  // namespace tophand::net::testing_support

#include "net/socket.h"

#include <netdb.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include <arpa/inet.h>

#include <array>
#include <cerrno>
#include <cstddef>
#include <cstring>
#include <memory>
#include <optional>

namespace tophand::net {
namespace {

constexpr int kSocketFlags = SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC;

struct UnixAddress {
  sockaddr_un name{};
  socklen_t size = 0;
  const sockaddr* get() const { return reinterpret_cast<const sockaddr*>(&name); }
};

Result<UnixAddress> unix_address(const std::string& path) {
  UnixAddress out;
  if (path.empty() || path.size() >= sizeof out.name.sun_path ||
      path.find('\0') != std::string::npos)
    return fail(Code::kConfig, "a socket path has 1 to " +
                                   std::to_string(sizeof out.name.sun_path - 1) + " bytes");
  out.name.sun_family = AF_UNIX;
  std::memcpy(out.name.sun_path, path.c_str(), path.size() + 1);
  out.size = static_cast<socklen_t>(offsetof(sockaddr_un, sun_path) + path.size() + 1);
  return out;
}

// Starts connecting and waits for the outcome.
Result<> connect_and_wait(int fd, const sockaddr* address, socklen_t size, const Wait& wait) {
  if (connect(fd, address, size) == 0) return {};
  // A Unix socket whose backlog is full says EAGAIN at once, and poll() would not tell when to
  // retry.
  if (errno != EINPROGRESS && errno != EINTR)
    return fail(Code::kUnavailable, "connect: " + system_message(errno));
  if (auto ready = wait_for(fd, POLLOUT, wait); !ready) {
    if (ready.error().code == Code::kDeadline)
      return fail(Code::kUnavailable, "connect: timed out");
    return ready;
  }
  int error_number = 0;
  socklen_t length = sizeof error_number;
  getsockopt(fd, SOL_SOCKET, SO_ERROR, &error_number, &length);
  if (error_number != 0)
    return fail(Code::kUnavailable, "connect: " + system_message(error_number));
  return {};
}

// True when `path` is a socket file that nobody listens on.
bool is_stale_socket(const std::string& path, const UnixAddress& address) {
  struct stat info{};
  if (lstat(path.c_str(), &info) != 0 || !S_ISSOCK(info.st_mode)) return false;
  const Fd probe(socket(AF_UNIX, kSocketFlags, 0));
  return probe && connect(probe.get(), address.get(), address.size) != 0 && errno == ECONNREFUSED;
}

// Tries one address. Nothing when the next one should be tried; `last` then says why (errno).
std::optional<Fd> try_listen(const addrinfo& address, int backlog, int& last) {
  Fd fd(socket(address.ai_family, kSocketFlags, 0));
  const int on = 1;
  if (fd) setsockopt(fd.get(), SOL_SOCKET, SO_REUSEADDR, &on, sizeof on);
  if (fd && bind(fd.get(), address.ai_addr, address.ai_addrlen) == 0 &&
      listen(fd.get(), backlog) == 0)
    return fd;
  last = errno;
  return std::nullopt;
}

}  // namespace

Result<Fd> listen_tcp(const std::string& address, std::uint16_t port, int backlog) {
  auto addresses = look_up_now(address, port, AI_PASSIVE);  // at the start, where nobody waits
  if (!addresses) return fail(Code::kConfig, addresses.error().message);
  int last = EADDRNOTAVAIL;
  for (const addrinfo* at = addresses->get(); at != nullptr; at = at->ai_next)
    if (auto fd = try_listen(*at, backlog, last)) return std::move(*fd);
  const Code code = last == EADDRINUSE ? Code::kConflict : Code::kIo;
  return fail(code, address + " port " + std::to_string(port) + ": " + system_message(last));
}

Result<Fd> listen_unix(const std::string& path, int backlog) {
  TOPHAND_TRY(address, "listen", unix_address(path));
  Fd fd(socket(AF_UNIX, kSocketFlags, 0));
  if (!fd) return fail(Code::kIo, "socket: " + system_message(errno));
  // Linux gives the file the mode of the socket, so that it is never wider than 0600, not even for
  // a moment, and without touching the process's umask.
  fchmod(fd.get(), 0600);
  int rc = bind(fd.get(), address.get(), address.size);
  if (rc != 0 && errno == EADDRINUSE) {
    if (!is_stale_socket(path, address))
      return fail(Code::kIo, "listen on unix:" + path + ": the socket is in use");
    unlink(path.c_str());
    rc = bind(fd.get(), address.get(), address.size);
  }
  if (rc != 0) return fail(Code::kIo, "listen on unix:" + path + ": " + system_message(errno));
  if (chmod(path.c_str(), 0600) != 0 || listen(fd.get(), backlog) != 0)
    return fail(Code::kIo, "listen on unix:" + path + ": " + system_message(errno));
  return fd;
}

std::uint16_t local_port(int fd) {
  sockaddr_storage name{};
  socklen_t size = sizeof name;
  if (getsockname(fd, reinterpret_cast<sockaddr*>(&name), &size) != 0) return 0;
  if (name.ss_family == AF_INET) return ntohs(reinterpret_cast<sockaddr_in*>(&name)->sin_port);
  if (name.ss_family == AF_INET6) return ntohs(reinterpret_cast<sockaddr_in6*>(&name)->sin6_port);
  return 0;
}

std::string peer_name(int fd) {
  sockaddr_storage name{};
  socklen_t size = sizeof name;
  if (getpeername(fd, reinterpret_cast<sockaddr*>(&name), &size) != 0) return "gone";
  if (name.ss_family == AF_UNIX) return "unix";
  std::array<char, NI_MAXHOST> host{};
  std::array<char, NI_MAXSERV> port{};
  if (getnameinfo(reinterpret_cast<sockaddr*>(&name), size, host.data(), host.size(), port.data(),
                  port.size(), NI_NUMERICHOST | NI_NUMERICSERV) != 0)
    return "unknown";
  const std::string text = host.data();
  return (name.ss_family == AF_INET6 ? "[" + text + "]" : text) + ":" + port.data();
}

void set_no_delay(int fd) {
  const int on = 1;
  setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);  // fails harmlessly on Unix sockets
}

Result<Fd> connect_tcp(Resolver& names, const std::string& host, std::uint16_t port,
                       const Wait& wait) {
  TOPHAND_TRY(addresses, "connect", names.resolve(host, port, wait));
  Error last{Code::kUnavailable, "connect: no address"};
  for (const addrinfo* at = addresses.get(); at != nullptr; at = at->ai_next) {
    Fd fd(socket(at->ai_family, kSocketFlags, 0));
    if (!fd) {
      last = Error{Code::kUnavailable, "socket: " + system_message(errno)};
      continue;
    }
    auto connected = connect_and_wait(fd.get(), at->ai_addr, at->ai_addrlen, wait);
    if (connected) {
      set_no_delay(fd.get());
      return fd;
    }
    if (connected.error().code == Code::kCancelled) return tl::unexpected(connected.error());
    last = connected.error();
  }
  return tl::unexpected(std::move(last).within(host + " port " + std::to_string(port)));
}

Result<Fd> connect_unix(const std::string& path, const Wait& wait) {
  TOPHAND_TRY(address, "connect", unix_address(path));
  Fd fd(socket(AF_UNIX, kSocketFlags, 0));
  if (!fd) return fail(Code::kUnavailable, "socket: " + system_message(errno));
  if (auto connected = connect_and_wait(fd.get(), address.get(), address.size, wait); !connected)
    return tl::unexpected(std::move(connected).error().within("unix:" + path));
  return fd;
}

}  // namespace tophand::net

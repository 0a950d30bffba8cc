// Listening and connecting, TCP and Unix, always non-blocking and close-on-exec. Private to net/.
#pragma once

#include <cstdint>
#include <string>

#include "base/result.h"
#include "net/resolver.h"
#include "net/transport.h"

namespace tophand::net {

// kConflict when the address is taken, kIo when it cannot be bound, kConfig when it is no address.
Result<Fd> listen_tcp(const std::string& address, std::uint16_t port, int backlog);
// Creates the socket file with mode 0600. A file that a dead process left is replaced; kIo when
// somebody listens there or when it is not a socket.
Result<Fd> listen_unix(const std::string& path, int backlog);
std::uint16_t local_port(int fd);
std::string peer_name(int fd);  // "127.0.0.1:55012", "[::1]:55012" or "unix"
void set_no_delay(int fd);

// kUnavailable when nobody answers; kDeadline never: not connecting in time is kUnavailable too.
Result<Fd> connect_tcp(Resolver& names, const std::string& host, std::uint16_t port,
                       const Wait& wait);
Result<Fd> connect_unix(const std::string& path, const Wait& wait);

}  // namespace tophand::net

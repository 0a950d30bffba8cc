// Names to addresses without being held up: getaddrinfo(3) knows no deadline and cannot be told to
// stop, so that names are looked up in threads of their own, which a request waits for as for
// everything else. Private to net/. Thread-safe.
#pragma once

#include <netdb.h>

#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <mutex>
#include <string>

#include "base/result.h"
#include "net/transport.h"

namespace tophand::net {

using Addresses = std::shared_ptr<const addrinfo>;

// As getaddrinfo(3).
using AskForNames = std::function<int(const char*, const char*, const addrinfo*, addrinfo**)>;

// Of TCP, with AI_... `flags`, for as long as it takes. kUnavailable.
Result<Addresses> look_up_now(const std::string& host, std::uint16_t port, int flags,
                              const AskForNames& ask = ::getaddrinfo);

class Resolver {
 public:
  using Ask = AskForNames;
  explicit Resolver(Ask ask = ::getaddrinfo) : ask_(std::move(ask)) {}
  Resolver(const Resolver&) = delete;
  Resolver& operator=(const Resolver&) = delete;

  // An address is taken as it is, and "localhost" is looked up at once. kUnavailable: there is no
  // such name, nobody has told in time, or too many names are being looked up. kCancelled.
  Result<Addresses> resolve(const std::string& host, std::uint16_t port, const Wait& wait);

 private:
  struct Lookup;
  Result<std::shared_ptr<Lookup>> join_or_start(const std::string& host, std::uint16_t port);

  const Ask ask_;
  std::mutex mutex_;                                        // guards the rest
  std::map<std::string, std::shared_ptr<Lookup>> running_;  // by name and port; some are over
};

}  // namespace tophand::net

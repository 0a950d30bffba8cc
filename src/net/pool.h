// Idle keep-alive connections of a client, by endpoint. Private to net/. Thread-safe.
#pragma once

#include <cstdint>
#include <list>
#include <memory>
#include <mutex>
#include <string>

#include "net/transport.h"

namespace tophand::net {

class ConnectionPool {
 public:
  // The connection used last (its peer is the least likely to have dropped it), or nullptr.
  std::unique_ptr<Transport> take(const std::string& key);
  void put(const std::string& key, std::unique_ptr<Transport> connection);

 private:
  struct Idle {
    std::string key;
    std::unique_ptr<Transport> connection;
    std::int64_t expires_ns = 0;
  };
  void drop_expired();  // under mutex_

  std::mutex mutex_;
  std::list<Idle> idle_;  // oldest first
};

}  // namespace tophand::net

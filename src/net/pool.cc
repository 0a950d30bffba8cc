#include "net/pool.h"

#include <algorithm>
#include <iterator>
#include <utility>

#include "base/clock.h"

namespace tophand::net {
namespace {

constexpr std::size_t kIdlePerEndpointMax = 8;
constexpr std::size_t kIdleMax = 64;
// Node drops idle connections after 5 s, nginx after 75 s; what a peer drops earlier is noticed by
// take() or retried.
constexpr std::int64_t kIdleNs = 30'000'000'000;

}  // namespace

void ConnectionPool::drop_expired() {
  const std::int64_t now = system_clock().mono_ns();
  std::erase_if(idle_, [&](const Idle& idle) { return idle.expires_ns <= now; });
}

std::unique_ptr<Transport> ConnectionPool::take(const std::string& key) {
  const std::scoped_lock lock(mutex_);
  drop_expired();
  for (auto at = idle_.rbegin(); at != idle_.rend();) {
    if (at->key != key) {
      ++at;
      continue;
    }
    auto connection = std::move(at->connection);
    at = std::make_reverse_iterator(idle_.erase(std::next(at).base()));
    // An idle peer says nothing: readable means closed, or bytes that belong to no request.
    // TLS 1.3 servers send session tickets that are readable without meaning anything is wrong, so
    // a readable TLS connection is lost to the pool although it may be fine: safe, and rare.
    if (!is_readable(*connection)) return connection;
  }
  return nullptr;
}

void ConnectionPool::put(const std::string& key, std::unique_ptr<Transport> connection) {
  const std::scoped_lock lock(mutex_);
  drop_expired();
  const auto same =
      std::count_if(idle_.begin(), idle_.end(), [&](const Idle& idle) { return idle.key == key; });
  if (static_cast<std::size_t>(same) >= kIdlePerEndpointMax || idle_.size() >= kIdleMax) return;
  idle_.push_back(Idle{key, std::move(connection), system_clock().mono_ns() + kIdleNs});
}

}  // namespace tophand::net

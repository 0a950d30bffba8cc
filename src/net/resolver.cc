#include "net/resolver.h"

#include <sys/eventfd.h>

#include <atomic>
#include <system_error>
#include <thread>
#include <utility>

#include "base/fd.h"

namespace tophand::net {
namespace {

constexpr std::size_t kLookupsMax = 8;  // of one client, whose endpoints are few

}  // namespace

Result<Addresses> look_up_now(const std::string& host, std::uint16_t port, int flags,
                              const AskForNames& ask) {
  addrinfo hints{};
  hints.ai_family = AF_UNSPEC;
  hints.ai_socktype = SOCK_STREAM;
  hints.ai_flags = flags | AI_NUMERICSERV;
  addrinfo* list = nullptr;
  const int rc = ask(host.c_str(), std::to_string(port).c_str(), &hints, &list);
  if (rc != 0) return fail(Code::kUnavailable, "resolve " + host + ": " + gai_strerror(rc));
  return Addresses(list, freeaddrinfo);
}

// One question, whoever waits for its answer. `found` is written before `is_over`, by the thread.
struct Resolver::Lookup {
  Fd told{eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK)};  // readable from the end on
  Result<Addresses> found = Addresses();
  std::atomic<bool> is_over = false;
};

Result<Addresses> Resolver::resolve(const std::string& host, std::uint16_t port, const Wait& wait) {
  if (auto literal = look_up_now(host, port, AI_NUMERICHOST, ask_)) return literal;
  if (host == "localhost") return look_up_now(host, port, AI_ADDRCONFIG, ask_);
  TOPHAND_TRY(lookup, "resolve " + host, join_or_start(host, port));
  if (auto over = wait_for(lookup->told.get(), POLLIN, wait); !over) {
    if (over.error().code == Code::kDeadline)
      return fail(Code::kUnavailable, "resolve " + host + ": timed out");
    return tl::unexpected(over.error());
  }
  return lookup->found;
}

Result<std::shared_ptr<Resolver::Lookup>> Resolver::join_or_start(const std::string& host,
                                                                  std::uint16_t port) {
  const std::string key = host + " " + std::to_string(port);
  const std::lock_guard lock(mutex_);
  std::erase_if(running_, [](const auto& one) { return one.second->is_over.load(); });
  if (const auto same = running_.find(key); same != running_.end()) return same->second;
  if (running_.size() >= kLookupsMax)
    return fail(Code::kUnavailable, "too many names are being looked up");
  auto lookup = std::make_shared<Lookup>();
  if (!lookup->told) return fail(Code::kUnavailable, "no descriptor is left");
  try {
    // Detached, against the rule: nothing ends getaddrinfo(), and neither the end of a client nor
    // that of the process is to wait for a name server. The thread owns all that it touches.
    std::thread([lookup, ask = ask_, host, port] {
      lookup->found = look_up_now(host, port, AI_ADDRCONFIG, ask);
      lookup->is_over = true;
      eventfd_write(lookup->told.get(), 1);
    }).detach();
  } catch (const std::system_error&) {
    return fail(Code::kUnavailable, "no thread is left");
  }
  running_.emplace(key, lookup);
  return lookup;
}

}  // namespace tophand::net

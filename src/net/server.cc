// The accepting thread and the list of connection threads.
#include <fcntl.h>
#include <poll.h>
#include <pthread.h>
#include <sys/eventfd.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <chrono>
#include <condition_variable>
#include <list>
#include <memory>
#include <mutex>
#include <thread>
#include <utility>
#include <vector>

#include "base/log.h"
#include "net/cancel.h"
#include "net/connection.h"
#include "net/socket.h"

namespace tophand::net {
namespace {

constexpr int kBacklog = 511;
// Connections over the limit that get a 503 at the same time; more are closed without a word.
constexpr std::size_t kRefusersMax = 32;
constexpr int kOutOfDescriptorsPauseMs = 100;
// For handlers whose request is cancelled because the server stops: to tell their clients.
constexpr std::chrono::seconds kLastCall{1};
constexpr std::string_view kUnixPrefix = "unix:";

// A stream that waits has its socket, the backend's and an event.
void raise_descriptor_limit(std::size_t connections_max) {
  rlimit limit{};
  if (getrlimit(RLIMIT_NOFILE, &limit) != 0) return;
  const rlim_t wanted = std::min<rlim_t>(limit.rlim_max, connections_max * 4 + 128);
  if (limit.rlim_cur >= wanted) return;
  limit.rlim_cur = wanted;
  setrlimit(RLIMIT_NOFILE, &limit);
}

class ThreadedServer final : public Server {
 public:
  ThreadedServer(ServerOptions options, Fd listener)
      : options_(std::move(options)),
        listener_(std::move(listener)),
        port_(local_port(listener_.get())),
        wake_(eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK)),
        spare_(open("/dev/null", O_RDONLY | O_CLOEXEC)),
        acceptor_([this] { accept_loop(); }) {}
  ~ThreadedServer() override { stop(0); }

  std::uint16_t port() const override { return port_; }
  std::size_t open_connections() const override {
    const std::scoped_lock lock(mutex_);
    return active_.size();
  }
  void stop(int grace_ms) override;

 private:
  struct Slot {
    Slot(ThreadedServer& owner, Fd socket, Admission admission)
        : server(owner),
          connection(std::move(socket), owner.options_, owner.stopping_, admission) {}
    ThreadedServer& server;
    Connection connection;
    std::list<std::unique_ptr<Slot>>::iterator self;
  };

  void accept_loop();
  void accept_all();
  bool accept_one();
  void start_connection(Fd socket);
  static void* run_connection(void* slot);
  void retire(Slot& slot);
  void join_finished();
  void remove_socket_file();

  const ServerOptions options_;
  Fd listener_;
  const std::uint16_t port_;
  CancelFlag stopping_;
  Fd wake_;   // a connection has ended
  Fd spare_;  // given up to accept and close a connection when the process is out of descriptors

  mutable std::mutex mutex_;  // guards the rest
  std::condition_variable all_gone_;
  std::list<std::unique_ptr<Slot>> active_;
  std::vector<pthread_t> finished_;  // ended, to be joined
  bool stopped_ = false;

  std::thread acceptor_;  // last: it uses everything above
};

void ThreadedServer::accept_loop() {
  while (!stopping_.cancelled()) {
    std::array<pollfd, 3> set{pollfd{listener_.get(), POLLIN, 0}, pollfd{wake_.get(), POLLIN, 0},
                              pollfd{stopping_.fd(), POLLIN, 0}};
    poll(set.data(), set.size(), stopping_.fd() < 0 ? 100 : -1);
    if (set[1].revents != 0) {
      eventfd_t ignored = 0;
      eventfd_read(wake_.get(), &ignored);
      join_finished();
    }
    if (set[0].revents != 0) accept_all();
  }
}

void ThreadedServer::accept_all() {
  while (!stopping_.cancelled() && accept_one()) {
  }
}

// False when nothing is left to accept for now.
bool ThreadedServer::accept_one() {
  const int fd = accept4(listener_.get(), nullptr, nullptr, SOCK_NONBLOCK | SOCK_CLOEXEC);
  if (fd >= 0) {
    start_connection(Fd(fd));
    return true;
  }
  if (errno == EINTR || errno == ECONNABORTED) return true;
  if (errno == EAGAIN || errno == EWOULDBLOCK) return false;
  // Out of descriptors or memory. The listener stays readable, so without giving up the spare
  // descriptor (and a pause) this loop would spin.
  log::error("http.accept_failed", {{"reason", system_message(errno)}});
  spare_.reset();
  Fd(accept4(listener_.get(), nullptr, nullptr, SOCK_CLOEXEC)).reset();
  spare_.reset(open("/dev/null", O_RDONLY | O_CLOEXEC));
  static_cast<void>(wait_for(wake_.get(), POLLIN, wait_ms(kOutOfDescriptorsPauseMs, &stopping_)));
  return false;
}

void ThreadedServer::start_connection(Fd socket) {
  pthread_attr_t attributes;
  pthread_attr_init(&attributes);
  pthread_attr_setstacksize(&attributes, options_.stack_bytes);
  {
    const std::scoped_lock lock(mutex_);
    const std::size_t limit = options_.limits.connections_max;
    const bool too_many = active_.size() >= limit;
    if (active_.size() < limit + kRefusersMax) {
      active_.push_back(std::make_unique<Slot>(*this, std::move(socket),
                                               too_many ? Admission::kTooMany : Admission::kServe));
      active_.back()->self = std::prev(active_.end());
      pthread_t thread{};
      if (pthread_create(&thread, &attributes, &run_connection, active_.back().get()) != 0) {
        active_.pop_back();
        log::error("http.no_thread");
      }
    }
  }
  pthread_attr_destroy(&attributes);
}

void* ThreadedServer::run_connection(void* opaque) {
  Slot& slot = *static_cast<Slot*>(opaque);
  try {
    slot.connection.serve();
  } catch (const std::exception&) {
    log::error("http.connection_failed");  // out of memory, in practice
  }
  slot.server.retire(slot);
  return nullptr;
}

void ThreadedServer::retire(Slot& slot) {
  const std::scoped_lock lock(mutex_);
  finished_.push_back(pthread_self());
  active_.erase(slot.self);  // closes the socket; under the lock, so that stop() never meets it
  eventfd_write(wake_.get(), 1);
  if (active_.empty()) all_gone_.notify_all();
}

void ThreadedServer::join_finished() {
  std::vector<pthread_t> ended;
  {
    const std::scoped_lock lock(mutex_);
    ended.swap(finished_);
  }
  for (const pthread_t thread : ended) pthread_join(thread, nullptr);
}

void ThreadedServer::remove_socket_file() {
  if (!options_.address.starts_with(kUnixPrefix)) return;
  unlink(options_.address.substr(kUnixPrefix.size()).c_str());
}

void ThreadedServer::stop(int grace_ms) {
  {
    const std::scoped_lock lock(mutex_);
    if (stopped_) return;
    stopped_ = true;
  }
  stopping_.cancel();
  acceptor_.join();
  remove_socket_file();
  listener_.reset();
  {
    std::unique_lock lock(mutex_);
    const auto none_left = [this] { return active_.empty(); };
    all_gone_.wait_for(lock, std::chrono::milliseconds(grace_ms), none_left);
    for (const auto& slot : active_) slot->connection.last_call();
    all_gone_.wait_for(lock, kLastCall, none_left);
    for (const auto& slot : active_) slot->connection.hang_up();
    all_gone_.wait(lock, none_left);
  }
  join_finished();
}

}  // namespace

Result<std::unique_ptr<Server>> Server::start(ServerOptions options) {
  if (!options.handler) return fail(Code::kBug, "a server without a handler");
  raise_descriptor_limit(options.limits.connections_max);
  const bool is_unix = options.address.starts_with(kUnixPrefix);
  auto listener = is_unix ? listen_unix(options.address.substr(kUnixPrefix.size()), kBacklog)
                          : listen_tcp(options.address, options.port, kBacklog);
  if (!listener) return tl::unexpected(listener.error());
  return std::unique_ptr<Server>(
      std::make_unique<ThreadedServer>(std::move(options), std::move(*listener)));
}

}  // namespace tophand::net

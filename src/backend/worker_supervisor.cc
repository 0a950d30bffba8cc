#include "backend/worker_supervisor.h"

#include <poll.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/eventfd.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <chrono>
#include <cstring>
#include <optional>
#include <utility>

#include "backend/worker_process.h"
#include "base/json.h"
#include "base/log.h"

namespace tophand::backend {
namespace {

constexpr std::size_t kSocketPathMax = 100;  // sockaddr_un has 108 bytes (unix(7))
constexpr int kHealthEveryMs = 50;
constexpr int kHealthTimeoutMs = 1'000;
constexpr int kWaitSliceMs = 250;
constexpr std::int64_t kKeepMsMax = 1'000'000'000'000;  // 31 years is for ever
constexpr std::int64_t kHealthyNs =
    60'000'000'000;  // ready this long: the next pause is short again

std::int64_t now_ns() {
  return system_clock().mono_ns();
}

constexpr std::int64_t ns(std::int64_t ms) {
  return ms * 1'000'000;
}

// Ended but not reaped yet; the owner of the process does that. waitid(2) with WNOWAIT only looks.
bool has_ended(pid_t pid) {
  siginfo_t info{};
  return waitid(P_PID, static_cast<id_t>(pid), &info, WEXITED | WNOHANG | WNOWAIT) == 0 &&
         info.si_pid == pid;
}

}  // namespace

std::string_view state_name(WorkerState state) {
  static constexpr std::array<std::string_view, 6> kNames{"stopped",  "loading", "ready",
                                                          "stopping", "pausing", "failed"};
  return kNames[static_cast<std::size_t>(state)];
}

struct WorkerSupervisor::Worker {
  // Under the supervisor's mutex.
  std::string model, file, error;
  WorkerState state = WorkerState::kStopped;
  double loaded = 0;
  int pid = 0;
  std::int64_t starts = 0, in_use = 0, last_used_ns = 0, next_start_ns = 0;
  bool stop_asked = false;  // by unload(), stop() or to make room
  bool stop_when_idle = false;
  bool hung = false;  // it gave no sign of life and is being killed
  std::string socket;
  // The owner thread's.
  std::optional<WorkerProcess> process;
  std::int64_t started_ns = 0, ready_ns = 0, next_check_ns = 0, kill_at_ns = 0;
  std::int64_t pause_ms = 0;
  LifeSign life;  // while it is ready

  std::int64_t keep_ns = -1;  // how long it may be idle; below 0: for ever

  // When it is to be unloaded, if it stays idle.
  std::optional<std::int64_t> idle_until_ns() const {
    if (keep_ns < 0 || in_use > 0 || state != WorkerState::kReady) return std::nullopt;
    return last_used_ns + keep_ns;
  }
  bool is_active() const { return state != WorkerState::kStopped && state != WorkerState::kFailed; }
};

Result<std::unique_ptr<WorkerSupervisor>> WorkerSupervisor::create(SupervisorOptions options) {
  std::unique_ptr<WorkerSupervisor> made(new WorkerSupervisor(std::move(options)));
  made->socket_dir_ = made->options_.run_dir;
  if (made->socket_dir_.size() + 32 > kSocketPathMax) {
    std::string pattern = "/tmp/tophand-XXXXXX";  // mkdtemp makes it 0700
    if (mkdtemp(pattern.data()) == nullptr)
      return fail(Code::kIo, std::string("make a folder for sockets: ") + std::strerror(errno));
    made->socket_dir_ = pattern;
    made->own_socket_dir_ = true;
  }
  made->wake_fd_ = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
  if (made->wake_fd_ < 0)
    return fail(Code::kIo, std::string("make an eventfd: ") + std::strerror(errno));
  made->thread_ = std::thread([self = made.get()] { self->run(); });
  return made;
}

WorkerSupervisor::WorkerSupervisor(SupervisorOptions options)
    : options_(std::move(options)), client_(net::Client::create()) {}

WorkerSupervisor::~WorkerSupervisor() {
  stop();
  if (wake_fd_ >= 0) ::close(wake_fd_);
  if (own_socket_dir_) rmdir(socket_dir_.c_str());
}

void WorkerSupervisor::wake() {
  const std::uint64_t one = 1;
  [[maybe_unused]] const ssize_t put = ::write(wake_fd_, &one, sizeof one);
}

std::shared_ptr<WorkerSupervisor::Worker> WorkerSupervisor::entry(const std::string& model) {
  std::shared_ptr<Worker>& slot = workers_[model];
  if (!slot) {
    slot = std::make_shared<Worker>();
    slot->model = model;
    slot->pause_ms = options_.pause_first_ms;
    slot->life = LifeSign(options_.life);
  }
  return slot;
}

// True when another worker may start; false while an idle one is on its way out.
Result<bool> WorkerSupervisor::make_room() {
  std::size_t active = 0;
  bool leaving = false;
  Worker* idle = nullptr;
  for (const auto& [model, worker] : workers_) {
    if (!worker->is_active()) continue;
    ++active;
    leaving = leaving || worker->stop_asked || worker->state == WorkerState::kStopping;
    if (worker->state == WorkerState::kReady && worker->in_use == 0 && !worker->stop_asked &&
        (idle == nullptr || worker->last_used_ns < idle->last_used_ns))
      idle = worker.get();
  }
  if (active < options_.workers_max) return true;
  if (leaving) return false;
  if (idle == nullptr)
    return fail(Code::kExhausted,
                std::to_string(active) + " local models are loaded and busy, which is the limit");
  idle->stop_asked = true;
  wake();
  return false;
}

Result<> WorkerSupervisor::want(Worker& worker, const std::string& file) {
  if (worker.is_active()) return {};
  if (worker.state == WorkerState::kFailed && now_ns() < worker.next_start_ns)
    return fail(Code::kUnavailable, worker.error);
  auto room = make_room();
  if (!room) return tl::unexpected(room.error());
  if (!*room) return {};
  worker.file = file;
  worker.state = WorkerState::kPausing;
  worker.next_start_ns = 0;
  worker.loaded = 0;
  worker.stop_asked = worker.stop_when_idle = false;
  wake();
  return {};
}

WorkerLease WorkerSupervisor::lease(const std::shared_ptr<Worker>& worker, std::int64_t waited_ns) {
  ++worker->in_use;
  worker->stop_when_idle = false;
  worker->last_used_ns = now_ns();
  WorkerLease out;
  out.endpoint.scheme = "unix";
  out.endpoint.host = worker->socket;
  out.load_ns = waited_ns;
  out.hold = std::shared_ptr<void>(nullptr, [this, worker](void*) { release(*worker); });
  return out;
}

void WorkerSupervisor::release(Worker& worker) {
  const std::lock_guard lock(mutex_);
  --worker.in_use;
  worker.last_used_ns = now_ns();
  if (worker.in_use > 0) return;
  if (worker.stop_when_idle) worker.stop_asked = true;
  if (worker.stop_when_idle || worker.keep_ns >= 0) wake();
}

Result<WorkerLease> WorkerSupervisor::ready(const std::string& model, const Waiting& waiting,
                                            const net::Cancellation& client) {
  auto weights = options_.find_weights(model);
  if (!weights) return tl::unexpected(weights.error());
  const std::int64_t start_ns = now_ns();
  bool waited = false;
  std::unique_lock lock(mutex_);
  for (;;) {
    if (stopping_) return fail(Code::kUnavailable, "the gateway is stopping");
    const std::shared_ptr<Worker> worker = entry(weights->name);
    if (worker->state == WorkerState::kReady && !worker->stop_asked && !worker->hung &&
        !has_ended(worker->pid))
      return lease(worker, waited ? now_ns() - start_ns : 0);
    if (waited && worker->state == WorkerState::kFailed)
      return fail(Code::kUnavailable, worker->error);
    if (auto wanted = want(*worker, weights->path); !wanted) return tl::unexpected(wanted.error());
    const double loaded = worker->loaded;
    changed_.wait_for(lock, std::chrono::milliseconds(kWaitSliceMs));
    waited = true;
    lock.unlock();
    if (client.cancelled()) return fail(Code::kCancelled, "the client has gone");
    if (auto go_on = waiting(loaded); !go_on) return tl::unexpected(go_on.error());
    lock.lock();
  }
}

void WorkerSupervisor::preload(const std::string& model) {
  auto weights = options_.find_weights(model);
  if (!weights) {
    log::warn("worker.not_preloaded", {{"model", model}, {"error", weights.error().message}});
    return;
  }
  const std::lock_guard lock(mutex_);
  if (const auto wanted = want(*entry(weights->name), weights->path); !wanted)
    log::warn("worker.not_preloaded", {{"model", model}, {"error", wanted.error().message}});
}

void WorkerSupervisor::unload(const std::string& model) {
  // A model that was removed has no file any more, but perhaps a worker.
  const auto weights = options_.find_weights(model);
  const std::lock_guard lock(mutex_);
  const auto found = workers_.find(weights ? weights->name : model);
  if (found == workers_.end() || !found->second->is_active()) return;
  found->second->stop_when_idle = true;
  if (found->second->in_use == 0) found->second->stop_asked = true;
  wake();
}

void WorkerSupervisor::keep(const std::string& model, std::int64_t idle_ms) {
  const auto weights = options_.find_weights(model);
  const std::lock_guard lock(mutex_);
  const auto found = workers_.find(weights ? weights->name : model);
  if (found == workers_.end()) return;
  found->second->keep_ns = idle_ms < 0 || idle_ms > kKeepMsMax ? -1 : ns(idle_ms);
  wake();
}

std::vector<WorkerStatus> WorkerSupervisor::status() const {
  const std::lock_guard lock(mutex_);
  const std::int64_t at_ns = now_ns();
  std::vector<WorkerStatus> out;
  out.reserve(workers_.size());
  for (const auto& [model, worker] : workers_) {
    // The owner thread has yet to hear of it, but whoever asked for it is to find it done.
    const bool leaves = worker->is_active() && worker->stop_asked;
    out.push_back({model,
                   leaves ? WorkerState::kStopping : worker->state,
                   worker->pid,
                   worker->loaded,
                   worker->starts,
                   worker->in_use,
                   worker->error,
                   worker->file,
                   {}});
    if (const auto until_ns = worker->idle_until_ns())
      out.back().idle_left_ms = std::max<std::int64_t>(0, (*until_ns - at_ns) / 1'000'000);
  }
  return out;
}

void WorkerSupervisor::stop() {
  {
    const std::lock_guard lock(mutex_);
    stopping_ = true;
    for (const auto& [model, worker] : workers_) worker->stop_asked = true;
  }
  changed_.notify_all();
  wake();
  if (thread_.joinable()) thread_.join();
}

bool WorkerSupervisor::all_stopped() const {
  return std::ranges::none_of(workers_,
                              [](const auto& item) { return item.second->process.has_value(); });
}

// --- the owner thread
// ------------------------------------------------------------------------------

void WorkerSupervisor::run() {
  for (;;) {
    {
      const std::lock_guard lock(mutex_);
      for (const auto& [model, worker] : workers_) turn(*worker, now_ns());
      if (stopping_ && all_stopped()) return;
    }
    std::vector<std::shared_ptr<Worker>> loading;
    {
      const std::lock_guard lock(mutex_);
      for (const auto& [model, worker] : workers_)
        if (worker->state == WorkerState::kLoading) loading.push_back(worker);
    }
    for (const auto& worker : loading) check_health(*worker, now_ns());  // without the mutex
    wait_for_something();
  }
}

void WorkerSupervisor::turn(Worker& worker, std::int64_t at_ns) {
  if (worker.process) {
    WorkerProcess& process = *worker.process;
    process.drain_stderr();
    if (const auto status = process.poll_exit()) return ended(worker, *status, at_ns);
    if (const auto until_ns = worker.idle_until_ns(); until_ns && at_ns >= *until_ns)
      worker.stop_asked = true;
    if (worker.stop_asked && worker.state != WorkerState::kStopping) {
      worker.state = WorkerState::kStopping;
      worker.kill_at_ns = at_ns + ns(options_.stop_grace_ms);
      process.signal(SIGTERM);
    }
    if (is_overdue(worker, at_ns)) process.signal(SIGKILL);
    if (worker.state == WorkerState::kReady) look_for_life(worker, at_ns);
  } else if (worker.stop_asked) {
    worker.state = WorkerState::kStopped;
    worker.stop_asked = false;
    changed_.notify_all();
  }
  if (worker.state == WorkerState::kPausing && at_ns >= worker.next_start_ns) start(worker, at_ns);
}

bool WorkerSupervisor::is_overdue(const Worker& worker, std::int64_t at_ns) const {
  if (worker.state == WorkerState::kStopping) return at_ns >= worker.kill_at_ns;
  return worker.state == WorkerState::kLoading &&
         at_ns - worker.started_ns > ns(options_.load_timeout_ms);
}

// A stopped process ends of SIGKILL too. Its end is heard like that of one that crashed, so what
// waits for its answers is told the same.
void WorkerSupervisor::look_for_life(Worker& worker, std::int64_t at_ns) const {
  if (worker.hung || worker.life.look(at_ns)) return;
  worker.hung = true;
  log::warn(
      "worker.hung",
      {{"model", worker.model}, {"pid", worker.pid}, {"silent_ms", options_.life.silent_ms_max}});
  worker.process->signal(SIGKILL);
}

void WorkerSupervisor::start(Worker& worker, std::int64_t at_ns) {
  worker.socket =
      socket_dir_ + "/w" + std::to_string(getpid()) + "-" + std::to_string(++starts_) + ".sock";
  ProcessSpec spec{
      .program = options_.program, .argv = {"tophand"}, .memory_mib_max = options_.memory_mib_max};
  for (std::string& word : options_.arguments(worker.model, worker.file, worker.socket))
    spec.argv.push_back(std::move(word));
  auto process = WorkerProcess::start(spec);
  if (!process) {
    worker.state = WorkerState::kFailed;
    worker.error = "the engine worker for " + worker.model + ": " + process.error().message;
    worker.next_start_ns = at_ns + ns(worker.pause_ms);
    changed_.notify_all();
    return;
  }
  worker.pid = process->pid();
  worker.process.emplace(std::move(*process));
  worker.state = WorkerState::kLoading;
  worker.hung = false;
  worker.loaded = 0;
  ++worker.starts;
  worker.started_ns = worker.next_check_ns = at_ns;
  log::info("worker.starting", {{"model", worker.model}, {"pid", worker.pid}});
}

// Asks /health; the answer may take a moment, so the table is not locked meanwhile. `state` is only
// changed by this thread.
void WorkerSupervisor::check_health(Worker& worker, std::int64_t at_ns) {
  if (at_ns < worker.next_check_ns) return;
  worker.next_check_ns = at_ns + ns(kHealthEveryMs);
  net::Endpoint endpoint;
  endpoint.scheme = "unix";
  endpoint.host = worker.socket;
  net::ClientRequest request;
  request.method = "GET";
  request.path = "/health";
  request.connect_timeout_ms = request.first_byte_timeout_ms = kHealthTimeoutMs;
  request.idle_timeout_ms = kHealthTimeoutMs;
  auto response = client_->send(endpoint, request, nullptr);
  if (!response) return;  // not listening yet
  const int status = (*response)->status();
  const auto body = (*response)->read_all(nullptr, 1u << 16);
  const auto json = parse_json(body.value_or(std::string()));
  const std::lock_guard lock(mutex_);
  if (json) worker.loaded = std::clamp(number_or(*json, "progress", worker.loaded), 0.0, 1.0);
  if (status != 200 || worker.state != WorkerState::kLoading) return;
  worker.state = WorkerState::kReady;
  worker.loaded = 1;
  worker.ready_ns = now_ns();
  worker.life.begin(worker.socket, worker.ready_ns);
  worker.error.clear();
  log::info("worker.ready", {{"model", worker.model},
                             {"pid", worker.pid},
                             {"ms", (worker.ready_ns - worker.started_ns) / 1'000'000}});
  changed_.notify_all();
}

void WorkerSupervisor::ended(Worker& worker, int wait_status, std::int64_t at_ns) {
  std::string words;
  if (worker.process) {
    worker.process->drain_stderr();
    words = worker.process->last_words();
    worker.process.reset();
  }
  const std::string how =
      worker.hung ? "no sign of life: it was killed" : describe_exit(wait_status);
  worker.pid = 0;
  unlink(worker.socket.c_str());
  if (worker.state == WorkerState::kStopping) {
    worker.state = WorkerState::kStopped;
    worker.stop_asked = worker.stop_when_idle = false;
    worker.keep_ns = -1;
    log::info("worker.stopped", {{"model", worker.model}});
    changed_.notify_all();
    return;
  }
  const bool was_ready = worker.state == WorkerState::kReady;
  if (was_ready && at_ns - worker.ready_ns > kHealthyNs) worker.pause_ms = options_.pause_first_ms;
  worker.next_start_ns = at_ns + ns(worker.pause_ms);
  worker.pause_ms = std::min<std::int64_t>(worker.pause_ms * 2, options_.pause_max_ms);
  worker.state = was_ready ? WorkerState::kPausing : WorkerState::kFailed;
  worker.error = was_ready ? "the engine worker for " + worker.model + " ended with " + how
                           : "the model " + worker.model + " could not be loaded: " +
                                 (words.empty() ? how : words + " (" + how + ")");
  log::warn("worker.ended", {{"model", worker.model},
                             {"how", how},
                             {"while", was_ready ? "ready" : "loading"},
                             {"next_start_ms", (worker.next_start_ns - at_ns) / 1'000'000}});
  changed_.notify_all();
}

void WorkerSupervisor::wait_for_something() {
  std::vector<pollfd> watched{{wake_fd_, POLLIN, 0}};
  std::int64_t until_ns = INT64_MAX;
  {
    const std::lock_guard lock(mutex_);
    const std::int64_t at_ns = now_ns();
    for (const auto& [model, worker] : workers_) {
      if (const auto& process = worker->process) {
        if (process->stderr_fd() >= 0) watched.push_back({process->stderr_fd(), POLLIN, 0});
        if (process->exit_fd() >= 0) watched.push_back({process->exit_fd(), POLLIN, 0});
        else until_ns = std::min(until_ns, at_ns + 2 * ns(kHealthEveryMs));
      }
      if (worker->state == WorkerState::kReady && !worker->hung) {
        if (worker->life.fd() >= 0) watched.push_back({worker->life.fd(), POLLIN, 0});
        until_ns = std::min(until_ns, worker->life.next_look_ns());
      }
      if (const auto idle_ns = worker->idle_until_ns()) until_ns = std::min(until_ns, *idle_ns);
      if (worker->state == WorkerState::kLoading)
        until_ns = std::min(until_ns, worker->next_check_ns);
      if (worker->state == WorkerState::kPausing)
        until_ns = std::min(until_ns, worker->next_start_ns);
      if (worker->state == WorkerState::kStopping)
        until_ns = std::min(until_ns, std::max(worker->kill_at_ns, at_ns + ns(kHealthEveryMs)));
    }
  }
  const std::int64_t left_ms = until_ns == INT64_MAX ? -1 : (until_ns - now_ns()) / 1'000'000 + 1;
  poll(watched.data(), watched.size(),
       static_cast<int>(until_ns == INT64_MAX ? -1 : std::clamp<std::int64_t>(left_ms, 0, 60'000)));
  std::uint64_t count = 0;
  [[maybe_unused]] const ssize_t got = ::read(wake_fd_, &count, sizeof count);
}

}  // namespace tophand::backend

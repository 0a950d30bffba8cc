// Starts, watches and stops the engine workers: one child process a model, on demand. One thread
// owns the processes (workers die with the thread that started them); everybody else waits on its
// table. A worker that ends is started again after a pause that doubles up to half a minute; one
// that cannot load fails its waiters with its own last words. One that is loaded and gives no sign
// of life (life_sign.h) is killed, and has ended like any other.
#pragma once

#include <condition_variable>
#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <thread>
#include <vector>

#include "backend/life_sign.h"
#include "backend/workers.h"
#include "base/clock.h"
#include "base/result.h"

namespace tophand::backend {

enum class WorkerState : std::uint8_t { kStopped, kLoading, kReady, kStopping, kPausing, kFailed };
std::string_view state_name(WorkerState state);

struct WorkerStatus {
  std::string model;
  WorkerState state = WorkerState::kStopped;
  int pid = 0;
  double loaded = 0;        // while loading, [0, 1]
  std::int64_t starts = 0;  // how often it was started
  std::int64_t in_use = 0;
  std::string error;                         // why it last ended, "" when it did not
  std::string path;                          // of its file
  std::optional<std::int64_t> idle_left_ms;  // until it is unloaded; absent: no time is set
};

struct SupervisorOptions {
  std::string program = "/proc/self/exe";
  std::string run_dir;  // sockets; too long a path is replaced by a private folder in /tmp
  // The model's file and whose worker runs it (several names may share one), or why there is none.
  // Any thread.
  struct Weights {
    std::string name, path;
  };
  std::function<Result<Weights>(const std::string& model)> find_weights;
  // The worker's command line, without argv[0].
  std::function<std::vector<std::string>(const std::string& model, const std::string& file,
                                         const std::string& socket)>
      arguments;
  std::int64_t memory_mib_max = 0;
  std::size_t workers_max = 3;
  int load_timeout_ms = 600'000;  // from start to the first healthy answer
  int pause_first_ms = 100, pause_max_ms = 30'000;
  int stop_grace_ms = 5'000;  // between SIGTERM and SIGKILL
  LifeSignOptions life = {};  // of workers that are loaded
};

class WorkerSupervisor final : public Workers {
 public:
  static Result<std::unique_ptr<WorkerSupervisor>> create(SupervisorOptions options);
  ~WorkerSupervisor() override;

  Result<WorkerLease> ready(const std::string& model, const Waiting& waiting,
                            const net::Cancellation& client) override;
  void unload(const std::string& model) override;
  void keep(const std::string& model, std::int64_t idle_ms) override;
  // Begins to load `model` and returns at once.
  void preload(const std::string& model);
  std::vector<WorkerStatus> status() const;
  // Asks every worker to end, waits for the grace time, kills the rest. Later calls are refused.
  void stop();

 private:
  struct Worker;
  explicit WorkerSupervisor(SupervisorOptions options);
  std::shared_ptr<Worker> entry(const std::string& model);  // under mutex_, like the next three
  Result<> want(Worker& worker, const std::string& file);
  Result<bool> make_room();
  WorkerLease lease(const std::shared_ptr<Worker>& worker, std::int64_t waited_ns);
  void release(Worker& worker);
  void run();
  void turn(Worker& worker, std::int64_t now_ns);
  bool is_overdue(const Worker& worker, std::int64_t now_ns) const;
  void look_for_life(Worker& worker, std::int64_t now_ns) const;
  void start(Worker& worker, std::int64_t now_ns);
  void check_health(Worker& worker, std::int64_t now_ns);
  void ended(Worker& worker, int wait_status, std::int64_t now_ns);
  void wait_for_something();
  bool all_stopped() const;  // under mutex_
  void wake();

  SupervisorOptions options_;
  std::string socket_dir_;
  bool own_socket_dir_ = false;
  std::unique_ptr<net::Client> client_;
  int wake_fd_ = -1;
  mutable std::mutex mutex_;  // guards workers_ (the table) and stopping_
  std::condition_variable changed_;
  std::map<std::string, std::shared_ptr<Worker>> workers_;
  bool stopping_ = false;
  std::int64_t starts_ = 0;
  std::thread thread_;
};

}  // namespace tophand::backend

// One child process with its standard error on a pipe: the mechanics under the supervisor.
#pragma once

#include <sys/types.h>

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "base/result.h"

namespace tophand::backend {

struct ProcessSpec {
  std::string program;              // a path; /proc/self/exe is this binary
  std::vector<std::string> argv;    // with argv[0]
  std::int64_t memory_mib_max = 0;  // address space; 0: no limit
};

// Owned by one thread, which must be the one that lives longest: workers ask the kernel to end them
// with their parent thread (PR_SET_PDEATHSIG).
class WorkerProcess {
 public:
  // Runs in a process group of its own (Ctrl-C at the terminal is for the gateway), with no
  // descriptors but the standard ones, no blocked signals, and no secrets in its environment.
  static Result<WorkerProcess> start(const ProcessSpec& spec);
  WorkerProcess(WorkerProcess&& other) noexcept;
  WorkerProcess& operator=(WorkerProcess&&) = delete;
  WorkerProcess(const WorkerProcess&) = delete;
  ~WorkerProcess();  // kills what still runs and reaps it

  pid_t pid() const { return pid_; }
  int stderr_fd() const { return stderr_fd_; }  // non-blocking; -1 after its end
  int exit_fd() const { return exit_fd_; }      // readable once it has ended; -1: not supported
  void signal(int number) const;
  // The wait status once it has ended. Reaps it.
  std::optional<int> poll_exit();
  // Passes what it wrote on to our standard error, and remembers the last lines.
  void drain_stderr();
  // Its last line that starts with "tophand: " (without that), else its last line; "" when it wrote
  // nothing.
  std::string last_words() const;

 private:
  WorkerProcess() = default;

  pid_t pid_ = -1;
  int stderr_fd_ = -1, exit_fd_ = -1;
  std::optional<int> status_;
  std::string tail_;
};

// "exit code 3", "signal 9 (killed, perhaps for memory)".
std::string describe_exit(int wait_status);

}  // namespace tophand::backend

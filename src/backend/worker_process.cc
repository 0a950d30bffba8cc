#include "backend/worker_process.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <spawn.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cstring>
#include <string_view>
#include <utility>

extern char** environ;  // NOLINT: POSIX has no header for it

namespace tophand::backend {
namespace {

constexpr std::size_t kTailBytesMax = 4096;

// Keys and the gateway's own descriptors of its supervisor stay here.
bool is_private(std::string_view variable) {
  for (const std::string_view name : {"ANTHROPIC_API_KEY=", "TOPHAND_KEY=", "NOTIFY_SOCKET="})
    if (variable.starts_with(name)) return true;
  return false;
}

std::vector<char*> public_environment() {
  std::vector<char*> out;
  for (char** entry = environ; entry != nullptr && *entry != nullptr; ++entry)
    if (!is_private(*entry)) out.push_back(*entry);
  out.push_back(nullptr);
  return out;
}

int spawn(const ProcessSpec& spec, int stderr_write, pid_t& pid) {
  posix_spawn_file_actions_t actions;
  posix_spawnattr_t attributes;
  posix_spawn_file_actions_init(&actions);
  posix_spawnattr_init(&attributes);
  posix_spawn_file_actions_addopen(&actions, STDIN_FILENO, "/dev/null", O_RDONLY, 0);
  posix_spawn_file_actions_addopen(&actions, STDOUT_FILENO, "/dev/null", O_WRONLY, 0);
  posix_spawn_file_actions_adddup2(&actions, stderr_write, STDERR_FILENO);
  posix_spawn_file_actions_addclosefrom_np(&actions, STDERR_FILENO + 1);
  sigset_t none, defaults;
  sigemptyset(&none);
  sigemptyset(&defaults);
  for (const int number : {SIGTERM, SIGINT, SIGHUP, SIGPIPE, SIGXFSZ}) sigaddset(&defaults, number);
  posix_spawnattr_setsigmask(&attributes, &none);
  posix_spawnattr_setsigdefault(&attributes, &defaults);
  posix_spawnattr_setpgroup(&attributes, 0);
  posix_spawnattr_setflags(
      &attributes,
      static_cast<short>(POSIX_SPAWN_SETSIGMASK | POSIX_SPAWN_SETSIGDEF | POSIX_SPAWN_SETPGROUP));
  std::vector<std::string> words = spec.argv;
  std::vector<char*> argv;
  argv.reserve(words.size() + 1);
  for (std::string& word : words) argv.push_back(word.data());
  argv.push_back(nullptr);
  std::vector<char*> environment = public_environment();
  const int failed = posix_spawn(&pid, spec.program.c_str(), &actions, &attributes, argv.data(),
                                 environment.data());
  posix_spawnattr_destroy(&attributes);
  posix_spawn_file_actions_destroy(&actions);
  return failed;
}

void limit_memory(pid_t pid, std::int64_t mib_max) {
  if (mib_max <= 0) return;
  rlimit limit{};
  limit.rlim_cur = limit.rlim_max = static_cast<rlim_t>(mib_max) << 20;
  prlimit(pid, RLIMIT_AS, &limit, nullptr);
}

}  // namespace

Result<WorkerProcess> WorkerProcess::start(const ProcessSpec& spec) {
  std::array<int, 2> ends{-1, -1};
  if (pipe2(ends.data(), O_CLOEXEC) != 0)
    return fail(Code::kIo, std::string("make a pipe: ") + std::strerror(errno));
  WorkerProcess process;
  process.stderr_fd_ = ends[0];
  fcntl(ends[0], F_SETFL, O_NONBLOCK);
  const int failed = spawn(spec, ends[1], process.pid_);
  ::close(ends[1]);
  if (failed != 0) {
    process.pid_ = -1;
    return fail(Code::kIo, "start " + spec.program + ": " + std::strerror(failed));
  }
  limit_memory(process.pid_, spec.memory_mib_max);
  process.exit_fd_ = static_cast<int>(syscall(SYS_pidfd_open, process.pid_, 0));
  return process;
}

WorkerProcess::WorkerProcess(WorkerProcess&& other) noexcept
    : pid_(std::exchange(other.pid_, -1)),
      stderr_fd_(std::exchange(other.stderr_fd_, -1)),
      exit_fd_(std::exchange(other.exit_fd_, -1)),
      status_(other.status_),
      tail_(std::move(other.tail_)) {}

WorkerProcess::~WorkerProcess() {
  if (pid_ > 0 && !poll_exit()) {
    ::kill(pid_, SIGKILL);
    while (waitpid(pid_, nullptr, 0) < 0 && errno == EINTR) {
    }
  }
  if (stderr_fd_ >= 0) ::close(stderr_fd_);
  if (exit_fd_ >= 0) ::close(exit_fd_);
}

void WorkerProcess::signal(int number) const {
  if (pid_ > 0 && !status_) ::kill(pid_, number);
}

std::optional<int> WorkerProcess::poll_exit() {
  if (status_ || pid_ <= 0) return status_;
  int status = 0;
  if (waitpid(pid_, &status, WNOHANG) == pid_) status_ = status;
  return status_;
}

void WorkerProcess::drain_stderr() {
  std::array<char, 4096> bytes{};
  while (stderr_fd_ >= 0) {
    const ssize_t n = ::read(stderr_fd_, bytes.data(), bytes.size());
    if (n < 0 && errno == EINTR) continue;
    if (n < 0 && (errno == EAGAIN || errno == EWOULDBLOCK)) return;
    if (n <= 0) {
      ::close(stderr_fd_);
      stderr_fd_ = -1;
      return;
    }
    const std::string_view text(bytes.data(), static_cast<std::size_t>(n));
    [[maybe_unused]] const ssize_t shown = ::write(STDERR_FILENO, text.data(), text.size());
    tail_ += text;
    if (tail_.size() > kTailBytesMax) tail_.erase(0, tail_.size() - kTailBytesMax);
  }
}

std::string WorkerProcess::last_words() const {
  constexpr std::string_view kPrefix = "tophand: ";
  std::string_view best, rest = tail_;
  while (!rest.empty()) {
    const std::size_t end = std::min(rest.find('\n'), rest.size());
    const std::string_view line = rest.substr(0, end);
    rest.remove_prefix(std::min(end + 1, rest.size()));
    if (!line.empty() && (line.starts_with(kPrefix) || !best.starts_with(kPrefix))) best = line;
  }
  if (best.starts_with(kPrefix)) best.remove_prefix(kPrefix.size());
  return std::string(best.substr(0, 600));
}

std::string describe_exit(int wait_status) {
  if (WIFEXITED(wait_status)) return "exit code " + std::to_string(WEXITSTATUS(wait_status));
  const int number = WTERMSIG(wait_status);
  return "signal " + std::to_string(number) +
         (number == SIGKILL ? " (killed, perhaps for memory)" : "");
}

}  // namespace tophand::backend

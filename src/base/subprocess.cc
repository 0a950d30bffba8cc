#include "base/subprocess.h"

#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <sys/wait.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <cstring>

#include "base/clock.h"

namespace tophand {
namespace {

// Closes its descriptor when it goes; -1 holds nothing.
class Fd {
 public:
  explicit Fd(int fd = -1) : fd_(fd) {}
  Fd(Fd&& other) noexcept : fd_(other.fd_) { other.fd_ = -1; }
  Fd& operator=(Fd&& other) noexcept {
    std::swap(fd_, other.fd_);
    return *this;
  }
  ~Fd() { reset(); }
  int get() const { return fd_; }
  void reset() {
    if (fd_ >= 0) ::close(fd_);
    fd_ = -1;
  }

 private:
  int fd_;
};

struct Pipe {
  Fd read, write;
};
Result<Pipe> make_pipe() {
  std::array<int, 2> fds{};
  if (::pipe2(fds.data(), O_CLOEXEC) != 0)
    return fail(Code::kIo, std::string("cannot open a pipe: ") + std::strerror(errno));
  return Pipe{Fd(fds[0]), Fd(fds[1])};
}

struct Pipes {
  Pipe in, out, err, failure;  // failure carries errno of a failed exec
};

// In the child between fork and exec: async-signal-safe calls only.
[[noreturn]] void become(const ProcessOptions& options, const Pipes& pipes, char* const* argv) {
  ::dup2(pipes.in.read.get(), STDIN_FILENO);
  ::dup2(pipes.out.write.get(), STDOUT_FILENO);
  ::dup2(pipes.err.write.get(), STDERR_FILENO);
  if (options.directory.empty() || ::chdir(options.directory.c_str()) == 0) ::execvp(argv[0], argv);
  const int code = errno;
  [[maybe_unused]] const ssize_t n = ::write(pipes.failure.write.get(), &code, sizeof code);
  ::_exit(127);
}

// Appends what is readable; closes `from` at its end.
void drain(Fd& from, std::string& into) {
  std::array<char, 65536> buffer;
  const ssize_t n = ::read(from.get(), buffer.data(), buffer.size());
  if (n > 0) into.append(buffer.data(), static_cast<std::size_t>(n));
  else if (n == 0 || errno != EINTR) from.reset();
}

// Feeds the input and gathers both outputs until they end.
Result<> pump(const ProcessOptions& options, Pipes& pipes, ProcessResult& result) {
  const std::int64_t deadline_ns =
      system_clock().mono_ns() + std::int64_t{options.timeout_ms} * 1'000'000;
  std::string_view input = options.input;
  if (input.empty()) pipes.in.write.reset();
  else ::fcntl(pipes.in.write.get(), F_SETFL, O_NONBLOCK);
  while (pipes.out.read.get() >= 0 || pipes.err.read.get() >= 0) {
    const std::int64_t left_ms = (deadline_ns - system_clock().mono_ns()) / 1'000'000;
    if (left_ms <= 0)
      return fail(Code::kDeadline, options.argv[0] + " did not end within " +
                                       std::to_string(options.timeout_ms / 1000) + " s");
    std::array<pollfd, 3> waits{pollfd{pipes.out.read.get(), POLLIN, 0},
                                pollfd{pipes.err.read.get(), POLLIN, 0},
                                pollfd{pipes.in.write.get(), POLLOUT, 0}};
    if (::poll(waits.data(), waits.size(), static_cast<int>(left_ms)) < 0 && errno != EINTR)
      return fail(Code::kIo, std::string("poll: ") + std::strerror(errno));
    if (waits[0].revents != 0) drain(pipes.out.read, result.out);
    if (waits[1].revents != 0) drain(pipes.err.read, result.err);
    if (waits[2].revents != 0) {
      const ssize_t n = ::write(pipes.in.write.get(), input.data(), input.size());
      if (n > 0) input.remove_prefix(static_cast<std::size_t>(n));
      if (input.empty() || (n < 0 && errno != EAGAIN && errno != EINTR)) pipes.in.write.reset();
    }
    if (result.out.size() + result.err.size() > options.output_bytes_max)
      return fail(Code::kTooLarge, options.argv[0] + " printed more than " +
                                       std::to_string(options.output_bytes_max) + " bytes");
  }
  return {};
}

int exit_code_of(int status) {
  return WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
}

}  // namespace

Result<ProcessResult> run_process(const ProcessOptions& options) {
  std::vector<char*> argv;
  argv.reserve(options.argv.size() + 1);
  for (const std::string& argument : options.argv)
    argv.push_back(const_cast<char*>(argument.c_str()));
  argv.push_back(nullptr);
  TOPHAND_TRY(in, "standard input", make_pipe());
  TOPHAND_TRY(out, "standard output", make_pipe());
  TOPHAND_TRY(err, "standard error", make_pipe());
  TOPHAND_TRY(failure, "exec status", make_pipe());
  Pipes pipes{std::move(in), std::move(out), std::move(err), std::move(failure)};
  const pid_t child = ::fork();
  if (child < 0) return fail(Code::kIo, std::string("cannot fork: ") + std::strerror(errno));
  if (child == 0) become(options, pipes, argv.data());
  pipes.in.read.reset();
  pipes.out.write.reset();
  pipes.err.write.reset();
  pipes.failure.write.reset();

  ProcessResult result;
  // A child that dies before it has read its input must not kill us with SIGPIPE.
  struct sigaction ignore{}, before{};
  ignore.sa_handler = SIG_IGN;
  ::sigaction(SIGPIPE, &ignore, &before);
  Result<> pumped = pump(options, pipes, result);
  ::sigaction(SIGPIPE, &before, nullptr);
  if (!pumped) ::kill(child, SIGKILL);
  int status = 0;
  while (::waitpid(child, &status, 0) < 0 && errno == EINTR) {
  }
  if (!pumped) return tl::unexpected(std::move(pumped).error());
  int exec_errno = 0;
  if (::read(pipes.failure.read.get(), &exec_errno, sizeof exec_errno) == sizeof exec_errno)
    return fail(exec_errno == ENOENT ? Code::kNotFound : Code::kIo,
                "cannot run " + options.argv[0] + ": " + std::strerror(exec_errno));
  result.exit_code = exit_code_of(status);
  return result;
}

}  // namespace tophand

#include "cli/temporary_gateway.h"

#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>
#include <filesystem>
#include <fstream>
#include <sstream>
#include <vector>

#include "base/clock.h"
#include "net/client.h"

namespace tophand::cli {
namespace {

constexpr std::int64_t kStartTimeoutMs =
    20'000;  // it accepts in well under a second; a cold disk may not

std::string read_file(const std::string& path) {
  std::ifstream file(path);
  std::stringstream text;
  text << file.rdbuf();
  return text.str();
}

std::string last_lines(const std::string& path) {
  const std::string text = read_file(path);
  return text.substr(text.size() > 600 ? text.size() - 600 : 0);
}

// In the child between fork and exec: async-signal-safe calls only.
[[noreturn]] void become_gateway(int log_fd, char* const* argv) {
  ::prctl(PR_SET_PDEATHSIG, SIGTERM);
  ::setpgid(0, 0);  // Ctrl-C at the terminal is for the command, not for its gateway
  ::dup2(log_fd, STDOUT_FILENO);
  ::dup2(log_fd, STDERR_FILENO);
  const int null_fd = ::open("/dev/null", O_RDONLY);
  if (null_fd < 0) {  // the terminal's input must not become the gateway's
    constexpr std::string_view kWhy = "cannot open /dev/null\n";
    [[maybe_unused]] const ssize_t told = ::write(STDERR_FILENO, kWhy.data(), kWhy.size());
    ::_exit(127);
  }
  ::dup2(null_fd, STDIN_FILENO);
  ::execv("/proc/self/exe", argv);
  ::_exit(127);
}

std::vector<std::string> serve_arguments(const config::Paths& paths) {
  std::vector<std::string> words{"tophand",        "serve",  "--listen",    "127.0.0.1:0",
                                 "--no-first-key", "--data", paths.data_dir};
  if (paths.config_named) {
    words.emplace_back("--config");
    words.push_back(paths.config_file);
  }
  return words;
}

void end_child(pid_t child) {
  ::kill(child, SIGTERM);
  while (::waitpid(child, nullptr, 0) < 0 && errno == EINTR) {
  }
}

std::string endpoint_file(const config::Paths& paths) {
  return paths.data_dir + "/run/endpoint";
}

// The URL once the child answers; an error when it has ended or takes too long.
Result<std::string> wait_until_ready(pid_t child, const config::Paths& paths,
                                     const std::string& log) {
  const std::int64_t start_ns = system_clock().mono_ns();
  while ((system_clock().mono_ns() - start_ns) / 1'000'000 < kStartTimeoutMs) {
    std::string url = read_file(endpoint_file(paths));
    url.erase(url.find_last_not_of("\r\n ") + 1);
    if (!url.empty() && answers_health(url)) return url;
    int status = 0;
    if (::waitpid(child, &status, WNOHANG) == child)
      return fail(Code::kUnavailable,
                  "it ended at once; the end of " + log + ":\n" + last_lines(log));
    ::poll(nullptr, 0, 20);
  }
  end_child(child);
  return fail(Code::kUnavailable, "it did not answer within 20 s; see " + log);
}

}  // namespace

bool answers_health(const std::string& url) {
  const auto endpoint = net::parse_endpoint(url);
  if (!endpoint) return false;
  net::ClientRequest request;
  request.method = "GET";
  request.path = "/healthz";
  request.connect_timeout_ms = request.first_byte_timeout_ms = 1'000;
  const auto response = net::Client::create()->send(*endpoint, request, nullptr);
  return response && (*response)->status() == 200;
}

Result<std::unique_ptr<TemporaryGateway>> TemporaryGateway::start(const config::Paths& paths) {
  std::error_code ignored;
  std::filesystem::create_directories(paths.data_dir + "/run", ignored);
  std::filesystem::remove(endpoint_file(paths), ignored);  // of a gateway that is gone
  const std::string log = paths.data_dir + "/run/temporary-gateway.log";
  const int log_fd = ::open(log.c_str(), O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
  if (log_fd < 0) return fail(Code::kIo, "cannot write " + log + ": " + std::strerror(errno));
  std::vector<std::string> words = serve_arguments(paths);
  std::vector<char*> argv;
  argv.reserve(words.size() + 1);
  for (std::string& word : words) argv.push_back(word.data());
  argv.push_back(nullptr);
  const pid_t child = ::fork();
  if (child == 0) become_gateway(log_fd, argv.data());
  ::close(log_fd);
  if (child < 0) return fail(Code::kIo, std::string("cannot fork: ") + std::strerror(errno));
  auto url = wait_until_ready(child, paths, log);
  if (!url) return tl::unexpected(std::move(url).error());
  return std::unique_ptr<TemporaryGateway>(new TemporaryGateway(child, *std::move(url)));
}

TemporaryGateway::~TemporaryGateway() {
  end_child(child_);
}

}  // namespace tophand::cli

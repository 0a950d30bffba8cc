#include <unistd.h>

#include <cerrno>
#include <csignal>
#include <cstdlib>
#include <cstring>
#include <iostream>
#include <new>
#include <string>
#include <vector>

#include "base/log.h"
#include "cli/help.h"
#include "cli/watched_output.h"

namespace {

// What a command says is its result: one that is lost (a full disk) is a failure, whatever the
// command thought. A reader that has left (`tophand list | head -1`) had what it wanted.
int finish(int code, const tophand::cli::WatchedOutput& output) {
  std::cout.flush();
  if (output.error() == 0 || output.error() == EPIPE) return code;
  std::cerr << "tophand: cannot write the output: " << std::strerror(output.error()) << '\n';
  return code == 0 ? 1 : code;
}

void take_log_level(const char* name) {
  using namespace tophand;
  const log::Level level = log::parse_level(name, log::Level::kInfo);
  log::set_level(level);
  if (level == log::Level::kInfo && log::parse_level(name, log::Level::kOff) == log::Level::kOff)
    std::cerr << "tophand: TOPHAND_LOG=" << name
              << " is none of debug, info, warn, error and off; info is taken\n";
}

}  // namespace

int main(int argc, char** argv) {
  using namespace tophand;
  // A reader that leaves and a limit on file sizes are errors of that write, not our end.
  std::signal(SIGPIPE, SIG_IGN);
  std::signal(SIGXFSZ, SIG_IGN);
  if (const char* level = std::getenv("TOPHAND_LOG")) take_log_level(level);
  std::vector<std::string> words(argv + 1, argv + argc);
  if (words.size() == 1 && (words[0] == "--version" || words[0] == "-V")) words[0] = "version";
  const bool colour = std::getenv("NO_COLOR") == nullptr;
  std::streambuf* const plain = std::cout.rdbuf();
  cli::WatchedOutput output(*plain);
  std::cout.rdbuf(&output);
  cli::Io io{.out = std::cout,
             .err = std::cerr,
             .out_is_terminal = colour && ::isatty(STDOUT_FILENO) != 0,
             .err_is_terminal = colour && ::isatty(STDERR_FILENO) != 0};
  int code = 0;
  try {
    code = cli::dispatch(cli::command_table(), io, words);
  } catch (const std::bad_alloc&) {  // where no message of ours knows how much was wanted
    code = cli::report(io, {Code::kTooLarge,
                            "the system refused memory; more must be free, or the limit on it "
                            "(ulimit -v) higher"});
  }
  code = finish(code, output);
  std::cout.rdbuf(plain);  // which is flushed once more when the process ends
  return code;
}

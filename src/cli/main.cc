#include <unistd.h>

#include <cerrno>
#include <csignal>
#include <cstdlib>
#include <cstring>
#include <iostream>
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

}  // namespace

int main(int argc, char** argv) {
  using namespace tophand;
  std::signal(SIGPIPE, SIG_IGN);  // a reader that leaves is an error of that write, not our end
  if (const char* level = std::getenv("TOPHAND_LOG"))
    log::set_level(log::parse_level(level, log::Level::kInfo));
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
  const int code = finish(cli::dispatch(cli::command_table(), io, words), output);
  std::cout.rdbuf(plain);  // which is flushed once more when the process ends
  return code;
}

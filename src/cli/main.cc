#include <unistd.h>

#include <csignal>
#include <cstdlib>
#include <iostream>
#include <string>
#include <vector>

#include "base/log.h"
#include "cli/help.h"

int main(int argc, char** argv) {
  using namespace tophand;
  std::signal(SIGPIPE, SIG_IGN);  // a reader that leaves is an error of that write, not our end
  if (const char* level = std::getenv("TOPHAND_LOG"))
    log::set_level(log::parse_level(level, log::Level::kInfo));
  std::vector<std::string> words(argv + 1, argv + argc);
  if (words.size() == 1 && (words[0] == "--version" || words[0] == "-V")) words[0] = "version";
  const bool colour = std::getenv("NO_COLOR") == nullptr;
  cli::Io io{.out = std::cout,
             .err = std::cerr,
             .out_is_terminal = colour && ::isatty(STDOUT_FILENO) != 0,
             .err_is_terminal = colour && ::isatty(STDERR_FILENO) != 0};
  const int code = cli::dispatch(cli::command_table(), io, words);
  std::cout.flush();
  return code;
}

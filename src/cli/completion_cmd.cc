#include <ostream>

#include "cli/commands.h"
#include "cli/help.h"

namespace tophand::cli {
namespace {

int run_completion(Io& io, const Arguments& args) {
  const std::string& shell = args.positional[0];
  if (print_completion(shell, command_table(), io.out)) return 0;
  return report(io, Error{Code::kInvalid, "expected bash, zsh or fish, found '" + shell + "'"});
}

int run_version(Io& io, const Arguments&) {
  io.out << "tophand " TOPHAND_VERSION "\n";
  return 0;
}

}  // namespace

const Command kCompletion{
    .name = "completion",
    .arguments = "bash|zsh|fish",
    .summary = "Print completion code for a shell",
    .help =
        "  tophand completion bash > ~/.local/share/bash-completion/completions/tophand\n"
        "  tophand completion zsh > \"${fpath[1]}/_tophand\"\n"
        "  tophand completion fish > ~/.config/fish/completions/tophand.fish\n",
    .flags = {},
    .positional_min = 1,
    .positional_max = 1,
    .run = run_completion,
};

const Command kVersion{
    .name = "version",
    .arguments = "",
    .summary = "Print the version",
    .help = "",
    .flags = {},
    .positional_min = 0,
    .positional_max = 0,
    .run = run_version,
};

}  // namespace tophand::cli

#include "cli/git.h"

#include <utility>

#include "base/subprocess.h"

namespace tophand::cli {

Result<std::string> git(const std::string& repository, std::vector<std::string> arguments,
                        std::string input) {
  std::vector<std::string> argv{"git", "-C", repository.empty() ? "." : repository};
  for (std::string& argument : arguments) argv.push_back(std::move(argument));
  TOPHAND_TRY(result, "run git", run_process({.argv = argv, .input = std::move(input)}));
  if (result.exit_code != 0)
    return fail(Code::kInvalid, "git " + argv[3] + ": " +
                                    (result.err.empty() ? result.out : result.err).substr(0, 500));
  return result.out;
}

}  // namespace tophand::cli

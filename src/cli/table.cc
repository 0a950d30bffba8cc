#include <array>

#include "cli/commands.h"
#include "cli/help.h"

namespace tophand::cli {

// In the order of the overview. A new command is one line here and one file.
std::span<const Command* const> command_table() {
  static constexpr std::array kTable{
      &kAsk,        &kRun,         &kCommit,      //
      &kConfigInit, &kConfigCheck, &kConfigShow,  //
      &kEngine,     &kTokenize,    &kPerplexity,  //
      &kCompletion, &kVersion,
  };
  return kTable;
}

}  // namespace tophand::cli

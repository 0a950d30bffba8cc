#include <array>

#include "cli/commands.h"
#include "cli/help.h"

namespace tophand::cli {

// In the order of the overview. A new command is one line here and one file.
std::span<const Command* const> command_table() {
  // clang-format off
  static constexpr std::array kTable{
      &kServe,
      &kKeys,
      &kConnect,
      &kAsk,
      &kRun,
      &kCommit,
      &kSavings,
      &kStatus,
      &kBudget,
      &kDeferred,
      &kExplain,
      &kReplay,
      &kLedgerVerify,
      &kLedgerHead,
      &kPrices,
      &kReconcile,
      &kRoutes,
      &kGood,
      &kBad,
      &kPull,
      &kList,
      &kRemove,
      &kBackends,
      &kDoctor,
      &kConfigInit,
      &kConfigCheck,
      &kConfigShow,
      &kTokenize,
      &kPerplexity,
      &kQuantize,
      &kBench,
      &kEngine,
      &kCompletion,
      &kVersion,
  };
  // clang-format on
  return kTable;
}

}  // namespace tophand::cli

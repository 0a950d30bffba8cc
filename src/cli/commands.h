// Every subcommand, one file each. main.cc puts them in a table.
#pragma once

#include "cli/command.h"

namespace tophand::cli {

extern const Command kServe, kEngine, kPull, kList, kRemove, kRun, kAsk, kCommit, kSavings, kDoctor,
    kConfigCheck, kConfigShow, kConfigInit, kTokenize, kPerplexity, kQuantize, kBench, kCompletion,
    kKeys, kBackends, kConnect, kVersion, kExplain, kReplay, kLedgerVerify, kLedgerHead, kPrices,
    kBudget, kStatus, kReconcile, kRoutes, kGood, kBad, kDeferred;

}  // namespace tophand::cli

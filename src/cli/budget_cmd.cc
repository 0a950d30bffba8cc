#include <ostream>

#include "cli/budget_report.h"
#include "cli/commands.h"
#include "cli/ledger_file.h"

namespace tophand::cli {
namespace {

Result<> show(Io& io, const Arguments& args) {
  TOPHAND_TRY(body, "budget", ask_or_read(io, args, {"/tophand/v1/budget"}, budget_of));
  if (!args.has("--json")) return print_budget(body, io.out);
  io.out << body << '\n';
  return {};
}

int run_budget(Io& io, const Arguments& args) {
  const auto shown = show(io, args);
  return shown ? 0 : report(io, shown.error());
}

const Flag kFlags[] = {
    {"--json", "",
     "print JSON; money in dollars, or in nano-dollars (1e-9 dollar) where the name says so"},
    kDataFlag,
    kConfigFlag,
};

}  // namespace

const Command kBudget{
    .name = "budget",
    .arguments = "",
    .summary = "Show what is left of the budget, and whether it will last",
    .help =
        "Each window of money (the configured week and five hours, and those that a Claude\n"
        "subscription reports), used and forecast, how hard it presses, every cap, and what was\n"
        "answered by a cheaper model or later because of it. Asks the running gateway; where none\n"
        "runs it reads the ledger's file, and says so.\n\n"
        "  tophand budget\n"
        "  tophand budget --json\n",
    .flags = kFlags,
    .positional_min = 0,
    .positional_max = 0,
    .run = run_budget,
};

}  // namespace tophand::cli

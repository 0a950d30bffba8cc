#include <ostream>

#include "base/clock.h"
#include "cli/commands.h"
#include "cli/ledger_file.h"
#include "cli/reconcile_report.h"
#include "server/reconcile.h"

namespace tophand::cli {
namespace {

Result<std::string> find_differences(Io& io, const Arguments& args) {
  TOPHAND_TRY(days, "reconcile",
              args.get_int("--days", server::kReconcileDaysDefault, 1, server::kReconcileDaysMax));
  const auto offline = [days = days](LedgerFile& file) -> Result<std::string> {
    TOPHAND_TRY(found, "reconcile",
                server::reconcile(*file.ledger, file.prices, file.settings.claude, days,
                                  system_clock().wall_ms(), nullptr));
    return server::reconcile_json(found);
  };
  return ask_or_read(io, args, "/tophand/v1/reconcile?days=" + std::to_string(days), offline);
}

int run_reconcile(Io& io, const Arguments& args) {
  const auto found = find_differences(io, args);
  if (!found) return report(io, found.error());
  if (args.has("--json")) {
    io.out << *found << '\n';
    return 0;
  }
  const auto printed = print_reconciliation(*found, io.out);
  return printed ? 0 : report(io, printed.error());
}

const Flag kFlags[] = {
    {"--days", "N", "the last N days and today (default 7)"},
    {"--json", "", "print JSON; money in nano-dollars (1e-9 dollar)"},
    kDataFlag,
    kConfigFlag,
};

}  // namespace

const Command kReconcile{
    .name = "ledger reconcile",
    .arguments = "",
    .summary = "Compare the ledger with Anthropic's own account, by day and model",
    .help =
        "Needs an Admin key, which an organisation's admin makes in the Claude Console: put it "
        "into\n"
        "a file of mode 0600 and name that in [claude] admin_key_file. The gateway does the same\n"
        "every night and logs the residual.\n\n"
        "  tophand ledger reconcile --days 14\n",
    .flags = kFlags,
    .positional_min = 0,
    .positional_max = 0,
    .run = run_reconcile,
};

}  // namespace tophand::cli

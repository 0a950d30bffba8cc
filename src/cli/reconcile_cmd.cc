#include <ostream>

#include "base/clock.h"
#include "cli/commands.h"
#include "cli/ledger_file.h"
#include "cli/reconcile_report.h"
#include "server/booking.h"
#include "server/reconcile.h"

namespace tophand::cli {
namespace {

std::string path_of(std::int64_t days) {
  return "/tophand/v1/reconcile?days=" + std::to_string(days);
}

Result<std::string> compare_file(LedgerFile& file, std::int64_t days, bool books) {
  TOPHAND_TRY(found, "reconcile",
              server::reconcile(*file.ledger, file.prices, file.settings.claude, days,
                                system_clock().wall_ms(), nullptr));
  if (books) TOPHAND_CHECK("reconcile", server::book(*file.ledger, found));
  return server::reconcile_json(found, books);
}

Result<std::string> find_differences(Io& io, const Arguments& args) {
  TOPHAND_TRY(days, "reconcile",
              args.get_int("--days", server::kReconcileDaysDefault, 1, server::kReconcileDaysMax));
  const bool books = args.has("--book") && args.has("--yes");
  return ask_or_read(
      io, args, {.path = path_of(days), .posts = books},
      [days = days, books](LedgerFile& file) { return compare_file(file, days, books); });
}

int run_reconcile(Io& io, const Arguments& args) {
  const auto found = find_differences(io, args);
  if (!found) return report(io, found.error());
  const auto printed = args.has("--json") ? Result<>() : print_reconciliation(*found, io.out);
  if (args.has("--json")) io.out << *found << '\n';
  if (!printed) return report(io, printed.error());
  if (!args.has("--book") || args.has("--yes")) return 0;
  io.err << "tophand: nothing was booked; say --yes as well to book the residual\n";
  return 2;
}

const Flag kFlags[] = {
    {"--days", "N", "the last N days and today (default 7)"},
    {"--book", "", "book the residual of complete days to the ledger's rows (with --yes)"},
    {"--yes", "", "with --book: do it, instead of only showing it"},
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
        "With --book --yes the residual is booked as adjustments of the ledger's rows, so that "
        "the\n"
        "ledger costs what the account says; booking again books nothing more. That needs\n"
        "[claude] admin_api_key_ids, so that it is this gateway's usage alone.\n\n"
        "  tophand ledger reconcile --days 14\n"
        "  tophand ledger reconcile --book --yes\n",
    .flags = kFlags,
    .positional_min = 0,
    .positional_max = 0,
    .run = run_reconcile,
};

}  // namespace tophand::cli

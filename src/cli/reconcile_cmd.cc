#include <filesystem>
#include <ostream>

#include "base/clock.h"
#include "cli/commands.h"
#include "cli/gateway_client.h"
#include "cli/reconcile_report.h"
#include "config/config.h"
#include "ledger/ledger.h"
#include "ledger/prices.h"
#include "server/reconcile.h"

namespace tophand::cli {
namespace {

// Without a gateway this process owns the ledger for a moment.
Result<std::string> reconcile_file(const Arguments& args, std::int64_t days) {
  const config::Environment env = config::process_environment();
  const config::Paths paths = config::find_paths(env, args.get("--config"), args.get("--data"));
  TOPHAND_TRY(settings, "configuration", config::load_config(paths, env));
  TOPHAND_TRY(prices, "prices", ledger::PriceBook::load(settings.prices_file));
  const std::string path = paths.data_dir + "/" + std::string(ledger::kLedgerFile);
  std::error_code failed;
  if (!std::filesystem::exists(path, failed) && !failed)
    return fail(Code::kNotFound, "there is no ledger at " + path + " yet");
  TOPHAND_TRY(account, "reconcile",
              ledger::Ledger::open(path, system_clock(), prices.version(), std::nullopt));
  TOPHAND_TRY(found, "reconcile",
              server::reconcile(*account, prices, settings.claude, days, system_clock().wall_ms(),
                                nullptr));
  return server::reconcile_json(found);
}

Result<std::string> find_differences(Io& io, const Arguments& args) {
  TOPHAND_TRY(days, "reconcile",
              args.get_int("--days", server::kReconcileDaysDefault, 1, server::kReconcileDaysMax));
  auto gateway = GatewayClient::connect(io, args, GatewayClient::IfMissing::kFail);
  if (gateway) return (*gateway)->get("/tophand/v1/reconcile?days=" + std::to_string(days));
  const bool named = config::process_environment().contains("TOPHAND_URL");
  if (named || gateway.error().code != Code::kUnavailable)
    return tl::unexpected(std::move(gateway).error());
  return reconcile_file(args, days);
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

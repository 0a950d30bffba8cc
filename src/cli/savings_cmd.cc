#include <filesystem>
#include <ostream>

#include "base/clock.h"
#include "cli/commands.h"
#include "cli/gateway_client.h"
#include "cli/savings_report.h"
#include "config/config.h"

namespace tophand::cli {
namespace {

// Without a gateway this process owns the ledger for a moment. A ledger that does not exist is not
// made: nothing has been recorded.
Result<Savings> savings_of_file(const Arguments& args, std::int64_t since_ms) {
  const config::Environment env = config::process_environment();
  const config::Paths paths = config::find_paths(env, args.get("--config"), args.get("--data"));
  TOPHAND_TRY(settings, "configuration", config::load_config(paths, env));
  TOPHAND_TRY(prices, "prices", ledger::PriceBook::load(settings.prices_file));
  Savings out;
  out.since_ms = since_ms;
  out.until_ms = system_clock().wall_ms();
  out.model = settings.claude.model;
  out.price_version = prices.version();
  const std::string path = paths.data_dir + "/" + std::string(ledger::kLedgerFile);
  std::error_code failed;
  if (!std::filesystem::exists(path, failed) && !failed) return out;
  TOPHAND_TRY(account, "savings",
              ledger::Ledger::open(path, system_clock(), prices.version(), std::nullopt));
  TOPHAND_TRY(totals, "savings", account->totals(since_ms));
  out.totals = totals;
  return out;
}

Result<Savings> find_savings(Io& io, const Arguments& args) {
  TOPHAND_TRY(since_ms, "savings",
              parse_since(args.get("--since", "all"), system_clock().wall_ms()));
  auto gateway = GatewayClient::connect(io, args, GatewayClient::IfMissing::kFail);
  if (gateway) {
    TOPHAND_TRY(body, "savings",
                (*gateway)->get("/tophand/v1/savings?since_ms=" + std::to_string(since_ms)));
    return parse_savings(body);
  }
  const bool named = config::process_environment().contains("TOPHAND_URL");
  if (named || gateway.error().code != Code::kUnavailable)
    return tl::unexpected(std::move(gateway).error());
  return savings_of_file(args, since_ms);
}

int run_savings(Io& io, const Arguments& args) {
  const auto savings = find_savings(io, args);
  if (!savings) return report(io, savings.error());
  if (args.has("--json")) io.out << savings_json(*savings) << '\n';
  else print_savings(*savings, io.out);
  return 0;
}

const Flag kFlags[] = {
    {"--since", "TIME", "all (default), week, or hours or days: 12h, 7d"},
    {"--json", "", "print JSON; money in nano-dollars (1e-9 dollar)"},
    kDataFlag,
    kConfigFlag,
};

}  // namespace

const Command kSavings{
    .name = "savings",
    .arguments = "",
    .summary = "Show what was answered where, what it cost and what it saved",
    .help =
        "Asks the running gateway, or reads the ledger when none runs.\n\n"
        "  tophand savings\n"
        "  tophand savings --since 7d --json\n",
    .flags = kFlags,
    .positional_min = 0,
    .positional_max = 0,
    .run = run_savings,
};

}  // namespace tophand::cli

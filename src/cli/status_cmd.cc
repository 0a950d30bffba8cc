// `tophand status`: what runs, what it costs and what is wrong, on one screen.
#include <ostream>

#include "base/clock.h"
#include "cli/commands.h"
#include "cli/ledger_file.h"
#include "cli/slow_note.h"
#include "cli/status_report.h"
#include "steering/budget_watch.h"
#include "steering/savings.h"

namespace tophand::cli {
namespace {

constexpr int kWrong = 1, kNotRunning = 3;

Result<StatusParts> ask_gateway(GatewayClient& gateway) {
  StatusParts parts{.url = gateway.url(), .now_ms = system_clock().wall_ms()};
  for (const auto& [path, into] : {std::pair{"/tophand/v1/status", &parts.status},
                                   {"/tophand/v1/budget", &parts.budget},
                                   {"/tophand/v1/savings?day=1", &parts.today},
                                   {"/tophand/v1/savings?week=1", &parts.week}}) {
    TOPHAND_TRY(body, "status", gateway.get(path));
    *into = std::move(body);
  }
  return parts;
}

Result<std::string> savings_since(LedgerFile& file, std::int64_t since_ms) {
  TOPHAND_TRY(report, "savings",
              steering::savings_of(*file.ledger, file.prices,
                                   {.since_ms = since_ms,
                                    .until_ms = system_clock().wall_ms(),
                                    .counterfactual_model = file.settings.claude.model,
                                    .energy_known = file.settings.energy.is_known()}));
  return steering::savings_json(report, {});
}

Result<StatusParts> read_file(const Arguments& args) {
  StatusParts parts{.now_ms = system_clock().wall_ms()};
  auto file = open_ledger_file(args, LedgerUse::kRead);
  if (!file && file.error().code == Code::kNotFound) return parts;  // nothing has been recorded
  if (!file) return tl::unexpected(std::move(file).error());
  TOPHAND_TRY(budget, "status", budget_of(*file));
  const Calendar calendar = file->ledger->calendar();
  TOPHAND_TRY(today, "status", savings_since(*file, calendar.day(parts.now_ms).start_ms));
  TOPHAND_TRY(week, "status", savings_since(*file, calendar.week(parts.now_ms).start_ms));
  parts.budget = std::move(budget);
  parts.today = std::move(today);
  parts.week = std::move(week);
  return parts;
}

Result<StatusParts> find_out(Io& io, const Arguments& args) {
  const SlowNote note(io, "reading the ledger");
  auto gateway = GatewayClient::connect(io, args, GatewayClient::IfMissing::kFail);
  if (gateway) return ask_gateway(**gateway);
  const bool named = config::process_environment().contains("TOPHAND_URL");
  if (named || gateway.error().code != Code::kUnavailable)
    return tl::unexpected(std::move(gateway).error());
  return read_file(args);
}

int run_status(Io& io, const Arguments& args) {
  const auto parts = find_out(io, args);
  if (!parts) return report(io, parts.error());
  if (args.has("--json")) io.out << status_json(*parts) << '\n';
  else print_status(*parts, io.out);
  if (parts->url.empty()) return kNotRunning;
  return problems_of(*parts).empty() ? 0 : kWrong;
}

const Flag kFlags[] = {{"--json", "", "print JSON"}, kDataFlag, kConfigFlag};

}  // namespace

const Command kStatus{
    .name = "status",
    .arguments = "",
    .summary = "Show on one screen what runs, what it costs, and what is wrong",
    .help =
        "The gateway and the backends, the budget and its forecast, what was answered where "
        "today,\n"
        "and the week's savings; what is wrong, and what to do about it. Ends with 0 when nothing\n"
        "is, with 1 when something is, and with 3 when no gateway runs.\n\n"
        "  tophand status\n"
        "  tophand status --json\n",
    .flags = kFlags,
    .positional_min = 0,
    .positional_max = 0,
    .run = run_status,
};

}  // namespace tophand::cli

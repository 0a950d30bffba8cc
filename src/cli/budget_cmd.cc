#include <ostream>

#include "cli/budget_report.h"
#include "cli/commands.h"
#include "cli/gateway_client.h"

namespace tophand::cli {
namespace {

Result<> show(Io& io, const Arguments& args) {
  TOPHAND_TRY(gateway, "budget", GatewayClient::connect(io, args, GatewayClient::IfMissing::kFail));
  TOPHAND_TRY(body, "budget", gateway->get("/tophand/v1/budget"));
  if (!args.has("--json")) return print_budget(body, io.out);
  io.out << body << '\n';
  return {};
}

int run_budget(Io& io, const Arguments& args) {
  const auto shown = show(io, args);
  return shown ? 0 : report(io, shown.error());
}

const Flag kFlags[] = {
    {"--json", "", "print the gateway's JSON"},
    kDataFlag,
    kConfigFlag,
};

}  // namespace

const Command kBudget{
    .name = "budget",
    .arguments = "",
    .summary = "Show what is left of the budget, and whether it will last",
    .help =
        "Asks the running gateway: each window of money (the configured week and five hours, and\n"
        "those that a Claude subscription reports), used and forecast, how hard it presses, every\n"
        "cap, and what was answered by a cheaper model or later because of it.\n\n"
        "  tophand budget\n"
        "  tophand budget --json\n",
    .flags = kFlags,
    .positional_min = 0,
    .positional_max = 0,
    .run = run_budget,
};

}  // namespace tophand::cli

#include <ostream>

#include "cli/commands.h"
#include "cli/gateway_client.h"
#include "cli/routes_report.h"

namespace tophand::cli {
namespace {

int run_routes(Io& io, const Arguments& args) {
  const auto gateway = GatewayClient::connect(io, args, GatewayClient::IfMissing::kFail);
  if (!gateway) return report(io, gateway.error());
  const auto body = (*gateway)->get("/tophand/v1/routes");
  if (!body) return report(io, body.error());
  if (args.has("--json")) {
    io.out << *body << '\n';
    return 0;
  }
  const auto printed = print_routes(*body, io.out);
  return printed ? 0 : report(io, printed.error());
}

const Flag kFlags[] = {
    {"--json", "", "print JSON"},
    kDataFlag,
    kConfigFlag,
};

}  // namespace

const Command kRoutes{
    .name = "routes",
    .arguments = "",
    .summary = "Show what local models have been seen to manage, by class of task",
    .help =
        "Asks the running gateway. Each line is a class of task and a local model: how far it is\n"
        "trusted (shadow, canary, trusted, demoted), on how many observations, the share of good\n"
        "answers with its lower bound, and how often the gate passes good and bad answers.\n\n"
        "  tophand routes\n"
        "  tophand routes --json\n",
    .flags = kFlags,
    .positional_min = 0,
    .positional_max = 0,
    .run = run_routes,
};

}  // namespace tophand::cli

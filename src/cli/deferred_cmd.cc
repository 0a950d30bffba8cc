// `tophand deferred`: what waits without a connection, and the answers that are kept.
#include <ostream>

#include "base/json.h"
#include "cli/commands.h"
#include "cli/deferred_report.h"
#include "cli/gateway_client.h"

namespace tophand::cli {
namespace {

int cancel(Io& io, const Arguments& args, GatewayClient& gateway, const std::string& id) {
  const auto done = gateway.post("/tophand/v1/deferred/cancel", dump_json(Json{{"id", id}}));
  if (!done) return report(io, done.error());
  if (args.has("--json")) io.out << *done << '\n';
  else io.out << id << " is cancelled, and its answer removed if there was one\n";
  return 0;
}

int run_deferred(Io& io, const Arguments& args) {
  const auto gateway = GatewayClient::connect(io, args, GatewayClient::IfMissing::kFail);
  if (!gateway) return report(io, gateway.error());
  if (const std::string id(args.get("--cancel")); !id.empty())
    return cancel(io, args, **gateway, id);
  const bool one = !args.positional.empty();
  const auto body = (*gateway)->get(std::string("/tophand/v1/deferred") +
                                    (one ? "/" + args.positional.front() : ""));
  if (!body) return report(io, body.error());
  if (one || args.has("--json")) {
    io.out << *body << '\n';
    return 0;
  }
  const auto printed = print_deferred(*body, io.out);
  return printed ? 0 : report(io, printed.error());
}

const Flag kFlags[] = {
    {"--cancel", "ID", "give one up, or remove its answer"},
    {"--json", "", "print JSON"},
    kDataFlag,
    kConfigFlag,
};

}  // namespace

const Command kDeferred{
    .name = "deferred",
    .arguments = "[ID]",
    .summary = "Show the requests that wait for a better time, and their answers",
    .help =
        "Asks the running gateway for the requests that were sent with \"Prefer: respond-async\" "
        "and\n"
        "a deadline: what each waits for, by when it has to be answered, and the answers that are\n"
        "kept. With an id: that one's answer as it is kept, or how it stands.\n\n"
        "  tophand deferred\n"
        "  tophand deferred req_0123456789abcdefghijklmn\n"
        "  tophand deferred --cancel req_0123456789abcdefghijklmn\n",
    .flags = kFlags,
    .positional_min = 0,
    .positional_max = 1,
    .run = run_deferred,
};

}  // namespace tophand::cli

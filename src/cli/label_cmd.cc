#include <ostream>

#include "base/json.h"
#include "cli/commands.h"
#include "cli/gateway_client.h"

namespace tophand::cli {
namespace {

int label(Io& io, const Arguments& args, const char* verdict) {
  const auto gateway = GatewayClient::connect(io, args, GatewayClient::IfMissing::kFail);
  if (!gateway) return report(io, gateway.error());
  const Json body{{"request_id", args.positional.at(0)},
                  {"verdict", verdict},
                  {"source", "human"},
                  {"note", args.get("--note")}};
  const auto answer = (*gateway)->post("/tophand/v1/labels", dump_json(body));
  if (!answer) return report(io, answer.error());
  if (args.has("--json")) {
    io.out << *answer << '\n';
    return 0;
  }
  const auto label = parse_json(*answer);
  if (!label) return report(io, label.error());
  const std::string task_class(string_or(*label, "task_class", ""));
  io.out << "noted: " << string_or(*label, "model", "") << " was " << verdict << " at "
         << (task_class.empty() ? "a request without a class" : task_class) << '\n';
  if (!bool_or(*label, "counts", true))
    io.out << "the model or its gate has changed since, so that it counts for nothing\n";
  return 0;
}

int run_good(Io& io, const Arguments& args) {
  return label(io, args, "good");
}

int run_bad(Io& io, const Arguments& args) {
  return label(io, args, "bad");
}

const Flag kFlags[] = {
    {"--note", "TEXT", "why; kept in the ledger, 500 bytes"},
    {"--json", "", "print JSON"},
    kDataFlag,
    kConfigFlag,
};

}  // namespace

const Command kGood{
    .name = "good",
    .arguments = "REQUEST_ID",
    .summary = "Say that a local model's answer was good",
    .help =
        "The id is the header x-request-id of the answer. What you say counts more than any\n"
        "gate or judge; `tophand routes` shows what comes of it.\n\n"
        "  tophand good req_0123456789abcdefghijklmn\n",
    .flags = kFlags,
    .positional_min = 1,
    .positional_max = 1,
    .run = run_good,
};

const Command kBad{
    .name = "bad",
    .arguments = "REQUEST_ID",
    .summary = "Say that a local model's answer was not good",
    .help =
        "The id is the header x-request-id of the answer. What you say counts more than any\n"
        "gate or judge; `tophand routes` shows what comes of it.\n\n"
        "  tophand bad req_0123456789abcdefghijklmn --note \"wrong file\"\n",
    .flags = kFlags,
    .positional_min = 1,
    .positional_max = 1,
    .run = run_bad,
};

}  // namespace tophand::cli

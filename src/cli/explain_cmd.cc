#include <algorithm>
#include <ostream>

#include "cli/commands.h"
#include "cli/explain_report.h"
#include "cli/gateway_client.h"

namespace tophand::cli {
namespace {

// Ids are letters, digits, '_' and '-': anything else would be another path.
Result<std::string> path_of(const std::string& id) {
  const bool plain = std::ranges::all_of(id, [](char c) {
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '_' ||
           c == '-';
  });
  if (id.empty() || !plain)
    return fail(Code::kInvalid,
                "expected a request id such as req_0123 (the answer's header "
                "x-request-id), found \"" +
                    id.substr(0, 80) + "\"");
  return "/tophand/v1/requests/" + id;
}

Result<std::string> ask_gateway(Io& io, const Arguments& args) {
  TOPHAND_TRY(path, "explain", path_of(args.positional.at(0)));
  TOPHAND_TRY(gateway, "explain",
              GatewayClient::connect(io, args, GatewayClient::IfMissing::kFail));
  return gateway->get(path);
}

int run_explain(Io& io, const Arguments& args) {
  const auto body = ask_gateway(io, args);
  if (!body) return report(io, body.error());
  if (args.has("--json")) {
    io.out << *body << '\n';
    return 0;
  }
  const auto printed = print_explanation(*body, io.out);
  return printed ? 0 : report(io, printed.error());
}

const Flag kFlags[] = {
    {"--json", "", "print JSON; money in nano-dollars (1e-9 dollar)"},
    kDataFlag,
    kConfigFlag,
};

}  // namespace

const Command kExplain{
    .name = "explain",
    .arguments = "REQUEST_ID",
    .summary = "Show why a request went where it went, every attempt, and what it cost",
    .help =
        "Asks the running gateway. The id is the header x-request-id of the answer.\n\n"
        "  tophand explain req_0123456789abcdefghijklmn\n",
    .flags = kFlags,
    .positional_min = 1,
    .positional_max = 1,
    .run = run_explain,
};

}  // namespace tophand::cli

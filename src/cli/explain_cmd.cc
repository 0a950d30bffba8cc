#include <algorithm>
#include <ostream>

#include "base/json.h"
#include "cli/commands.h"
#include "cli/explain_report.h"
#include "cli/gateway_client.h"
#include "cli/text_input.h"

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

// "name: value", one a line, as an object.
Result<Json> headers_from(const std::string& lines) {
  Json headers = Json::object();
  for (std::size_t at = 0; at < lines.size();) {
    const std::size_t end = std::min(lines.find('\n', at), lines.size());
    const std::string line = lines.substr(at, end - at);
    const std::size_t colon = line.find(':');
    const std::size_t value = line.find_first_not_of(' ', colon + 1);
    if (colon == 0 || colon == std::string::npos || value == std::string::npos)
      return fail(Code::kInvalid, "--header: expected \"name: value\", found \"" + line + "\"");
    headers[line.substr(0, colon)] = line.substr(value);
    at = end + 1;
  }
  return headers;
}

Result<std::string> ask_dry(Io& io, const Arguments& args) {
  TOPHAND_TRY(body, "explain", read_text_file(args.get("--dry-run")));
  if (body.empty())
    return fail(Code::kInvalid, "explain: '" + args.get("--dry-run") +
                                    "' is empty; expected a request's body, JSON");
  TOPHAND_TRY(headers, "explain", headers_from(args.get("--header")));
  const Json question{{"body", body}, {"headers", headers}, {"dialect", args.get("--dialect")}};
  TOPHAND_TRY(gateway, "explain",
              GatewayClient::connect(io, args, GatewayClient::IfMissing::kFail));
  return gateway->post("/tophand/v1/decide", dump_json(question));
}

Result<std::string> ask_gateway(Io& io, const Arguments& args) {
  const bool dry = args.has("--dry-run");
  if (dry != args.positional.empty())
    return fail(Code::kInvalid, "explain: expected a request id, or --dry-run FILE");
  if (dry) return ask_dry(io, args);
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
  const auto printed =
      args.has("--dry-run") ? print_decision(*body, io.out) : print_explanation(*body, io.out);
  return printed ? 0 : report(io, printed.error());
}

const Flag kFlags[] = {
    {"--dry-run", "FILE", "a request's body (- reads it from standard input): nothing is sent"},
    {"--header", "HEADER", "a header of that request, \"name: value\"; may be given again", true},
    {"--dialect", "NAME",
     "of that request: anthropic_messages, openai_chat, openai_responses, openai_completions, "
     "ollama_chat, ollama_generate (default: by its fields)"},
    {"--json", "", "print JSON; money in nano-dollars (1e-9 dollar)"},
    kDataFlag,
    kConfigFlag,
};

}  // namespace

const Command kExplain{
    .name = "explain",
    .arguments = "REQUEST_ID | --dry-run FILE",
    .summary = "Show why a request went where it went, every attempt, and what it cost",
    .help =
        "Asks the running gateway. The id is the header x-request-id of the answer. With\n"
        "--dry-run it says what would become of a request, with every rule that spoke.\n\n"
        "  tophand explain req_0123456789abcdefghijklmn\n"
        "  tophand explain --dry-run body.json --header \"x-tophand-priority: low\"\n",
    .flags = kFlags,
    .positional_min = 0,
    .positional_max = 1,
    .run = run_explain,
};

}  // namespace tophand::cli

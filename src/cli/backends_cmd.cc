// `tophand backends`: the other programs that serve models, as the running gateway sees them.
#include <algorithm>
#include <array>
#include <ostream>

#include "base/clock.h"
#include "base/json.h"
#include "cli/columns.h"
#include "cli/commands.h"
#include "cli/gateway_client.h"

namespace tophand::cli {
namespace {

constexpr std::int64_t kMsPerSecond = 1000;
constexpr std::size_t kColumns = 7;
using Row = std::array<std::string, kColumns>;

std::string ago(std::int64_t then_ms, std::int64_t now_ms) {
  if (then_ms == 0) return "not yet";
  return std::to_string(std::max<std::int64_t>(0, now_ms - then_ms) / kMsPerSecond) + " s ago";
}

std::string text(const Json& object, std::string_view key) {
  return std::string(string_or(object, key, ""));
}

// "name (8192)": the context where it is known.
std::string model_text(const Json& model) {
  const std::int64_t context = int_or(model, "context_tokens", 0);
  std::string out = text(model, "name");
  if (context > 0) out += " (" + std::to_string(context) + ")";
  return out;
}

// Each backend is a line; its models, with their context, and what is wrong come below the table.
void print_backends(const Json& backends, std::ostream& out) {
  if (backends.empty()) {
    out << "no [[backends]] are configured; docs/backends.md says how\n";
    return;
  }
  const std::int64_t now_ms = system_clock().wall_ms();
  std::vector<Row> rows{{"NAME", "KIND", "URL", "STATE", "MODELS", "IN FLIGHT", "LAST PROBE"}};
  std::string notes;
  for (const Json& each : backends) {
    const Json* models = find_key(each, "models");
    const bool up = bool_or(each, "up", false);
    const std::string name = text(each, "name");
    rows.push_back({name, text(each, "kind"), text(each, "url"), up ? "up" : "down",
                    std::to_string(models == nullptr ? 0 : models->size()),
                    std::to_string(int_or(each, "in_flight", 0)) + "/" +
                        std::to_string(int_or(each, "concurrency", 0)),
                    ago(int_or(each, "last_probe_ms", 0), now_ms)});
    if (!up) notes += name + " is down: " + text(each, "reason") + '\n';
    if (const Json* missing = find_key(each, "missing"); missing != nullptr)
      for (const Json& model : *missing)
        if (model.is_string()) notes += name + " does not list " + model.get<std::string>() + '\n';
    if (models == nullptr || models->empty()) continue;
    notes += name + ":";
    for (const Json& model : *models) notes += ' ' + model_text(model);
    notes += '\n';
  }
  print_columns(rows, out);
  if (!notes.empty()) out << '\n' << notes;
}

int run_backends(Io& io, const Arguments& args) {
  const auto gateway = GatewayClient::connect(io, args, GatewayClient::IfMissing::kFail);
  if (!gateway) return report(io, gateway.error());
  const auto body = (*gateway)->get("/tophand/v1/status");
  if (!body) return report(io, body.error());
  const auto status = parse_json(*body);
  const Json* backends = status ? find_key(*status, "backends") : nullptr;
  if (backends == nullptr || !backends->is_array())
    return report(io, {Code::kUpstream, "the gateway does not tell about backends: is it older?"});
  if (args.has("--json")) io.out << dump_json(*backends) << '\n';
  else print_backends(*backends, io.out);
  return 0;
}

const Flag kFlags[] = {
    {"--json", "", "print JSON"},
    kDataFlag,
    kConfigFlag,
};

}  // namespace

const Command kBackends{
    .name = "backends",
    .arguments = "",
    .summary = "Show the other programs that serve models, and how they are",
    .help =
        "Asks the running gateway. A backend that is down is still tried when nothing else can\n"
        "answer; its models are asked for as NAME/MODEL.\n\n"
        "  tophand backends\n"
        "  tophand backends --json\n",
    .flags = kFlags,
    .positional_min = 0,
    .positional_max = 0,
    .run = run_backends,
};

}  // namespace tophand::cli

#include <algorithm>
#include <ostream>

#include "base/json.h"
#include "cli/commands.h"
#include "cli/doctor_checks.h"

namespace tophand::cli {
namespace {

// The colour of a mark on a terminal (ECMA-48, SGR).
std::string_view colour(Health health) {
  switch (health) {
    case Health::kOk:
      return "\x1b[32m";
    case Health::kWarn:
      return "\x1b[33m";
    case Health::kFail:
      return "\x1b[31m";
  }
  return "";
}

void print(Io& io, const Check& check, std::size_t width) {
  const std::string_view mark = health_name(check.health);
  if (io.out_is_terminal) io.out << colour(check.health) << mark << "\x1b[0m";
  else io.out << mark;
  io.out << std::string(6 - mark.size(), ' ') << check.name
         << std::string(width + 2 - check.name.size(), ' ') << check.found << '\n';
  if (!check.mend.empty()) io.out << std::string(width + 8, ' ') << "-> " << check.mend << '\n';
}

void print_json(Io& io, const std::vector<Check>& checks, bool healthy) {
  Json list = Json::array();
  for (const Check& check : checks)
    list.push_back({{"name", check.name},
                    {"status", health_name(check.health)},
                    {"found", check.found},
                    {"mend", check.mend}});
  io.out << dump_json({{"version", TOPHAND_VERSION}, {"ok", healthy}, {"checks", list}}) << '\n';
}

int run_doctor(Io& io, const Arguments& args) {
  const config::Environment env = config::process_environment();
  const std::vector<Check> checks =
      run_checks({.paths = config::find_paths(env, args.get("--config"), args.get("--data")),
                  .env = env,
                  .offline = args.has("--offline")});
  const auto count = [&](Health health) {
    return std::ranges::count(checks, health, &Check::health);
  };
  const auto failed = count(Health::kFail), warned = count(Health::kWarn);
  if (args.has("--json")) {
    print_json(io, checks, failed == 0);
  } else {
    std::size_t width = 0;
    for (const Check& check : checks) width = std::max(width, check.name.size());
    for (const Check& check : checks) print(io, check, width);
    io.out << '\n' << failed << " to mend, " << warned << " to know about\n";
  }
  return failed == 0 ? 0 : 1;
}

const Flag kFlags[] = {
    {"--offline", "", "do not try to reach the Claude API and other machines"},
    {"--json", "", "print one JSON object"},
    {"--data", "DIR", "data folder (default $XDG_DATA_HOME/tophand)"},
    {"--config", "FILE", "configuration (default $XDG_CONFIG_HOME/tophand/tophand.toml)"},
};

}  // namespace

const Command kDoctor{
    .name = "doctor",
    .arguments = "",
    .summary = "Say what is wrong here, and how to mend it",
    .help =
        "Looks at the processor, memory, disk, configuration, folders, models, keys, the gateway,\n"
        "the other backends and the way to the Claude API. Changes nothing; sends no key anywhere\n"
        "but the gateway's and each backend's own to it. Exit code 1 when something must be "
        "mended.\n\n"
        "  tophand doctor\n"
        "  tophand doctor --offline --json\n",
    .flags = kFlags,
    .positional_min = 0,
    .positional_max = 0,
    .run = run_doctor,
};

}  // namespace tophand::cli

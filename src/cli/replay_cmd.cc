#include <cstdio>
#include <ostream>

#include "base/clock.h"
#include "base/json.h"
#include "cli/commands.h"
#include "cli/connection.h"
#include "cli/gateway_client.h"
#include "cli/ledger_file.h"
#include "cli/replay_source.h"
#include "cli/savings_report.h"
#include "cli/slow_note.h"
#include "config/config.h"
#include "server/keys.h"
#include "steering/replay.h"
#include "steering/settings.h"

namespace tophand::cli {
namespace {

using steering::Replay;
using steering::Replayed;

Json replay_json(const Replay& replay, bool list) {
  Json moves = Json::array(), requests = Json::array();
  for (const auto& [name, move] : replay.moves)
    moves.push_back({{"move", name},
                     {"count", move.count},
                     {"cost_was_nano_usd", move.cost_was},
                     {"cost_is_nano_usd", move.cost_is}});
  for (const Replayed& one : replay.requests)
    if (list && one.moved)
      requests.push_back({{"request_id", one.request_id},
                          {"started_ms", one.started_ms},
                          {"from", one.from},
                          {"to", one.to},
                          {"cost_was_nano_usd", one.cost_was},
                          {"cost_is_nano_usd", one.cost_is},
                          {"estimated", one.estimated},
                          {"refused", one.refused},
                          {"reason", one.reason}});
  Json out{{"requests", replay.requests.size()},
           {"first_ms", replay.first_ms},
           {"last_ms", replay.last_ms},
           {"cost_was_nano_usd", replay.cost_was},
           {"cost_is_nano_usd", replay.cost_is},
           {"estimated_nano_usd", replay.estimated},
           {"moved", replay.moved},
           {"refused", replay.refused},
           {"moves", std::move(moves)}};
  if (list) out["list"] = std::move(requests);
  return out;
}

std::string change(ledger::NanoUsd was, ledger::NanoUsd is) {
  if (was <= 0) return "";
  char text[32];
  std::snprintf(text, sizeof text, " (%+.1f %%)",
                100 * (static_cast<double>(is) / static_cast<double>(was) - 1));
  return text;
}

void print_replay(const Replay& replay, bool list, std::ostream& out) {
  using ledger::format_usd;
  out << replay.requests.size() << " requests";
  if (!replay.requests.empty())
    out << ", " << moment(replay.first_ms) << " to " << moment(replay.last_ms);
  out << "\ncost     was " << format_usd(replay.cost_was) << ", would be "
      << format_usd(replay.cost_is) << change(replay.cost_was, replay.cost_is) << '\n';
  if (replay.estimated > 0)
    out << "         " << format_usd(replay.estimated)
        << " of it estimated, for requests that a local model answered\n";
  out << "moved    " << replay.moved << (replay.moved == 1 ? " request" : " requests");
  if (replay.refused > 0) out << ", " << replay.refused << " of them refused";
  out << '\n';
  for (const auto& [name, move] : replay.moves)
    out << "  " << move.count << "  " << name << ", " << format_usd(move.cost_was) << " -> "
        << format_usd(move.cost_is) << '\n';
  if (!list) return;
  for (const Replayed& one : replay.requests)
    if (one.moved)
      out << '\n'
          << one.request_id << ", " << moment(one.started_ms) << "\n  " << one.from << " -> "
          << one.to << "\n  " << (one.refused.empty() ? one.reason : one.refused) << '\n';
}

// What people call the keys, where the ledger's folder has them.
std::map<std::string, std::string> key_names(const config::Paths& paths) {
  std::map<std::string, std::string> names;
  server::KeyStore keys(paths.data_dir);
  if (const auto known = keys.list())
    for (const server::KeyInfo& key : *known) names.emplace(key.id, key.name);
  return names;
}

Result<Replay> replay_for(const Arguments& args) {
  if (!args.has("--policy"))
    return fail(Code::kInvalid, "replay: expected --policy FILE, the configuration to try");
  const config::Environment env = config::process_environment();
  config::Paths paths = config::find_paths(env, args.get("--policy"), args.get("--data"));
  TOPHAND_TRY(config, "replay", config::load_config(paths, env));
  TOPHAND_CHECK("replay", steering::check_routing(config));
  TOPHAND_TRY(calendar, "replay", config::calendar_of(config.budget));
  TOPHAND_TRY(since, "replay",
              parse_since(args.get("--since", "all"), system_clock().wall_ms(), calendar));
  const std::string source = args.positional.empty() ? paths.data_dir : args.positional.front();
  if (args.positional.empty()) TOPHAND_CHECK("replay", check_ledger_is_there(paths));
  TOPHAND_TRY(rows, "replay", read_past(source, since));
  TOPHAND_TRY(prices, "replay", ledger::PriceBook::load(config.prices_file));
  return steering::replay(rows, config, prices, key_names(paths));
}

int run_replay(Io& io, const Arguments& args) {
  const auto replay = [&] {
    const SlowNote note(io, "deciding again");
    return replay_for(args);
  }();
  if (!replay) return report(io, replay.error());
  if (args.has("--json")) io.out << dump_json(replay_json(*replay, args.has("--list"))) << '\n';
  else print_replay(*replay, args.has("--list"), io.out);
  return 0;
}

const Flag kFlags[] = {
    {"--policy", "FILE", "the configuration to try"},
    {"--since", "WHEN", "all, week, or such as 12h or 7d (default all)"},
    {"--list", "", "every request that would have moved, with the reasons"},
    {"--json", "", "print JSON; money in nano-dollars (1e-9 dollar)"},
    kDataFlag,
};

}  // namespace

const Command kReplay{
    .name = "replay",
    .arguments = "[LEDGER|TRACE]",
    .summary = "Say what another policy would have cost, and which requests it would have moved",
    .help =
        "Puts every request of the ledger (or of a trace: one JSON object a line) to the rules of\n"
        "another configuration, at the time it came, and prices it from its own tokens. Nothing\n"
        "is sent. It cannot say whether another model's answer would have done.\n\n"
        "  tophand replay --policy new.toml\n"
        "  tophand replay old/ledger.db --policy new.toml --since 7d --list\n",
    .flags = kFlags,
    .positional_min = 0,
    .positional_max = 1,
    .run = run_replay,
};

}  // namespace tophand::cli

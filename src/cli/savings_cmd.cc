#include <ostream>

#include "base/clock.h"
#include "cli/commands.h"
#include "cli/gateway_client.h"
#include "cli/ledger_file.h"
#include "cli/savings_report.h"
#include "net/query.h"
#include "steering/budget_watch.h"
#include "steering/savings.h"

namespace tophand::cli {
namespace {

struct Wanted {
  std::int64_t since_ms = 0;
  bool week = false;  // since the week began, which the configuration says
  steering::SavingsFilter filter;
};

Result<Wanted> read_flags(const Arguments& args) {
  if (args.has("--week") + args.has("--days") + args.has("--since") > 1)
    return fail(Code::kInvalid, "give one of --week, --days and --since");
  TOPHAND_TRY(days, "savings", args.get_int("--days", 0, 1, 36'500));
  std::string since(args.has("--week") ? "week" : args.get("--since", "all"));
  if (args.has("--days")) since = std::to_string(days) + "d";
  TOPHAND_TRY(since_ms, "savings", parse_since(since, system_clock().wall_ms()));
  return Wanted{since_ms,
                since == "week",
                {.key_id = args.get("--key"),
                 .agent = args.get("--agent"),
                 .task_class = args.get("--class"),
                 .model = args.get("--model")}};
}

Result<std::string> savings_of_file(LedgerFile& file, const Wanted& wanted) {
  const std::int64_t now_ms = system_clock().wall_ms();
  TOPHAND_TRY(calendar, "configuration", config::calendar_of(file.settings.budget));
  const steering::SavingsQuery query{
      .since_ms = wanted.week ? calendar.week(now_ms).start_ms : wanted.since_ms,
      .until_ms = now_ms,
      .filter = wanted.filter,
      .counterfactual_model = file.settings.claude.model,
      .energy_known = file.settings.energy.is_known()};
  TOPHAND_TRY(report, "savings", steering::savings_of(*file.ledger, file.prices, query));
  steering::BudgetWatch watch(
      {.ledger = file.ledger.get(), .clock = &system_clock(), .keeps_state = false},
      file.settings.budget);
  return steering::savings_json(report, watch.windows());
}

std::string path_of(const Wanted& wanted) {
  std::string path = "/tophand/v1/savings?";
  path += wanted.week ? "week=1" : "since_ms=" + std::to_string(wanted.since_ms);
  const auto add = [&](const char* name, const std::string& value) {
    if (!value.empty()) ((path += '&') += name) += '=' + net::query_escaped(value);
  };
  add("key", wanted.filter.key_id);
  add("agent", wanted.filter.agent);
  add("class", wanted.filter.task_class);
  add("model", wanted.filter.model);
  return path;
}

Result<std::string> find_savings(Io& io, const Arguments& args) {
  if (args.has("--json") && args.has("--csv"))
    return fail(Code::kInvalid, "savings: give --json or --csv, not both");
  TOPHAND_TRY(wanted, "savings", read_flags(args));
  return ask_or_read(io, args, {path_of(wanted)},
                     [&](LedgerFile& file) { return savings_of_file(file, wanted); });
}

int run_savings(Io& io, const Arguments& args) {
  const auto savings = find_savings(io, args);
  if (!savings) return report(io, savings.error());
  if (args.has("--json")) {
    io.out << *savings << '\n';
    return 0;
  }
  const auto printed =
      args.has("--csv") ? print_savings_csv(*savings, io.out) : print_savings(*savings, io.out);
  return printed ? 0 : report(io, printed.error());
}

const Flag kFlags[] = {
    {"--week", "", "since the budget's week began ([budget] week_starts and time_zone)"},
    {"--days", "N", "the last N days"},
    {"--since", "TIME", "all (default), week, or hours or days: 12h, 7d"},
    {"--class", "NAME", "of tasks of this class only"},
    {"--agent", "NAME", "asked by this agent only"},
    {"--key", "ID", "asked with this key only (`tophand keys list` shows the ids)"},
    {"--model", "NAME", "answered by this model, or asked for it"},
    {"--json", "", "print JSON; money in nano-dollars (1e-9 dollar)"},
    {"--csv", "", "print a line a class; money in nano-dollars"},
    kDataFlag,
    kConfigFlag,
};

}  // namespace

const Command kSavings{
    .name = "savings",
    .arguments = "",
    .summary = "Show what was answered where, what it cost and what it saved",
    .help =
        "Asks the running gateway, or reads the ledger when none runs. docs/savings.md has the\n"
        "formulas; the figures can be reckoned again from the ledger's file.\n\n"
        "  tophand savings\n"
        "  tophand savings --week --class git_commit\n"
        "  tophand savings --days 14 --csv > savings.csv\n"
        "  tophand savings --since 7d --json\n",
    .flags = kFlags,
    .positional_min = 0,
    .positional_max = 0,
    .run = run_savings,
};

}  // namespace tophand::cli

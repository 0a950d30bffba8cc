#include "cli/status_report.h"

#include <cmath>
#include <cstdio>
#include <iomanip>
#include <ostream>

#include "base/json.h"
#include "cli/savings_report.h"
#include "ledger/ledger.h"

namespace tophand::cli {
namespace {

using ledger::format_usd;

constexpr double kHourMs = 3'600'000;

struct Parsed {
  explicit Parsed(const StatusParts& parts)
      : url(parts.url),
        status(read(parts.status)),
        budget(read(parts.budget)),
        today(read(parts.today)),
        week(read(parts.week)) {}
  static Json read(const std::string& text) { return parse_json(text).value_or(Json()); }

  std::string url;
  Json status, budget, today, week;
};

std::string text(const Json& object, std::string_view key) {
  return std::string(string_or(object, key, ""));
}

const Json& part(const Json& object, std::string_view key) {
  static const Json nothing;
  const Json* found = find_key(object, key);
  return found == nullptr ? nothing : *found;
}

std::string percent(double part, double whole) {
  return whole > 0 ? std::to_string(std::lround(100 * part / whole)) + " %" : "-";
}

std::string usd(const Json& sums, std::string_view key) {
  return format_usd(int_or(sums, key, 0));
}

// A window's amount: dollars, or a share of a subscription's.
std::string amount(double number, const Json& window) {
  return text(window, "unit") == "usd" ? format_usd(std::llround(number * 1e9))
                                       : std::to_string(std::lround(100 * number)) + " %";
}

std::string span(double hours) {
  char out[32];
  std::snprintf(out, sizeof out, hours >= 48 ? "%.1f days" : "%.1f hours",
                hours >= 48 ? hours / 24 : hours);
  return out;
}

std::ostream& line(std::ostream& out, std::string_view name) {
  return out << std::left << std::setw(11) << name << std::right;
}

void print_gateway(const Parsed& parts, std::ostream& out) {
  line(out, "gateway");
  if (parts.url.empty()) {
    out << "not running"
        << (parts.budget.is_object() ? "; what follows is from the ledger's file" : "") << '\n';
    return;
  }
  out << "runs at " << parts.url << " for "
      << span(number_or(parts.status, "uptime_ms", 0) / kHourMs) << ", version "
      << text(parts.status, "version") << '\n';
}

void print_backends(const Json& status, std::ostream& out) {
  const std::string local = text(status, "local_model");
  std::string state = "loaded when it is asked for";
  for (const Json& worker : part(status, "workers"))
    if (text(worker, "model") == local) state = text(worker, "state");
  line(out, "local") << local << ": " << state << '\n';
  for (const Json& each : part(status, "backends"))
    line(out, "backend") << text(each, "name") << " (" << text(each, "kind") << "): "
                         << (bool_or(each, "up", false)
                                 ? "up, " + std::to_string(part(each, "models").size()) + " models"
                                 : "down, " + text(each, "reason"))
                         << '\n';
  const Json& claude = part(status, "claude");
  line(out, "Claude") << text(claude, "model") << ": "
                      << (!bool_or(claude, "key_set", false)     ? "no key"
                          : part(claude, "keys_refused").empty() ? "key set"
                                                                 : "key refused")
                      << "\n";
}

void print_budget_line(const Json& budget, std::ostream& out) {
  for (const Json& window : part(budget, "windows")) {
    const double cap = number_or(window, "cap", 0), spent = number_or(window, "spent", 0);
    line(out, "budget") << text(window, "name");
    if (!text(window, "key").empty()) out << " of key " << text(window, "key");
    out << ": ";
    if (text(window, "unit") == "usd")
      out << amount(spent, window) << " of " << amount(cap, window) << ", ";
    out << percent(spent, cap) << " used";
    if (const Json& seen = part(window, "forecast"); seen.is_object())
      out << "; at reset about " << amount(number_or(seen, "expected", 0), window) << " ("
          << amount(number_or(seen, "p10", 0), window) << " to "
          << amount(number_or(seen, "p90", 0), window) << ")";
    out << ", until " << text(window, "end") << '\n';
  }
  if (part(budget, "windows").empty())
    line(out, "budget") << "none is set; spent on Claude since " << text(budget, "week_start")
                        << ": " << usd(budget, "spent_nano_usd") << '\n';
}

void print_today(const Json& today, std::ostream& out) {
  const std::int64_t requests = int_or(today, "requests", 0);
  const std::int64_t here = int_or(today, "local_requests", 0);
  const std::int64_t claude = int_or(today, "claude_requests", 0);
  line(out, "today");
  if (requests == 0) {
    out << "nothing was asked\n";
    return;
  }
  const auto answered = static_cast<double>(here + claude);
  out << requests << (requests == 1 ? " request: " : " requests: ") << here << " answered here ("
      << percent(static_cast<double>(here), answered) << "), " << claude << " by Claude ("
      << percent(static_cast<double>(claude), answered) << ", " << usd(today, "spent_nano_usd")
      << ")";
  if (const auto failed = int_or(today, "failed", 0); failed > 0)
    out << ", " << failed << " failed";
  out << '\n';
}

void print_week(const Json& week, std::ostream& out) {
  line(out, "this week") << "saved about " << usd(week, "saved_nano_usd") << " ("
                         << usd(week, "saved_floor_nano_usd") << " to "
                         << usd(week, "saved_ceiling_nano_usd") << "), "
                         << percent(static_cast<double>(int_or(week, "saved_permille", 0)), 1000)
                         << " of what all would have cost\n";
}

// The texts of a list, "a, b".
std::string joined(const Json& list) {
  std::string out;
  if (list.is_array())
    for (const Json& each : list)
      if (each.is_string()) (out += out.empty() ? "" : ", ") += each.get<std::string>();
  return out;
}

void add_budget_problems(const Json& budget, std::vector<Problem>& out) {
  for (const Json& window : part(budget, "windows")) {
    const double cap = number_or(window, "cap", 0), spent = number_or(window, "spent", 0);
    if (cap <= 0 || spent < 0.8 * cap) continue;
    out.push_back({percent(spent, cap) + " of the " + text(window, "name") + " budget is used",
                   "`tophand budget` says how long it lasts; low priority goes to local models"});
  }
  for (const Json& cap : part(budget, "caps")) {
    const std::int64_t taken =
        int_or(cap, "spent_nano_usd", 0) + int_or(cap, "outstanding_nano_usd", 0);
    if (text(cap, "scope") == "team" || taken < int_or(cap, "limit_nano_usd", 0)) continue;
    out.push_back({"the " + text(cap, "window") + "'s cap of " + text(cap, "scope") + " " +
                       text(cap, "name") + " is used up",
                   "[[budget.caps]] in the configuration sets it"});
  }
}

std::vector<Problem> problems_in(const Parsed& parts) {
  std::vector<Problem> out;
  if (parts.url.empty()) out.push_back({"no gateway is running", "start it: `tophand serve`"});
  const Json& status = parts.status;
  for (const Json& worker : part(status, "workers"))
    if (text(worker, "state") == "failed")
      out.push_back(
          {"the local model " + text(worker, "model") + " failed: " + text(worker, "error"),
           "`tophand run " + text(worker, "model") +
               "` tries it again; `tophand list` says which "
               "models can run"});
  const std::string local = text(status, "local_model");
  const Json& models = part(status, "models");
  if (!local.empty() && models.is_array() && models.empty())
    out.push_back({"no local model is installed", "`tophand pull " + local + "`"});
  for (const Json& each : part(status, "backends"))
    if (!bool_or(each, "up", false))
      out.push_back({"backend " + text(each, "name") + " is down: " + text(each, "reason"),
                     "is it running? `tophand backends` shows its address"});
  if (status.is_object() && !bool_or(part(status, "claude"), "key_set", false))
    out.push_back({"there is no Claude key: what needs Claude is refused",
                   "ANTHROPIC_API_KEY, or [claude] key_file in the configuration"});
  for (const Json& key : part(part(status, "claude"), "keys_refused"))
    out.push_back({"Claude refuses the key '" + text(key, "name") + "' (" +
                       std::to_string(int_or(key, "status", 0)) + ")",
                   int_or(key, "status", 0) == 402
                       ? "its account has a bill to pay: see the Claude Console, Billing"
                       : "put a good one in its place (ANTHROPIC_API_KEY, [claude] key_file or "
                         "key_files) and restart the gateway"});
  if (const std::string error = text(part(status, "configuration"), "error"); !error.empty())
    out.push_back({"the configuration was changed and not taken: " + error,
                   "mend it; `tophand config check` says whether it is right"});
  if (const std::string waiting = joined(part(part(status, "configuration"), "needs_restart"));
      !waiting.empty())
    out.push_back({"the configuration's " + waiting + " was changed and is not in effect yet",
                   "restart the gateway: these are read when it starts"});
  if (const std::string error = text(part(status, "ledger"), "error"); !error.empty())
    out.push_back({"the ledger cannot be written, so what costs money is refused: " + error,
                   "make room on the disk of the data folder"});
  add_budget_problems(parts.budget, out);
  return out;
}

}  // namespace

std::vector<Problem> problems_of(const StatusParts& parts) {
  return problems_in(Parsed(parts));
}

void print_status(const StatusParts& told, std::ostream& out) {
  const Parsed parts(told);
  print_gateway(parts, out);
  if (parts.status.is_object()) print_backends(parts.status, out);
  if (parts.budget.is_object()) print_budget_line(parts.budget, out);
  if (parts.today.is_object()) print_today(parts.today, out);
  if (parts.week.is_object()) print_week(parts.week, out);
  for (const Problem& problem : problems_in(parts))
    line(out, "wrong") << problem.what << "\n" << std::string(11, ' ') << problem.remedy << '\n';
}

std::string status_json(const StatusParts& told) {
  const Parsed parts(told);
  Json problems = Json::array();
  for (const Problem& problem : problems_in(parts))
    problems.push_back({{"what", problem.what}, {"remedy", problem.remedy}});
  return dump_json({{"running", !parts.url.empty()},
                    {"url", parts.url},
                    {"status", parts.status},
                    {"budget", parts.budget},
                    {"today", parts.today},
                    {"week", parts.week},
                    {"problems", std::move(problems)}});
}

}  // namespace tophand::cli
